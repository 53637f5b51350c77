//go:build !linux

package extent

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
)

// datasync puts what was written to f on the disk; on macOS past the disk's own
// cache.
func datasync(f *os.File) error { return f.Sync() }

// syncDir puts the entries of a folder on the disk. Windows does that by itself
// and cannot be asked to.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// punch does nothing here: the room comes back with the whole file.
func punch(*os.File, int64, int64) error { return nil }

func diskBytes(info fs.FileInfo) int64 { return info.Size() }
