package store

import (
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestFullDisk(t *testing.T) {
	for name, o := range map[string]Options{
		"in the database": {SealAt: 20_000, CacheBytes: 1},
		"in files":        {SealAt: 20_000, CacheBytes: 1, DirectBytes: 5000},
		"in many files":   {SealAt: 20_000, CacheBytes: 1, DirectBytes: 5000, ExtentFileBytes: 50_000},
	} {
		t.Run(name, func(t *testing.T) { testFullDisk(t, o) })
	}
}

func testFullDisk(t *testing.T, o Options) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skip("mounting a small disk needs root: ", err)
	}
	defer func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	grow := func(size string) {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, size); err != nil {
			t.Fatal(err)
		}
	}
	l := openTestLog(t, dir, o)
	f := newFiller(l)
	f.untilFull(t)
	grow("size=10m")
	f.untilRoom(t)
	f.untilFull(t)
	l.close()
	// On the full disk the reserve gives the room to open it.
	reserve{filepath.Join(dir, reserveName)}.give()
	l.open()
	l.startRegistry()
	l.check()
	l.delete(f.big)
	f.untilRoom(t)
	l.finish()
}

// A file that may not grow fails writes with another error than a full disk.
func TestFileSizeLimit(t *testing.T) {
	l := newTestLog(t, Options{SealAt: 20_000, CacheBytes: 1})
	m := l.create("a", "text/plain")
	l.append(m, "before")
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 300_000, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for range 100 {
		if err := l.tryAppend(m, appendOptions{}, strings.Repeat("x", 9000)); err != nil {
			failed++
		}
	}
	l.check()
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if failed == 0 {
		t.Fatal("nothing failed")
	}
	l.check()
	l.append(m, "after")
}
