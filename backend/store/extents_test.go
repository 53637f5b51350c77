package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// outside keeps every append in a file of its own, and nothing in memory.
var outside = Options{SealAt: 1, CacheBytes: 1, DirectBytes: 1, ExtentFileBytes: 1}

// files are the names of the files with large segments.
func (l *testLog) files() []string {
	l.t.Helper()
	names, err := filepath.Glob(filepath.Join(l.dir, ExtentsName, "*"))
	if err != nil {
		l.t.Fatalf("%v", err)
	}
	return names
}

// fileOf is the file that holds data and nothing else. Files that nobody needs any
// more go meanwhile, and sealing adds some: their number tells nothing.
func (l *testLog) fileOf(data string) string {
	l.t.Helper()
	for _, name := range l.files() {
		if have, err := os.ReadFile(name); err == nil && string(have) == data {
			return name
		}
	}
	l.t.Fatalf("no file holds %q", data)
	return ""
}

func (l *testLog) readAll(m *modelStream) error {
	_, err := l.db.Read(context.Background(), &m.Stream, 0, m.Tail, 1<<20)
	return err
}

func TestDamagedFilesFailOnlyTheirReads(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"a changed byte": func(path string) error { return os.WriteFile(path, []byte("1Xxxx"), 0o600) },
		"cut short":      func(path string) error { return os.Truncate(path, 3) },
		"gone":           os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			l := openTestLog(t, t.TempDir(), outside)
			damaged, sound := l.create("damaged", "text/plain"), l.create("sound", "text/plain")
			l.append(damaged, "1xxxx")
			l.append(sound, "2yyyy")
			l.append(sound, "3yyyy") // the other one is out of memory
			l.close()
			if err := damage(l.fileOf("1xxxx")); err != nil {
				t.Fatal(err)
			}
			l.open()
			l.startRegistry()
			defer l.close()
			var de *DamagedError
			if err := l.readAll(damaged); !errors.As(err, &de) {
				t.Errorf("reading what is damaged: %v", err)
			}
			l.checkStream(sound)
			// It can still be appended to, and deleted.
			if err := l.tryAppend(damaged, appendOptions{}, "more"); err != nil {
				t.Error(err)
			}
			l.delete(damaged)
			l.waitForGarbage(t)
			l.checkStream(sound)
		})
	}
}

// What a crash leaves behind the committed end is overwritten, and a file that was
// begun and not committed goes.
func TestLeftoversOfACrash(t *testing.T) {
	l := newTestLog(t, Options{SealAt: 1, CacheBytes: 1, DirectBytes: 1})
	m := l.create("a", "text/plain")
	l.append(m, "committed")
	l.close()
	file := l.files()[0]
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(strings.Repeat("not committed ", 100)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	begun := filepath.Join(filepath.Dir(file), "00000002.extent")
	if err := os.WriteFile(begun, []byte("not committed"), 0o600); err != nil {
		t.Fatal(err)
	}
	l.open()
	l.startRegistry()
	if _, err := os.Stat(begun); err == nil {
		t.Error("the file that was begun is still there")
	}
	l.check()
	l.append(m, "the next one")
	l.check()
	l.reopen()
	l.check()
}

// Files without their database are kept: somebody may bring it back.
func TestFilesWithoutTheirDatabaseAreKept(t *testing.T) {
	l := newTestLog(t, outside)
	l.append(l.create("a", "text/plain"), "what the file holds")
	l.close()
	had := len(l.files())
	if err := os.Remove(filepath.Join(l.dir, FileName)); err != nil {
		t.Fatal(err)
	}
	again := openTestLog(t, l.dir, outside)
	again.append(again.create("b", "text/plain"), "another one")
	again.finish()
	kept, err := filepath.Glob(filepath.Join(l.dir, ExtentsName+".orphaned-*", "*"))
	if err != nil || len(kept) != had {
		t.Errorf("%d files were kept of %d, %v", len(kept), had, err)
	}
	l.streams = map[string]*modelStream{"b": again.streams["b"]}
	l.registry, l.tombs, l.now = again.registry, again.tombs, again.now
	l.open()
	l.startRegistry()
}

// Someone who reads a stream while it is deleted learns that it is gone, not that
// the log is damaged.
func TestReadingWhatIsBeingDeleted(t *testing.T) {
	l := newTestLog(t, Options{SealAt: 1, CacheBytes: 1, DirectBytes: 1})
	m := l.create("a", "text/plain")
	for range 50 {
		l.append(m, strings.Repeat("x", 5000))
	}
	l.append(l.create("b", "text/plain"), "so that a is out of memory")
	s := m.Stream
	done := make(chan error)
	go func() {
		for {
			if _, err := l.db.Read(context.Background(), &s, 0, s.Tail, 1<<20); err != nil {
				done <- err
				return
			}
		}
	}()
	l.delete(m)
	if err := <-done; !errors.Is(err, ErrMissing) {
		t.Errorf("got %v", err)
	}
}
