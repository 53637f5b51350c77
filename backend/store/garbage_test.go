package store

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// waitFor waits until a query gives a number that is not greater than want.
func (l *testLog) waitFor(t *testing.T, query string, want int64) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); l.query(query) > want; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: %d, want %d", query, l.query(query), want)
		}
	}
}

// waitForGarbage waits until the committer has removed what deleted streams have
// left. It works beside writes, so there is nothing to wait on but the result.
func (l *testLog) waitForGarbage(t *testing.T) {
	t.Helper()
	l.waitFor(t, "SELECT count(*) FROM garbage", 0)
	l.waitFor(t, "SELECT count(*) FROM extent_garbage", 0)
	l.waitFor(t, "PRAGMA freelist_count", freeSlack)
	// Files that are empty are forgotten first, and then removed.
	for deadline := time.Now().Add(20 * time.Second); int64(len(l.files())) > l.query("SELECT count(*) FROM extent_files"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("there are files that the database does not know: %v", l.files())
		}
	}
}

func TestDeletionGivesSpaceBack(t *testing.T) {
	for name, o := range map[string]Options{
		"in the database": {SealAt: 64 << 10, CacheBytes: 1, DirectBytes: 1 << 30},
		"in a file":       {SealAt: 64 << 10, CacheBytes: 1},
		"in many files":   {SealAt: 64 << 10, CacheBytes: 1, ExtentFileBytes: 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			l := newTestLog(t, o)
			onDisk := func() int64 {
				l.exec("PRAGMA wal_checkpoint(TRUNCATE)")
				n, err := l.db.DiskBytes()
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
			keep := l.create("keep", "text/plain")
			l.append(keep, strings.Repeat("k", 100_000))
			start := onDisk()
			big := l.create("big", "application/octet-stream")
			for range 200 {
				l.append(big, strings.Repeat("x", 100_000))
			}
			if full := onDisk(); full < start+19_000_000 {
				t.Fatalf("20 MB take only %d bytes", full-start)
			}
			l.delete(big)
			l.waitForGarbage(t)
			if left := onDisk(); left > start+1_500_000 {
				t.Errorf("%d bytes at first, %d after the deletion of 20 MB", start, left)
			}
			l.check()
			l.reopen()
			l.check()
		})
	}
}

// Streams that live and die without ever being sealed must not leave their ops
// behind: neither on disk nor for the next start to read.
func TestShortLivedStreamsLeaveNothing(t *testing.T) {
	for _, withOldOp := range []bool{false, true} {
		t.Run(fmt.Sprint("an old unsealed append before them: ", withOldOp), func(t *testing.T) {
			l := newTestLog(t, Options{SealAt: 256 << 10, CacheBytes: 1})
			if withOldOp {
				l.append(l.create("old", "text/plain"), "still here")
			}
			for i := range 60 {
				m := l.create(fmt.Sprint("short/", i), "text/plain")
				l.append(m, strings.Repeat("x", 100_000))
				l.delete(m)
			}
			l.waitForGarbage(t)
			if n := l.query("SELECT coalesce(sum(length(payload)), 0) FROM ops"); n > 2<<20 {
				t.Errorf("%d bytes of 6 MB of deleted data are still in ops", n)
			}
		})
	}
}

// Streams go together, and those with many segments over several slices.
func TestManyDeletedStreamsLeaveNothing(t *testing.T) {
	l := newTestLog(t, Options{SealAt: 1, CacheBytes: 1})
	keep := l.create("keep", "text/plain")
	l.append(keep, strings.Repeat("k", 20_000))
	var gone []*modelStream
	for i := range 2*collectStreams + 5 {
		m := l.create(fmt.Sprint("gone/", i), "text/plain")
		for range []int{0, 1, collectSlice, 0, 2*collectSlice + 3}[i%5] {
			l.append(m, strings.Repeat("x", 17_000))
		}
		gone = append(gone, m)
	}
	l.append(keep, strings.Repeat("k", 20_000)) // seals what came before
	for _, m := range gone {
		l.delete(m)
	}
	l.waitForGarbage(t)
	if n := l.query("SELECT count(*) FROM segments WHERE stream NOT IN (SELECT id FROM streams)"); n != 0 {
		t.Errorf("%d segments of deleted streams are left", n)
	}
	l.check()
}

func TestGarbageIsCollectedAfterReopen(t *testing.T) {
	l := newTestLog(t, Options{SealAt: 1, CacheBytes: 1})
	m := l.create("a", "text/plain")
	for range 50 {
		l.append(m, strings.Repeat("x", 60_000))
	}
	l.delete(m)
	l.reopen() // most likely before it is all gone
	l.waitForGarbage(t)
	if n := l.query("SELECT count(*) FROM segments WHERE stream = ?", m.ID); n != 0 {
		t.Errorf("%d segments left", n)
	}
}

func TestRecreatedStreamIsSafeFromCollection(t *testing.T) {
	l := newTestLog(t, Options{SealAt: 1, CacheBytes: 1})
	for range 5 {
		m := l.create("again", "text/plain")
		for i := range 30 {
			l.append(m, fmt.Sprint(i, strings.Repeat("x", 20_000)))
		}
		l.check()
		l.delete(m)
	}
	l.append(l.create("again", "text/plain"), "new")
}
