package bucket_test

import (
	"bytes"
	"io"
	"os"
	"syscall"
	"testing"

	"tailrace/backend/snapshot/bucket"
)

// mountDisk mounts a small disk of its own.
func mountDisk(t *testing.T) (dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mounting a disk needs root")
	}
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestReadOnlyDisk(t *testing.T) {
	dir := mountDisk(t)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, "size=1m"); err != nil {
		t.Fatal(err)
	}
	if err := open(t, bucket.Target{Location: dir}).Test(t.Context()); bucket.ProblemOf(err) != bucket.ProblemDenied {
		t.Errorf("%q: %v", bucket.ProblemOf(err), err)
	}
}

// A file that does not fit leaves nothing behind, and the disk takes others.
func TestFullDisk(t *testing.T) {
	b := open(t, bucket.Target{Location: mountDisk(t)})
	put := func(key string, size int) error {
		return b.Put(t.Context(), key, func(w io.Writer) error {
			_, err := w.Write(bytes.Repeat([]byte("x"), size))
			return err
		})
	}
	if err := put("stream/YQ/snapshot-1.seg", 2<<20); bucket.ProblemOf(err) != bucket.ProblemFull {
		t.Fatalf("%q: %v", bucket.ProblemOf(err), err)
	}
	if objects, err := b.List(t.Context(), ""); err != nil || len(objects) != 0 {
		t.Errorf("left behind: %v, %v", objects, err)
	}
	if err := put("stream/YQ/snapshot-2.seg", 900<<10); err != nil {
		t.Errorf("with room again: %v", err)
	}
}
