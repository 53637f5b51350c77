package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	sqlite "modernc.org/sqlite"

	"tailrace/backend/extent"
)

// Copy is the log as of one moment: a copy of the database, and the pieces of files
// that it refers to, which stay as they are until Close.
type Copy struct {
	*Image
	db  *DB
	dir string
}

// Dir is the data folder.
func (d *DB) Dir() string { return filepath.Dir(d.path) }

// copyName is the pattern of the folders, in the data folder, that copies are made
// in.
const copyName = "copy-*.tmp"

// copyPages is how much of the database is copied between two looks at whether that
// is still wanted: 4 MiB.
const copyPages = 1024

// Copy copies the database, beside which there must be room for it, while the log
// goes on. All that was acknowledged before the call is in it.
func (d *DB) Copy(ctx context.Context) (_ *Copy, err error) {
	c := &Copy{db: d}
	if c.dir, err = os.MkdirTemp(d.Dir(), copyName); err != nil {
		return nil, asDiskError(err)
	}
	// Before the copy, so that all it refers to is there; the write tells that
	// nothing is being given back any more.
	d.copies.Add(1)
	defer func() {
		if err != nil {
			if err = classify(err); errors.Is(err, ErrDiskFull) {
				err = fmt.Errorf("%w: the database is copied within %s first, which has no room for it", ErrDiskFull, d.Dir())
			}
			err = errors.Join(fmt.Errorf("copy the log: %w", err), c.Close())
		}
	}()
	if err := d.Commit(&Write{also: also{"copy", func(context.Context, *committer) error { return nil }}}); err != nil {
		return nil, err
	}
	path := filepath.Join(c.dir, FileName)
	if err := d.copyPages(ctx, path); err != nil {
		return nil, err
	}
	if err := tidyCopy(ctx, path); err != nil {
		return nil, err
	}
	c.Image, err = OpenImage(ctx, path)
	return c, err
}

// Close removes the copy, and lets the log give room back again.
func (c *Copy) Close() error {
	var err error
	if c.Image != nil {
		err = c.Image.Close()
	}
	err = errors.Join(err, os.RemoveAll(c.dir))
	c.db.copies.Add(-1)
	return errors.Join(err, c.db.Commit(&Write{also: also{"copy", func(_ context.Context, c *committer) error {
		c.garbage = true
		return nil
	}}}))
}

// copyPages copies the database with SQLite's online backup. A read transaction
// around all of its steps holds the moment: without one, each commit would make it
// begin anew, and under load it would never end. Nobody waits for it, but the
// write-ahead log grows until it is done.
func (d *DB) copyPages(ctx context.Context, to string) (err error) {
	db, err := sql.Open("sqlite", dsn(d.path, "query_only(1)"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
		return err
	}
	defer func() {
		_, end := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		err = errors.Join(err, end)
	}()
	var settings int // the first read fixes the moment
	if err := conn.QueryRowContext(ctx, "SELECT count(*) FROM settings").Scan(&settings); err != nil {
		return err
	}
	return conn.Raw(func(driver any) error {
		source, ok := driver.(interface {
			NewBackup(string) (*sqlite.Backup, error)
		})
		if !ok {
			return errors.New("the SQLite driver has no online backup")
		}
		// The copy is thrown away after a crash: it needs neither journal nor fsync.
		b, err := source.NewBackup(dsn(to, "journal_mode(OFF)", "synchronous(OFF)"))
		if err != nil {
			return err
		}
		for more := true; more && err == nil; {
			if more, err = b.Step(copyPages); err == nil {
				err = ctx.Err()
			}
		}
		if end := b.Finish(); err == nil { // else it is the same error
			err = end
		}
		return err
	})
}

// tidyCopy makes a copied database one file that needs no companion, and takes out
// what ends with this process.
func tidyCopy(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", dsn(path, "synchronous(OFF)"))
	if err != nil {
		return err
	}
	// Not among the pragmas of the name, which the driver sorts: with the default of
	// synchronous, leaving WAL mode brings all of the copy to the disk, and commits
	// wait for that.
	_, err = db.ExecContext(ctx, "PRAGMA journal_mode = DELETE; DELETE FROM jobs WHERE ended_at IS NULL")
	return errors.Join(err, db.Close())
}

// readSlice is how much of a file is read at a time.
const readSlice = 1 << 20

// WriteDatabase writes the copied database.
func (c *Copy) WriteDatabase(w io.Writer) error {
	f, err := os.Open(c.path)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{f}, make([]byte, readSlice))
	return errors.Join(err, f.Close())
}

// WriteRun writes a part of a file that the copy refers to.
func (c *Copy) WriteRun(w io.Writer, r extent.Ref) error {
	buf := make([]byte, min(r.Size, readSlice))
	for r.Size > 0 {
		b := buf[:min(r.Size, int64(len(buf)))]
		if err := c.db.extents.ReadAt(r.File, b, r.At); err != nil {
			return &DamagedError{What: "the data of a segment", Err: err}
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
		r.At, r.Size = r.At+int64(len(b)), r.Size-int64(len(b))
	}
	return nil
}

// removeCopies removes what a process that was killed has left of its copies.
func removeCopies(dir string) {
	entries, _ := os.ReadDir(dir) // the database meets the same error
	for _, e := range entries {
		if left, _ := filepath.Match(copyName, e.Name()); left {
			_ = os.RemoveAll(filepath.Join(dir, e.Name())) // the next start tries again
		}
	}
}
