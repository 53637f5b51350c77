package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tailrace/backend/protocol"
)

// failOn makes SQLite refuse a statement on a table, the way that raise says,
// until the returned function is called.
func (l *testLog) failOn(event, table, when, raise string) (restore func()) {
	l.t.Helper()
	l.exec(fmt.Sprintf(`CREATE TRIGGER fail BEFORE %s ON %s WHEN %s BEGIN SELECT RAISE(%s, 'on purpose'); END`, event, table, when, raise))
	return func() {
		l.t.Helper()
		l.exec("DROP TRIGGER fail")
	}
}

func TestFailedCommitChangesNothing(t *testing.T) {
	for i, tt := range []struct{ name, event, table, when string }{
		{"a large append, the file", "INSERT", "extent_files", "true"},
		{"a large append, the segment", "INSERT", "segments", "length(new.data) = 0"},
		{"an append", "INSERT", "ops", "true"},
		{"sealing, the segment", "INSERT", "segments", "true"},
		{"sealing, the stream", "UPDATE OF sealed_seq", "streams", "true"},
		{"sealing, the producers", "INSERT", "producers", "true"},
		{"sealing, taking up the last segment", "DELETE", "segments", "true"},
		{"sealing, removing ops", "DELETE", "ops", "true"},
		{"closing", "UPDATE OF closed_at", "streams", "true"},
		{"creation", "INSERT", "streams", "true"},
		{"deletion", "DELETE", "streams", "true"},
		{"deletion, the tombstone", "INSERT", "tombstones", "true"},
		{"the registry event", "INSERT", "ops", "new.stream = 1"},
	} {
		// SQLite itself rolls some failures back, others are left to the committer.
		raise := []string{"ABORT", "ROLLBACK"}[i%2]
		t.Run(tt.name+" "+raise, func(t *testing.T) {
			o := Options{SealAt: 1, CacheBytes: 1}
			if strings.HasPrefix(tt.name, "a large append") {
				o.DirectBytes, o.ExtentFileBytes = 1, 20
			}
			l := newTestLog(t, o)
			m := l.create("a", "application/json")
			other := l.create("b", "text/plain")
			doomed := l.create("c", "text/plain")
			p := protocol.Producer{ID: "p"}
			for range 4 {
				if err := l.tryAppend(m, appendOptions{producer: &protocol.Producer{ID: p.ID, Seq: p.Seq}}, `1`, `[2]`); err != nil {
					t.Fatal(err)
				}
				p.Seq++
				l.append(other, "x")
			}
			restore := l.failOn(tt.event, tt.table, tt.when, raise)
			failed := 0
			for range 3 {
				for _, err := range []error{
					l.tryAppend(m, appendOptions{producer: &protocol.Producer{ID: p.ID, Seq: p.Seq}}, `3`),
					l.commit(&Write{Stream: clone(&l.newStream("new", "text/plain").Stream), Create: true, Announce: [][]byte{[]byte("0")}, Now: l.now}),
					l.tryAppend(other, appendOptions{close: true}),
					l.tryDelete(doomed),
				} {
					if err != nil {
						failed++
					}
				}
				p.Seq++
				l.streams["new"] = nil
				delete(l.streams, "new")
				if failed > 0 {
					break
				}
			}
			if failed == 0 {
				t.Fatal("nothing failed")
			}
			restore()
			// The creation may have been the one thing that worked.
			if s, _, err := l.db.Load(context.Background(), "new"); err == nil {
				l.streams["new"] = &modelStream{Stream: s}
			}
			l.check()
			l.append(m, `"later"`)
			l.append(l.create("d", "text/plain"), "later")
			l.check()
		})
	}
}

// A failing write takes the others of its group down with it, but all or nothing:
// what was acknowledged is there, what was not is not.
func TestFailedGroup(t *testing.T) {
	l := newTestLog(t, tiny)
	bad := l.create("bad", "text/plain")
	var good []*modelStream
	for i := range 16 {
		good = append(good, l.create(fmt.Sprint("good/", i), "text/plain"))
	}
	restore := l.failOn("INSERT", "ops", fmt.Sprintf("new.stream = %d", bad.ID), "ABORT")
	var wg sync.WaitGroup
	for i, m := range append(good, bad) {
		wg.Go(func() {
			for n := range 30 {
				err := l.tryAppend(m, appendOptions{}, fmt.Sprint(i, " ", n, "\n"))
				if m == bad && err == nil {
					t.Error("the bad append worked")
				}
			}
		})
	}
	wg.Wait()
	restore()
	l.check()
	l.append(bad, "works again")
}

func TestFullDatabase(t *testing.T) {
	dir := filepath.Join(t.TempDir(), smallDisk)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l := openTestLog(t, dir, Options{SealAt: 20_000, CacheBytes: 1})
	f := newFiller(l)
	for range 3 {
		f.untilFull(t)
		l.reopen()
		l.check()
		l.delete(f.big)
		l.waitForGarbage(t)
		f.big = l.create("big", "text/plain")
		l.append(f.big, strings.Repeat("y", 9000))
		l.append(f.small, `"there is room again"`)
		l.check()
	}
	l.finish()
}

// filler appends small and large messages to two streams in turn.
type filler struct {
	l          *testLog
	small, big *modelStream
	seq        int64
}

func newFiller(l *testLog) *filler {
	return &filler{l: l, small: l.create("small", "application/json"), big: l.create("big", "text/plain")}
}

func (f *filler) fill() error {
	for range 10_000 {
		if err := f.l.tryAppend(f.small, appendOptions{producer: &protocol.Producer{ID: "p", Seq: f.seq}}, `{"n":1}`); err != nil {
			return err
		}
		f.seq++
		if err := f.l.tryAppend(f.big, appendOptions{}, strings.Repeat("x", 9000)); err != nil {
			return err
		}
	}
	return nil
}

// untilFull appends until the disk is full and checks that nothing is left of
// what failed.
func (f *filler) untilFull(t *testing.T) {
	t.Helper()
	for range 2 {
		if err := f.fill(); !errors.Is(err, ErrDiskFull) {
			t.Fatalf("got %v, want a full disk", err)
		}
		f.l.check()
	}
}

// untilRoom appends until the log takes it, which it finds out by itself.
func (f *filler) untilRoom(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for f.l.tryAppend(f.small, appendOptions{}, `"there is room again"`) != nil {
		if time.Now().After(deadline) {
			t.Fatal("the log does not find out that there is room again")
		}
		time.Sleep(5 * time.Millisecond) // there is no other sign
	}
	f.l.check()
}

func TestClassifyKeepsTheCause(t *testing.T) {
	cause := errors.New("x")
	if got := classify(cause); got != cause {
		t.Errorf("got %v", got)
	}
}
