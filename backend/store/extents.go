package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"tailrace/backend/extent"
)

// ExtentsName is the name of the folder, in the data folder, with the data of
// large segments.
const ExtentsName = "extents"

func (d *DB) extentsDir() string { return filepath.Join(filepath.Dir(d.path), ExtentsName) }

// openExtents opens the files that the database knows.
func (d *DB) openExtents(ctx context.Context, o Options) error {
	var last int64
	err := d.read.QueryRowContext(ctx, "SELECT seq FROM sqlite_sequence WHERE name = 'extent_files'").Scan(&last)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	rows, err := d.read.QueryContext(ctx, "SELECT id, size, live FROM extent_files ORDER BY id")
	if err != nil {
		return err
	}
	defer rows.Close()
	var known []extent.File
	for rows.Next() {
		var f extent.File
		if err := rows.Scan(&f.ID, &f.Size, &f.Live); err != nil {
			return err
		}
		known = append(known, f)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	d.extents, err = extent.Open(d.extentsDir(), known, last+1, extent.Options{Limit: o.ExtentFileBytes, Volatile: o.Volatile})
	return err
}

// insertSegment writes a segment, the data of a large one into a file.
func (c *committer) insertSegment(ctx context.Context, stream int64, s segment) error {
	if len(s.data) >= max(c.db.direct, 1) {
		ref, err := c.db.extents.Append(s.data)
		if err != nil {
			return asDiskError(err)
		}
		grown := c.grown[ref.File]
		c.grown[ref.File] = extent.File{ID: ref.File, Size: ref.At + ref.Size, Live: grown.Live + ref.Size}
		s.meta, s.data = placed(s.meta, ref), []byte{}
	}
	_, err := c.stmts.insertSegment.ExecContext(ctx, stream, s.start, s.end, s.first, s.lastAt, s.meta, s.data)
	return err
}

// settleExtents brings what the transaction has put into files to the disk, and
// notes how far they go. It comes last before the commit.
func (c *committer) settleExtents(ctx context.Context) error {
	if len(c.grown) == 0 {
		return nil
	}
	for _, f := range c.grown {
		if _, err := c.stmts.growExtents.ExecContext(ctx, f.ID, f.Size, f.Live); err != nil {
			return fmt.Errorf("note large segments: %w", err)
		}
	}
	return asDiskError(c.db.extents.Sync())
}

// endExtents follows the end of a transaction. What its rows refer to must stay
// unless it is certain that they will not be there.
func (c *committer) endExtents(keep bool) {
	if !keep {
		c.db.extents.Rewind()
	} else if len(c.grown) > 0 {
		c.db.extents.Keep()
	}
	clear(c.grown)
}

// asDiskError gives the errors of files the names that those of SQLite get.
func asDiskError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", ErrReadOnlyDisk, err)
	}
	return fmt.Errorf("%w: %w", ErrWriteFailed, err)
}

// free deletes segments that nobody can read any more, and tells how many there
// were; the statement returns the beginnings of their meta. The pieces of theirs
// that lie in files are noted, to be given back once that is committed.
func (c *committer) free(ctx context.Context, deletion *sql.Stmt, args ...any) (n int, err error) {
	rows, err := deletion.QueryContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	n, refs, err := extentsOf(rows)
	if err != nil {
		return 0, err
	}
	for _, r := range refs {
		if _, err := c.stmts.freeExtent.ExecContext(ctx, r.File, r.At, r.Size); err != nil {
			return 0, err
		}
		if _, err := c.stmts.shrinkExtents.ExecContext(ctx, r.Size, r.File); err != nil {
			return 0, err
		}
	}
	c.freed = c.freed || len(refs) > 0
	return n, nil
}

func extentsOf(rows *sql.Rows) (n int, refs []extent.Ref, err error) {
	for ; rows.Next(); n++ {
		var meta []byte
		if err := rows.Scan(&meta); err != nil {
			return 0, nil, errors.Join(err, rows.Close())
		}
		if ref, ok := extentOf(meta); ok {
			refs = append(refs, ref)
		}
	}
	return n, refs, errors.Join(rows.Err(), rows.Close())
}

// giveBack has the file system take back what free has noted and committed, some
// pieces at a time, and reports whether there is no more to begin now. That goes on
// aside, since it can take long and appends need not wait; gave comes behind it. A
// crash in between does it again.
func (c *committer) giveBack(ctx context.Context) (done bool, err error) {
	if !c.freed || c.given != nil || c.db.copies.Load() > 0 {
		return true, nil // a copy that ends has the rest done
	}
	pieces, last, err := c.freePieces(ctx)
	if err != nil {
		return false, err
	}
	if len(pieces) == 0 {
		c.freed = false
		return true, c.gave(ctx, 0)
	}
	given := make(chan int64, 1)
	c.given = given
	c.giving.Go(func() {
		for _, r := range pieces {
			if err := c.db.extents.Free(r); err != nil {
				// The room comes back with the whole file.
				c.db.log.Warn("the room of a deleted stream stays taken", "error", err)
			}
		}
		given <- last
	})
	return true, nil
}

// gave forgets the pieces up to one that were given back, and removes the files in
// which nothing is left.
func (c *committer) gave(ctx context.Context, last int64) error {
	var empty []int64
	err := c.transaction(ctx, func() (err error) {
		if _, err := c.stmts.extentsFreed.ExecContext(ctx, last); err != nil {
			return err
		}
		empty, err = ids(c.stmts.emptyExtents.QueryContext(ctx, c.db.extents.Last()))
		return err
	}, func() int { return 0 })
	if err != nil || len(empty) == 0 {
		return err
	}
	c.giving.Go(func() {
		for _, id := range empty {
			if err := c.db.extents.Remove(id); err != nil {
				c.db.log.Warn("a file that is not needed any more stays", "error", err)
			}
		}
	})
	return nil
}

// freeSlice is how many pieces are given back at a time.
const freeSlice = 32

func (c *committer) freePieces(ctx context.Context) (pieces []extent.Ref, last int64, err error) {
	rows, err := c.stmts.extentGarbage.QueryContext(ctx, freeSlice)
	if err != nil {
		return nil, 0, err
	}
	for rows.Next() {
		var r extent.Ref
		if err := rows.Scan(&last, &r.File, &r.At, &r.Size); err != nil {
			return nil, 0, errors.Join(err, rows.Close())
		}
		// Each hole is a change of the file system that commits may wait for.
		if n := len(pieces); n > 0 && pieces[n-1].File == r.File && pieces[n-1].At+pieces[n-1].Size == r.At {
			pieces[n-1].Size += r.Size
			continue
		}
		pieces = append(pieces, r)
	}
	return pieces, last, errors.Join(rows.Err(), rows.Close())
}

func ids(rows *sql.Rows, err error) ([]int64, error) {
	if err != nil {
		return nil, err
	}
	var out []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		out = append(out, id)
	}
	return out, errors.Join(rows.Err(), rows.Close())
}

// fill reads the data of a segment of a stream, when that lies in a file, and
// checks the segment.
func (d *DB) fill(ctx context.Context, stream int64, s *segment) error {
	var err error
	ref, outside := extentOf(s.meta)
	if outside {
		s.data, err = d.extents.Read(ref)
	}
	if err == nil {
		if err = s.check(); err == nil || !outside {
			return err
		}
	}
	// Once the row is deleted the piece is given back, also to those who are about
	// to read it.
	var n int
	if d.read.QueryRowContext(ctx, "SELECT count(*) FROM segments WHERE stream = ? AND start = ?", stream, s.start).Scan(&n) == nil && n == 0 {
		return ErrMissing
	}
	var damaged *DamagedError
	if errors.As(err, &damaged) {
		return err
	}
	return &DamagedError{What: "the data of a segment", Err: err}
}

// setExtentsAside renames a folder of extents whose database is not there.
func setExtentsAside(dir, suffix string) error {
	from := filepath.Join(dir, ExtentsName)
	_ = os.Remove(from) // an empty one needs no keeping
	if err := os.Rename(from, from+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keep %s aside: %w", from, err)
	}
	return nil
}
