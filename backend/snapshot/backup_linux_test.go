package snapshot_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tailrace/backend/snapshot/bucket"
	"tailrace/backend/store"
)

// mount makes a disk of some size.
func mount(t *testing.T, size string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mounting a disk needs root")
	}
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size="+size); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return disk
}

// TestBackupsToAFullDisk backs up to a disk that is too small. Nothing may be left,
// and the log goes on.
func TestBackupsToAFullDisk(t *testing.T) {
	disk, dir := mount(t, "2m"), t.TempDir()
	w := openWorld(t, dir, nil)
	defer w.close(t)
	w.stream(t, "a", "application/octet-stream", strings.Repeat("x", 3<<20))
	p := place{Target: bucket.Target{Location: disk}, files: disk}
	if _, err := w.backup(p); bucket.ProblemOf(err) != bucket.ProblemFull {
		t.Errorf("%q: %v", bucket.ProblemOf(err), err)
	}
	if left := p.left(t); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	noCopies(t, dir)
	w.append(t, "a", "application/octet-stream", "more", nil)
}

// TestBackupsOfAFullDisk backs up a log whose disk has no room for the copy that is
// made first. What is missing is said once, and where.
func TestBackupsOfAFullDisk(t *testing.T) {
	dir := mount(t, "96m")
	w := openWorld(t, dir, nil)
	defer w.close(t)
	for i := range 400 { // all of it small enough to lie in the database
		w.stream(t, fmt.Sprint(i), "application/octet-stream", strings.Repeat("x", 50_000))
	}
	filler, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	size, err := io.Copy(filler, zeros{}) // until nothing is left
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := errors.Join(filler.Truncate(size-8<<20), filler.Close()); err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	_, err = w.backup(place{Target: bucket.Target{Location: to}, files: to})
	if !errors.Is(err, store.ErrDiskFull) || !strings.Contains(err.Error(), dir) || strings.Contains(err.Error(), "\n") {
		t.Errorf("the backup: %v", err)
	}
	noCopies(t, dir)
	w.append(t, "0", "application/octet-stream", "more", nil)
}

// zeros never end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
