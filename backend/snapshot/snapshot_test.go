package snapshot_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tailrace/backend/engine"
	"tailrace/backend/protocol"
	"tailrace/backend/snapshot"
	"tailrace/backend/snapshot/bucket"
	"tailrace/backend/snapshot/segfile"
)

// TestRestoredStreamsAreIdentical makes random streams, with forks and producers,
// some compacted in between, restores them elsewhere, and compares; every producer's
// last request must still be a duplicate there.
func TestRestoredStreamsAreIdentical(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "snapshot")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		here, there := openWorld(t, filepath.Join(dir), nil), openWorld(t, makeDir(t, dir, "there"), nil)
		defer here.close(t)
		defer there.close(t)

		contentType := rapid.SampledFrom([]string{"application/json", "text/plain; charset=utf-8", "application/octet-stream"}).Draw(t, "type")
		path := randomStream(t, here, contentType, filepath.Join(dir, "cold"))
		c, err := outcome[*snapshot.Created](here.manager.Create(snapshot.CreateRequest{
			Path: path, To: at(makeDir(t, dir, "bucket")), Compress: rapid.Bool().Draw(t, "compress"),
		}))
		if err != nil {
			t.Fatal(err)
		}
		if v, err := here.verify(c.Location); err != nil || v.Log != snapshot.CompareSame || !v.Recorded {
			t.Fatalf("verify: %+v, %v", v, err)
		}
		want := here.content(t, path)
		for _, r := range []struct {
			w  *world
			as string
		}{{there, ""}, {here, "elsewhere"}} {
			restored, err := r.w.restore(c.Location, r.as)
			if err != nil {
				t.Fatal(err)
			}
			got := r.w.content(t, restored.Path)
			if d := diff(want, got); d != "" {
				t.Fatalf("restored (-want +got):\n%s", d)
			}
			refuseDuplicates(t, r.w, restored.Path, got)
		}
		if v, err := there.verify(c.Location); err != nil || v.Log != snapshot.CompareSame {
			t.Fatalf("verify against the restored stream: %+v, %v", v, err)
		}
	})
}

func makeDir(t fataler, parts ...string) string {
	dir := filepath.Join(parts...)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// randomStream makes a stream and perhaps a fork of it, and returns the path of
// the last one. What it has made so far goes into the folder cold now and then.
func randomStream(t *rapid.T, w *world, contentType, cold string) string {
	media, err := protocol.ParseContentType(contentType)
	if err != nil {
		t.Fatal(err)
	}
	kind := protocol.KindOf(media)
	create := &engine.CreateRequest{ContentType: contentType}
	if rapid.Bool().Draw(t, "ttl") {
		create.Expiry = protocol.Expiry{HasTTL: true, TTL: 3600}
	}
	path := "a/b"
	if _, err := w.engine.Create(path, create); err != nil {
		t.Fatal(err)
	}
	seqs := map[string]int64{}
	compact := func() {
		if !rapid.Bool().Draw(t, "compact") {
			return
		}
		before := w.content(t, path)
		if _, err := w.compact(path, cold); err != nil {
			t.Fatal(err)
		}
		if d := diff(before, w.content(t, path)); d != "" {
			t.Fatalf("compacted (-want +got):\n%s", d)
		}
	}
	fill := func() {
		defer compact()
		for range rapid.IntRange(0, 12).Draw(t, "appends") {
			r := &engine.AppendRequest{ContentType: contentType}
			if kind == protocol.KindJSON {
				body := rapid.SampledFrom([]string{`{"a":1}`, `[1.0,"x,y",[]]`, `9007199254740993`, `[{"text":"é"}, null]`}).Draw(t, "json")
				r.Payload = payload(t, kind, body)
			} else {
				r.Payload = payload(t, kind, string(rapid.SliceOfN(rapid.Byte(), 1, 4000).Draw(t, "bytes")))
			}
			if rapid.Bool().Draw(t, "producer") {
				id := rapid.SampledFrom([]string{"p", "q"}).Draw(t, "id")
				r.Producer = &protocol.Producer{ID: id, Seq: seqs[id]}
				seqs[id]++
			}
			if rapid.IntRange(0, 5).Draw(t, "seq") == 0 {
				r.StreamSeq = fmt.Sprintf("%020d", time.Now().UnixNano())
			}
			if _, err := w.engine.Append(path, r); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill()
	if rapid.Bool().Draw(t, "fork") {
		source, err := w.engine.Capture(path)
		if err != nil {
			t.Fatal(err)
		}
		at := rapid.Int64Range(0, source.Stream.Tail).Draw(t, "at")
		fork := &engine.ForkRequest{From: path, Offset: protocol.Offset{Position: at}.String()}
		path = "fork"
		if _, err := w.engine.Create(path, &engine.CreateRequest{Fork: fork}); err != nil {
			t.Fatal(err)
		}
		clear(seqs)
		fill()
	}
	if rapid.Bool().Draw(t, "close") {
		r := &engine.AppendRequest{Empty: true, Close: true}
		if rapid.Bool().Draw(t, "closing producer") {
			r.Producer = &protocol.Producer{ID: "p", Seq: seqs["p"]}
		}
		if _, err := w.engine.Append(path, r); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func refuseDuplicates(t fataler, w *world, path string, c content) {
	t.Helper()
	for _, p := range c.Producers {
		r := &engine.AppendRequest{ContentType: c.Stream.ContentType, Payload: payload(t, protocol.KindBytes, "again"), Producer: &p.Producer}
		if c.Stream.Kind == protocol.KindJSON {
			r.Payload = payload(t, protocol.KindJSON, `"again"`)
		}
		done, err := w.engine.Append(path, r)
		var closed *protocol.ClosedError
		if errors.As(err, &closed) && c.Stream.Closed {
			continue
		}
		if err != nil || !done.Duplicate {
			t.Errorf("the last request of %s again: %+v, %v", p.ID, done, err)
		}
	}
	if after := w.content(t, path); after.Stream.Tail != c.Stream.Tail {
		t.Errorf("a duplicate was written")
	}
}

func TestDamagedFilesAreRefused(t *testing.T) {
	w := start(t, nil)
	w.stream(t, "a", "text/plain", "one", "two")
	c := w.create(t, "a", t.TempDir())
	good, err := os.ReadFile(c.Location)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{
		"truncated": good[:len(good)-10],
		"flipped":   append(append(bytes.Clone(good[:len(good)/2]), good[len(good)/2]^4), good[len(good)/2+1:]...),
		"longer":    append(bytes.Clone(good), 'x'),
	} {
		if err := os.WriteFile(c.Location, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		var damaged *segfile.DamagedError
		if _, err := w.verify(c.Location); !errors.As(err, &damaged) {
			t.Errorf("verify %s: %v", name, err)
		}
		if _, err := w.restore(c.Location, "b"); !errors.As(err, &damaged) {
			t.Errorf("restore %s: %v", name, err)
		}
		if err := w.exists("b"); !errors.Is(err, protocol.ErrNotFound) {
			t.Errorf("after a refused restore of a %s file: %v", name, err)
		}
	}
	if err := os.Remove(c.Location); err != nil {
		t.Fatal(err)
	}
	if _, err := w.verify(c.Location); bucket.ProblemOf(err) != bucket.ProblemMissing {
		t.Errorf("verify of a missing file: %v", err)
	}
	// Another file in its place is whole, but not the one that was recorded.
	w.append(t, "a", "text/plain", "three", nil)
	other := w.create(t, "a", t.TempDir())
	data, err := os.ReadFile(other.Location)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.Location, data, 0o600); err != nil {
		t.Fatal(err)
	}
	var damaged *segfile.DamagedError
	if _, err := w.verify(c.Location); !errors.As(err, &damaged) {
		t.Errorf("verify of a replaced file: %v", err)
	}
}

func TestVerifyTellsWhenTheLogDiffers(t *testing.T) {
	w := start(t, nil)
	w.stream(t, "a", "text/plain", "one")
	c := w.create(t, "a", t.TempDir())
	w.append(t, "a", "text/plain", "two", nil)
	if v, err := w.verify(c.Location); err != nil || v.Log != snapshot.CompareSame {
		t.Errorf("with more in the log: %+v, %v", v, err)
	}
	if err := w.engine.Delete("a"); err != nil {
		t.Fatal(err)
	}
	if v, err := w.verify(c.Location); err != nil || v.Log != snapshot.CompareAbsent {
		t.Errorf("without the stream: %+v, %v", v, err)
	}
	w.stream(t, "a", "text/plain", "another")
	if v, err := w.verify(c.Location); err != nil || v.Log != snapshot.CompareAbsent {
		t.Errorf("with another stream: %+v, %v", v, err)
	}
}

// TestAppendsGoOnDuringASnapshot appends from producers while snapshots are taken:
// each must hold what its producers have written and no less.
func TestAppendsGoOnDuringASnapshot(t *testing.T) {
	w := start(t, nil)
	w.stream(t, "a", "application/json")
	stop := make(chan struct{})
	finished := make(chan error, 1)
	go func() {
		for seq := int64(0); ; seq++ {
			select {
			case <-stop:
				finished <- nil
				return
			default:
			}
			_, err := w.engine.Append("a", &engine.AppendRequest{
				ContentType: "application/json", Payload: protocol.Payload{Data: fmt.Append(nil, seq), Sizes: []int{len(fmt.Sprint(seq))}},
				Producer: &protocol.Producer{ID: "p", Seq: seq},
			})
			if err != nil {
				finished <- err
				return
			}
		}
	}()
	dir := t.TempDir()
	for range 10 {
		c := w.create(t, "a", dir)
		v, err := w.verify(c.Location)
		if err != nil || v.Log != snapshot.CompareSame {
			t.Fatalf("%+v, %v", v, err)
		}
		var last int64 = -1
		for _, p := range v.Header.Producers {
			last = p.Seq
		}
		if v.Header.Messages != last+1 {
			t.Errorf("%d messages, but the producer stands at %d", v.Header.Messages, last)
		}
	}
	close(stop)
	if err := <-finished; err != nil {
		t.Fatal(err)
	}
}

// TestClosedStreamsAreKept closes streams that a rule names, with the target out
// of order at first, and over a restart.
func TestClosedStreamsAreKept(t *testing.T) {
	dir, keep := t.TempDir(), filepath.Join(t.TempDir(), "keep")
	if err := os.WriteFile(keep, nil, 0o600); err != nil { // a file where the folder shall be
		t.Fatal(err)
	}
	configure := func(o *snapshot.Options) {
		o.Targets = map[string]bucket.Target{"keep": {Location: keep}}
		o.OnClose = []snapshot.Rule{{Glob: "orders/*", Target: "keep"}, {Glob: "orders/1", Target: "keep"}}
	}
	w := openWorld(t, dir, configure)
	w.stream(t, "orders/1", "text/plain", "one")
	w.stream(t, "other", "text/plain", "one")
	for _, path := range []string{"orders/1", "other"} {
		if _, err := w.engine.Append(path, &engine.AppendRequest{Empty: true, Close: true}); err != nil {
			t.Fatal(err)
		}
	}
	until(t, func() bool {
		tasks, err := w.db.SnapshotTasks(t.Context())
		return err == nil && len(tasks) == 1 && tasks[0].Attempts == 1 && tasks[0].LastError != ""
	})
	w.close(t)
	if err := os.Remove(keep); err != nil {
		t.Fatal(err)
	}

	// The next attempt is due later; a clock that is ahead brings it near.
	w = openWorld(t, dir, func(o *snapshot.Options) {
		configure(o)
		o.Now = func() time.Time { return time.Now().Add(time.Hour) }
	})
	defer w.close(t)
	until(t, func() bool {
		tasks, err := w.db.SnapshotTasks(t.Context())
		return err == nil && len(tasks) == 0
	})
	kept, err := w.manager.Recorded(t.Context(), "")
	if err != nil || len(kept) != 1 || kept[0].Path != "orders/1" || kept[0].Target != "keep" || !kept[0].Closed {
		t.Fatalf("kept: %+v, %v", kept, err)
	}
	if v, err := w.verify(kept[0].Location); err != nil || !v.Recorded || v.Log != snapshot.CompareSame {
		t.Errorf("verify: %+v, %v", v, err)
	}
}

func until(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen")
		}
	}
}

func TestPruneKeepsTheNewest(t *testing.T) {
	now := time.UnixMilli(1770000000000)
	w := start(t, func(o *snapshot.Options) { o.Now = func() time.Time { return now } })
	w.stream(t, "a", "text/plain", "one")
	w.stream(t, "b", "text/plain", "one")
	dir := t.TempDir()
	var taken []string
	for range 4 {
		taken = append(taken, w.create(t, "a", dir).Location)
		now = now.Add(24 * time.Hour)
	}
	w.create(t, "b", dir)
	prune := func(r snapshot.PruneRequest) (locations []string) {
		t.Helper()
		pruned, err := w.manager.Prune(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range pruned {
			locations = append(locations, s.Location)
		}
		return locations
	}
	if _, err := w.manager.Prune(t.Context(), snapshot.PruneRequest{}); err == nil {
		t.Error("all snapshots are pruned")
	}
	would := prune(snapshot.PruneRequest{KeepLast: 1, DryRun: true})
	if d := cmp.Diff([]string{taken[2], taken[1], taken[0]}, would); d != "" {
		t.Errorf("dry run (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{taken[0]}, prune(snapshot.PruneRequest{KeepLast: 1, KeepFor: 80 * time.Hour})); d != "" {
		t.Errorf("prune (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{taken[2], taken[1]}, prune(snapshot.PruneRequest{KeepLast: 1, Glob: "a"})); d != "" {
		t.Errorf("prune (-want +got):\n%s", d)
	}
	files, err := w.manager.Files(t.Context(), at(dir))
	if err != nil || len(files) != 2 {
		t.Errorf("files left: %+v, %v", files, err)
	}
}

// TestCancelLeavesNothing cancels a snapshot and a restoration in the middle.
func TestCancelLeavesNothing(t *testing.T) {
	w := start(t, nil)
	w.stream(t, "a", "application/octet-stream", string(bytes.Repeat([]byte("x"), 1<<20)))
	dir := t.TempDir()
	location := w.create(t, "a", dir).Location
	j, err := w.manager.Create(snapshot.CreateRequest{Path: "a", To: at(dir)})
	if err != nil {
		t.Fatal(err)
	}
	j.Cancel()
	<-j.Done()
	files, err := os.ReadDir(filepath.Dir(location))
	if err != nil {
		t.Fatal(err)
	}
	all, err := w.manager.Recorded(t.Context(), "a")
	if err != nil || len(files) != len(all) {
		t.Errorf("%d files, but %d are recorded (%v)", len(files), len(all), err)
	}
	j, err = w.manager.Restore(snapshot.FileRequest{Location: location, As: "b"})
	if err != nil {
		t.Fatal(err)
	}
	j.Cancel()
	<-j.Done()
	if err := w.exists("b"); (err == nil) != (j.Progress().Err == nil) {
		t.Errorf("the job says %v, but the stream: %v", j.Progress().Err, err)
	}
}
