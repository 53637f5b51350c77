package snapshot_test

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"tailrace/backend/snapshot/bucket"
)

// TestBackupsToAFullDisk backs up to a disk that is too small. Nothing may be left,
// and the log goes on.
func TestBackupsToAFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting a disk needs root")
	}
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=2m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	dir := t.TempDir()
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
