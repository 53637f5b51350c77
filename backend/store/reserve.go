package store

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// reserve is a file that takes up room on the disk so that there is some when
// the disk is full: a full log must still be able to delete streams and to start.
// Its content means nothing. While it is not whole, the log takes deletions only:
// what room is left is for them.
type reserve struct{ path string }

const (
	reserveName = "tailrace.reserve"
	// reserveBytes is more than the write-ahead log holds before it is moved into
	// the database, so that it always can be, and then gives its space back.
	reserveBytes = 6 << 20
	// reserveSlack stays free beside it, for the files beside the database.
	reserveSlack = 64 << 10
	// refillEvery is how often a log that is full looks whether it still is.
	refillEvery = 250 * time.Millisecond
)

// fill makes the reserve whole and reports whether it is; when there is too little
// room it stays as it was. Random bytes take up room also where the file system
// compresses or skips zeros.
func (r reserve) fill() bool {
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // nobody needs its content
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || size >= reserveBytes {
		return err == nil
	}
	missing := make([]byte, reserveBytes-size+reserveSlack)
	var rng rand.ChaCha8
	_, _ = rng.Read(missing) // always succeeds
	if _, err = f.Write(missing); err == nil {
		size = reserveBytes
	}
	return f.Truncate(size) == nil && err == nil
}

// give frees the reserve, and reports whether there was any.
func (r reserve) give() bool {
	info, err := os.Stat(r.path)
	return err == nil && info.Size() > 0 && os.Truncate(r.path, 0) == nil
}

// withRoom does what a full disk must not prevent: should it fail, again with the
// room of the reserve and of the write-ahead log.
func (c *committer) withRoom(ctx context.Context, do func() error) error {
	err := do()
	if errors.Is(err, ErrDiskFull) {
		c.full = true
		c.reserve.give()
		c.checkpoint(ctx)
		err = do()
	}
	return err
}

// checkpoint moves the write-ahead log into the database and gives its space
// back. Where it cannot, the log stays as it is.
func (c *committer) checkpoint(ctx context.Context) {
	var busy, frames, moved int
	_ = c.stmts.checkpoint.QueryRowContext(ctx).Scan(&busy, &frames, &moved) // the commit after it tells
}

// stillFull reports whether the reserve cannot be made whole again. It looks
// rarely enough to be asked for every write.
func (c *committer) stillFull(ctx context.Context) bool {
	if c.full && time.Since(c.looked) >= refillEvery {
		c.checkpoint(ctx)
		c.full = !c.reserve.fill()
		c.looked = time.Now()
	}
	return c.full
}

// GiveRoom frees some of the disk for a start that failed with err, and reports
// whether it makes sense to try again.
func GiveRoom(dir string, err error) bool {
	full := errors.Is(err, ErrDiskFull) || errors.Is(err, ErrWriteFailed) || errors.Is(err, syscall.ENOSPC)
	return full && reserve{filepath.Join(dir, reserveName)}.give()
}
