package snapshot_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tailrace/backend/engine"
	"tailrace/backend/protocol"
	"tailrace/backend/snapshot"
	"tailrace/backend/snapshot/backup"
	"tailrace/backend/snapshot/bucket"
)

func noProgress() backup.Progress {
	return backup.Progress{Bytes: new(atomic.Int64), Total: new(atomic.Int64)}
}

func (w *world) backup(p place) (*backup.Backup, error) {
	return outcome[*backup.Backup](w.manager.Backup(snapshot.Where{Place: p.Target}))
}

func (w *world) verifyBackup(p place, location string) (*backup.Verified, error) {
	return outcome[*backup.Verified](w.manager.VerifyBackup(location, snapshot.Where{Place: p.Target}))
}

// restoreBackup makes a data folder of a backup.
func restoreBackup(t *testing.T, p place, location, dir string) error {
	t.Helper()
	target := p.Target
	target.Location = location
	b, err := bucket.Open(target)
	if err != nil {
		t.Fatal(err)
	}
	_, err = backup.Restore(t.Context(), b, dir, noProgress())
	return err
}

// some writes streams of all kinds, and returns their paths.
func (w *world) some(t *testing.T, cold string) (paths []string) {
	t.Helper()
	w.stream(t, "json", "application/json")
	w.fill(t, "json", "application/json", 300, 200)
	w.stream(t, "text", "text/plain")
	for i := range 20 {
		w.append(t, "text", "text/plain", "some text\n", &protocol.Producer{ID: "p", Seq: int64(i)})
	}
	// Large ones lie in files; one that goes leaves a hole there.
	w.stream(t, "large", "application/octet-stream", strings.Repeat("a", 300<<10))
	w.stream(t, "gone", "application/octet-stream", strings.Repeat("b", 200<<10))
	w.append(t, "large", "application/octet-stream", strings.Repeat("c", 100<<10), nil)
	if err := w.engine.Delete("gone"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.engine.Create("fork", &engine.CreateRequest{ContentType: "text/plain", Fork: &engine.ForkRequest{From: "text"}}); err != nil {
		t.Fatal(err)
	}
	w.append(t, "fork", "text/plain", "its own", nil)
	w.stream(t, "closed", "text/plain", "the end")
	if _, err := w.engine.Append("closed", &engine.AppendRequest{Empty: true, Close: true}); err != nil {
		t.Fatal(err)
	}
	w.stream(t, "cold", "text/plain")
	w.fill(t, "cold", "text/plain", 50, 1000)
	w.mustCompact(t, "cold", cold)
	w.append(t, "cold", "text/plain", "and hot", nil)
	return []string{"json", "text", "large", "fork", "closed", "cold", protocol.RegistryPath}
}

// TestBackupsHoldEverything backs up a log that is written to, and opens what comes
// back from it.
func TestBackupsHoldEverything(t *testing.T) {
	onEachPlace(t, func(t *testing.T, p place) {
		w := start(t, nil)
		paths := w.some(t, t.TempDir())
		const kind = "text/plain"
		writers := []string{"w0", "w1", "w2"}
		for _, path := range writers {
			w.stream(t, path, kind)
		}
		want := map[string]content{}
		for _, path := range paths {
			want[path] = w.content(t, path)
		}

		// Each message is a number in a message of its own, some of them large.
		stop := make(chan struct{})
		acknowledged := make([]atomic.Int64, len(writers))
		var writing sync.WaitGroup
		for n, path := range writers {
			writing.Go(func() {
				for i := int64(0); ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					body := fmt.Sprintf("%08d", i)
					if i%20 == 0 {
						body += strings.Repeat(".", 70<<10)
					}
					w.append(t, path, kind, body, &protocol.Producer{ID: "p", Seq: i})
					acknowledged[n].Store(i + 1)
				}
			})
		}
		until(t, func() bool { return acknowledged[0].Load() > 30 })
		var before [3]int64
		for n := range writers {
			before[n] = acknowledged[n].Load()
		}
		made, err := w.backup(p)
		if err != nil {
			t.Fatal(err)
		}
		until(t, func() bool { return acknowledged[0].Load() > before[0]+10 })
		close(stop)
		writing.Wait()

		v, err := w.verifyBackup(p, made.Location)
		if err != nil || len(v.Unreachable) != 0 || len(v.Manifest.Cold) != 1 {
			t.Fatalf("verify: %+v, %v", v, err)
		}
		listed, err := w.manager.Backups(t.Context(), snapshot.Where{Place: p.Target})
		if err != nil || len(listed) != 1 || listed[0].Location != made.Location || listed[0].Err != nil {
			t.Fatalf("listed: %+v, %v", listed, err)
		}
		dir := filepath.Join(t.TempDir(), "new", "data")
		if err := restoreBackup(t, p, p.Location, dir); err != nil { // the newest at the place
			t.Fatal(err)
		}
		r := openWorld(t, dir, nil)
		defer r.close(t)
		for _, path := range paths {
			got := r.content(t, path)
			if path == protocol.RegistryPath {
				if !bytes.HasPrefix(got.Wire, want[path].Wire) {
					t.Errorf("the registry has lost something")
				}
				continue
			}
			if d := diff(want[path], got); d != "" {
				t.Errorf("%s (-want +got):\n%s", path, d)
			}
			refuseDuplicates(t, r, path, got)
		}
		if r.exists("gone") == nil {
			t.Error("a deleted stream is back")
		}
		for n, path := range writers {
			got := r.content(t, path)
			if int64(len(got.Batches)) < before[n] {
				t.Errorf("%s: %d appends came back, %d were acknowledged before", path, len(got.Batches), before[n])
			}
			for i, b := range got.Batches {
				if !bytes.HasPrefix(b.Payload.Data, fmt.Appendf(nil, "%08d", i)) {
					t.Fatalf("%s: append %d is %.20q", path, i, b.Payload.Data)
				}
			}
			refuseDuplicates(t, r, path, got)
			w.append(t, path, kind, "more", nil)
		}
		for _, j := range r.manager.Jobs() {
			if state := j.Progress().State; state != snapshot.JobDone {
				t.Errorf("job %s of the other server is %s", j.Kind, state)
			}
		}
	})
}

// TestDamagedBackupsAreRefused damages each file of a backup in turn.
func TestDamagedBackupsAreRefused(t *testing.T) {
	onEachPlace(t, func(t *testing.T, p place) {
		w := start(t, func(o *snapshot.Options) { o.Config = func() []byte { return []byte("journal = false\n") } })
		w.some(t, t.TempDir())
		made, err := w.backup(p)
		if err != nil {
			t.Fatal(err)
		}
		names := []string{"manifest.json"}
		for _, f := range made.Manifest.Files {
			names = append(names, f.Name)
		}
		if len(names) < 4 {
			t.Fatalf("it has only %v", names)
		}
		for _, name := range names {
			file := p.file(made.Location + "/" + name)
			sound, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			flipped := bytes.Clone(sound)
			flipped[len(sound)/2] ^= 4
			for what, damage := range map[string]func() error{
				"a flipped bit": func() error { return os.WriteFile(file, flipped, 0o600) },
				"cut short":     func() error { return os.WriteFile(file, sound[:len(sound)*2/3], 0o600) },
				"longer":        func() error { return os.WriteFile(file, append(bytes.Clone(sound), 'x'), 0o600) },
				"empty":         func() error { return os.WriteFile(file, nil, 0o600) },
				"missing":       func() error { return os.Remove(file) },
			} {
				if what == "longer" && name == "manifest.json" {
					continue // JSON with something behind it
				}
				if err := damage(); err != nil {
					t.Fatal(err)
				}
				var damaged *backup.DamagedError
				if _, err := w.verifyBackup(p, made.Location); !errors.As(err, &damaged) && !errors.Is(err, backup.ErrNone) {
					t.Errorf("%s, %s: verify: %v", name, what, err)
				}
				dir := filepath.Join(t.TempDir(), "data")
				if err := restoreBackup(t, p, made.Location, dir); !errors.As(err, &damaged) && !errors.Is(err, backup.ErrNone) {
					t.Errorf("%s, %s: restore: %v", name, what, err)
				}
				if left, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(left) != 0 {
					t.Errorf("%s, %s: left behind: %v, %v", name, what, left, err)
				}
				if err := os.WriteFile(file, sound, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := w.verifyBackup(p, made.Location); err != nil {
			t.Errorf("whole again: %v", err)
		}
	})
}

// TestCanceledBackupsLeaveNothing cancels one at its first bytes, and one that waits.
func TestCanceledBackupsLeaveNothing(t *testing.T) {
	onEachPlace(t, func(t *testing.T, p place) {
		dir := t.TempDir()
		w := openWorld(t, dir, nil)
		defer w.close(t)
		w.stream(t, "a", "application/octet-stream", strings.Repeat("x", 20<<20))
		for _, from := range []int64{0, 1} {
			j, err := w.manager.Backup(snapshot.Where{Place: p.Target})
			if err != nil {
				t.Fatal(err)
			}
			until(t, func() bool { return j.Progress().Bytes >= from })
			j.Cancel()
			<-j.Done()
			state, left := j.Progress().State, p.left(t)
			if state != snapshot.JobCanceled && state != snapshot.JobDone { // it may have been too fast
				t.Errorf("it is %s", state)
			}
			if (state == snapshot.JobDone) != (len(left) > 0) {
				t.Errorf("it is %s, and there is %v", state, left)
			}
			if err := os.RemoveAll(p.files); err != nil {
				t.Fatal(err)
			}
		}
		noCopies(t, dir)
	})
}

func noCopies(t *testing.T, dir string) {
	t.Helper()
	if left, err := filepath.Glob(filepath.Join(dir, "copy-*")); err != nil || len(left) != 0 {
		t.Errorf("copies in the data folder: %v, %v", left, err)
	}
}

func TestBackupsSayWhatIsWrong(t *testing.T) {
	onEachPlace(t, func(t *testing.T, p place) {
		if p.s3 == nil {
			t.Skip("folders have no keys")
		}
		dir := t.TempDir()
		w := openWorld(t, dir, nil)
		defer w.close(t)
		w.stream(t, "a", "text/plain", "one")
		wrong, elsewhere := p, p
		wrong.Keys = &bucket.Keys{Access: "nobody", Secret: "nothing"}
		elsewhere.Location = "s3://not-there/x"
		if _, err := w.backup(wrong); bucket.ProblemOf(err) != bucket.ProblemKeys {
			t.Errorf("wrong keys: %v", err)
		}
		if _, err := w.backup(elsewhere); bucket.ProblemOf(err) != bucket.ProblemNoBucket {
			t.Errorf("no bucket: %v", err)
		}
		made, err := w.backup(p)
		if err != nil {
			t.Fatal(err)
		}
		p.s3.Kill()
		if _, err := w.backup(p); bucket.ProblemOf(err) != bucket.ProblemConnect {
			t.Errorf("nobody there: %v", err)
		}
		if _, err := w.verifyBackup(p, made.Location); bucket.ProblemOf(err) != bucket.ProblemConnect {
			t.Errorf("verify, nobody there: %v", err)
		}
		p.s3.Run()
		if _, err := w.verifyBackup(p, made.Location); err != nil {
			t.Errorf("verify, there again: %v", err)
		}
		noCopies(t, dir)
	})
}

// TestVerifyTellsOfColdFilesOutOfReach hides what a compacted stream is read from.
func TestVerifyTellsOfColdFilesOutOfReach(t *testing.T) {
	w := start(t, nil)
	cold := filepath.Join(t.TempDir(), "cold")
	w.some(t, cold)
	p := place{Target: bucket.Target{Location: t.TempDir()}}
	made, err := w.backup(p)
	if err != nil {
		t.Fatal(err)
	}
	hide(t, cold, func() {
		if v, err := w.verifyBackup(p, made.Location); err != nil || len(v.Unreachable) != 1 || !strings.Contains(v.Unreachable[0], cold) {
			t.Errorf("verify: %+v, %v", v, err)
		}
	})
	if v, err := w.verifyBackup(p, made.Location); err != nil || len(v.Unreachable) != 0 {
		t.Errorf("verify, there again: %+v, %v", v, err)
	}
}

func TestBackupsAreRestoredIntoEmptyFolders(t *testing.T) {
	w := start(t, nil)
	w.stream(t, "a", "text/plain", "one")
	p := place{Target: bucket.Target{Location: t.TempDir()}}
	if err := restoreBackup(t, p, p.Location, filepath.Join(t.TempDir(), "data")); !errors.Is(err, backup.ErrNone) {
		t.Errorf("from nothing: %v", err)
	}
	made, err := w.backup(p)
	if err != nil {
		t.Fatal(err)
	}
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "mine"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	var notEmpty *backup.NotEmptyError
	if err := restoreBackup(t, p, made.Location, full); !errors.As(err, &notEmpty) {
		t.Errorf("into a full folder: %v", err)
	}
	if left, err := os.ReadDir(full); err != nil || len(left) != 1 {
		t.Errorf("it holds %v, %v", left, err)
	}
	empty := t.TempDir()
	if err := restoreBackup(t, p, made.Location+"/manifest.json/", empty); err == nil {
		t.Error("a file is no folder")
	}
	if err := restoreBackup(t, p, backup.Trim(made.Location+"/manifest.json"), empty); err != nil {
		t.Errorf("into an empty folder: %v", err)
	}
}

// TestTheNextBackupRemovesTornOnes ages what a backup has left that was killed.
func TestTheNextBackupRemovesTornOnes(t *testing.T) {
	onEachPlace(t, func(t *testing.T, p place) {
		w := start(t, nil)
		w.stream(t, "a", "text/plain", "one")
		made, err := w.backup(p)
		if err != nil {
			t.Fatal(err)
		}
		torn := p.file(made.Location)
		if err := os.Rename(filepath.Join(torn, "manifest.json"), filepath.Join(torn, "unfinished")); err != nil {
			t.Fatal(err)
		}
		foreign := filepath.Join(filepath.Dir(torn), "2024", "photo.jpg")
		if err := os.MkdirAll(filepath.Dir(foreign), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(foreign, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := w.backup(p); err != nil {
			t.Fatal(err)
		}
		if listed, err := w.manager.Backups(t.Context(), snapshot.Where{Place: p.Target}); err != nil || len(listed) != 3 || !errors.Is(listed[1].Err, backup.ErrNone) {
			t.Errorf("listed: %+v, %v", listed, err)
		}
		long := time.Now().Add(-25 * time.Hour)
		for _, file := range []string{filepath.Join(torn, "tailrace.db"), filepath.Join(torn, "unfinished"), foreign} {
			if err := os.Chtimes(file, long, long); err != nil {
				t.Fatal(err)
			}
		}
		last, err := w.backup(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(torn); err == nil {
			t.Error("the torn one is still there")
		}
		if _, err := os.Stat(foreign); err != nil {
			t.Errorf("what is no backup was removed: %v", err)
		}
		if _, err := w.verifyBackup(p, last.Location); err != nil {
			t.Error(err)
		}
	})
}
