package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"tailrace/backend/protocol"
)

// Cold is a run of a stream that lies in a snapshot and not in segments.
type Cold struct {
	Stream     int64
	Start, End int64
	First      int64 // ordinal of the first message
	LastAt     int64 // time of the last batch
	Hot        bool  // segments of it may still be there
	Snapshot   Snapshot
}

// By says what a place in a stream is named by.
type By int

// Ways of naming a place.
const (
	ByPosition By = iota
	ByOrdinal
	ByTime // the first batch of that time or later
)

// Place is a place in a stream.
type Place struct {
	By By
	At int64
}

// Archive gives back what has left the log.
type Archive interface {
	// Sealed returns the batches of a snapshot's file around a place. It fails with a
	// *[ColdError].
	Sealed(ctx context.Context, c *Cold, at Place) (*Sealed, error)
}

// Sealed are batches as the log reads them. It is immutable.
type Sealed struct{ segment segment }

// Seal joins batches that follow each other.
func Seal(k protocol.Kind, batches []*Batch) *Sealed { return &Sealed{sealSegment(k, batches)} }

// Cost is what it takes in memory.
func (s *Sealed) Cost() int { return len(s.segment.data) + len(s.segment.meta) + 128 }

// ColdError: a part of a stream lies in a snapshot that cannot be read now.
type ColdError struct {
	Location string
	Err      error
}

func (e *ColdError) Error() string {
	return fmt.Sprintf("this part of the stream lies in %s, which cannot be read now: %v", e.Location, e.Err)
}

func (e *ColdError) Unwrap() error { return e.Err }

// SetArchive says who reads what has left the log. It must be called before the
// first read.
func (d *DB) SetArchive(a Archive) { d.archive = a }

const coldColumns = `c.stream, c.start, c."end", c.first, c.last_at, c.hot`

// coldAt selects the run that holds a place, by the ways of naming it.
var coldAt = [...]string{
	ByPosition: `c.start <= ?2 AND c."end" > ?2 ORDER BY c.start DESC`,
	ByOrdinal:  `c.first <= ?2 ORDER BY c.start DESC`,
	ByTime:     `c.last_at >= ?2 ORDER BY c.start`,
}

// cold reads the cold run of a stream around a place; nil: there is none.
func (d *DB) cold(ctx context.Context, stream int64, at Place) (*segment, error) {
	var c Cold
	row := d.read.QueryRowContext(ctx, "SELECT "+coldColumns+", "+snapshotColumns+
		" FROM cold c JOIN snapshots s ON s.id = c.snapshot WHERE c.stream = ?1 AND "+coldAt[at.By]+" LIMIT 1", stream, at.At)
	err := c.scan(row.Scan)
	if errors.Is(err, sql.ErrNoRows) || d.archive == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s, err := d.archive.Sealed(ctx, &c, at)
	if err != nil {
		return nil, err
	}
	return &s.segment, nil
}

func (c *Cold) scan(scan func(...any) error) error {
	return c.Snapshot.scan(func(dest ...any) error {
		return scan(append([]any{&c.Stream, &c.Start, &c.End, &c.First, &c.LastAt, &c.Hot}, dest...)...)
	})
}

// coldBatches returns the batches of the cold run around a place; none: there is
// no such run.
func (d *DB) coldBatches(ctx context.Context, stream int64, k protocol.Kind, at Place) ([]*Batch, error) {
	g, err := d.cold(ctx, stream, at)
	if err != nil || g == nil {
		return nil, err
	}
	return g.batches(stream, k)
}

// readCold adds what lies in snapshots of one stream up to position to, or a part
// of it.
func (r *reading) readCold(ctx context.Context, stream, to int64) error {
	began := r.from
	for more := true; more; {
		g, err := r.db.cold(ctx, stream, Place{ByPosition, r.from})
		if err != nil || g == nil {
			return err
		}
		if r.from > began && r.soft < len(g.data)/2 {
			r.soft = 0 // these are large: another one would be far more than is wanted
			return nil
		}
		if more, err = r.take(stream, g, to); err != nil {
			return err
		}
	}
	return nil
}

// Colds returns the cold runs of a stream, of all streams when stream is 0.
func (d *DB) Colds(ctx context.Context, stream int64) ([]Cold, error) {
	return colds(ctx, d.read, stream)
}

func colds(ctx context.Context, db *sql.DB, stream int64) ([]Cold, error) {
	rows, err := db.QueryContext(ctx, "SELECT "+coldColumns+", "+snapshotColumns+
		` FROM cold c JOIN snapshots s ON s.id = c.snapshot WHERE ?1 = 0 OR c.stream = ?1 ORDER BY c.stream, c.start`, stream)
	if err != nil {
		return nil, fmt.Errorf("list cold runs: %w", err)
	}
	defer rows.Close()
	var out []Cold
	for rows.Next() {
		var c Cold
		if err := c.scan(rows.Scan); err != nil {
			return nil, fmt.Errorf("list cold runs: %w", err)
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

// Hot is the part of a stream that may leave the log.
type Hot struct {
	Start, End int64
	Bytes      int64 // that its segments take
}

// HotBefore returns what the log itself holds of a stream and was written up to a
// time; the end is that of an append.
func (d *DB) HotBefore(ctx context.Context, s *Stream, until int64) (Hot, error) {
	h := Hot{}
	if s.Fork != nil {
		h.Start = s.Fork.Base
	}
	// Memory first: what is not sealed there any more is in the segments by then.
	unsealed := d.mem.unsealedTail(s.ID)
	err := d.read.QueryRowContext(ctx, `SELECT coalesce(max("end"), ?) FROM cold WHERE stream = ?`, h.Start, s.ID).Scan(&h.Start)
	if err != nil {
		return h, fmt.Errorf("measure %q: %w", s.Path, err)
	}
	h.End = h.Start
	rows, err := d.read.QueryContext(ctx, `SELECT "end", last_at, length(meta) + length(data), substr(meta, 1, ?) FROM segments
		WHERE stream = ? AND "end" > ? ORDER BY start`, extentHeader, s.ID, h.Start)
	if err != nil {
		return h, fmt.Errorf("measure %q: %w", s.Path, err)
	}
	defer rows.Close()
	for rows.Next() {
		var end, at, size int64
		var meta []byte
		if err := rows.Scan(&end, &at, &size, &meta); err != nil {
			return h, fmt.Errorf("measure %q: %w", s.Path, err)
		}
		if at > until || end > s.Tail {
			return h, nil
		}
		h.End = max(h.End, end)
		ref, _ := extentOf(meta)
		h.Bytes += size + ref.Size
	}
	for _, b := range unsealed {
		if b.End <= h.End {
			continue
		}
		if b.Time > until || b.End > s.Tail {
			break
		}
		h.End = b.End
		h.Bytes += int64(len(b.Payload.Data))
	}
	return h, rows.Err()
}

// Compact has a run read from its snapshot; its segments go when nobody waits. The
// stream must not be written to meanwhile. It fails with [ErrSnapshotGone] when the
// snapshot is not recorded any more.
func (d *DB) Compact(s *Stream, run *Cold) error {
	var refused error // which is no reason to fail the writes that share the transaction
	err := d.Commit(&Write{also: also{"compact " + s.Path, func(ctx context.Context, c *committer) error {
		base := int64(0)
		if s.Fork != nil {
			base = s.Fork.Base
		}
		var end int64
		if err := c.conn.QueryRowContext(ctx, `SELECT coalesce(max("end"), ?) FROM cold WHERE stream = ?`, base, s.ID).Scan(&end); err != nil {
			return err
		}
		if run.Start != end || run.End <= run.Start || run.End > s.Tail {
			refused = fmt.Errorf("the run from %d to %d does not follow what is cold already, up to %d", run.Start, run.End, end)
			return nil
		}
		res, err := c.conn.ExecContext(ctx, `INSERT INTO cold (stream, start, "end", first, last_at, snapshot, hot)
			SELECT ?, ?, ?, ?, ?, id, 1 FROM snapshots WHERE id = ?`, s.ID, run.Start, run.End, run.First, run.LastAt, run.Snapshot.ID)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			refused = ErrSnapshotGone
			return err
		}
		c.garbage = true
		return c.sealAll(ctx, s)
	}}})
	return errors.Join(err, refused)
}

// ErrSnapshotGone: a snapshot is not recorded any more.
var ErrSnapshotGone = errors.New("the snapshot is not recorded any more")

// sealAll moves what of a stream is not sealed into segments, so that nothing of
// it appears there later.
func (c *committer) sealAll(ctx context.Context, s *Stream) error {
	batches := c.db.mem.unsealedTail(s.ID)
	if len(batches) == 0 {
		return nil
	}
	c.direct[s.ID] = true
	if err := c.sealRun(ctx, run{&tail{stream: s.ID, kind: s.Kind}, batches}); err != nil {
		return fmt.Errorf("seal stream %d: %w", s.ID, err)
	}
	if _, err := c.stmts.sealedSeq.ExecContext(ctx, batches[len(batches)-1].seq); err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	return nil
}

// dropHot deletes some segments of a run that has gone cold, and reports whether
// there was anything to do.
func (c *committer) dropHot(ctx context.Context) (some bool, err error) {
	var stream, end int64
	err = c.conn.QueryRowContext(ctx, `SELECT stream, "end" FROM cold WHERE hot LIMIT 1`).Scan(&stream, &end)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	n, err := c.free(ctx, c.stmts.coldSegments, stream, end, collectSlice, extentHeader)
	if err != nil || n == collectSlice {
		return true, err
	}
	_, err = c.conn.ExecContext(ctx, `UPDATE cold SET hot = 0 WHERE stream = ? AND "end" = ?`, stream, end)
	return true, err
}
