package store

import (
	"context"
	"fmt"
)

// Restoration brings a stream back. Its data is written in slices under a number
// that no stream has yet; a single last write makes it visible. What is left of
// one that was not finished, a kill included, is removed as garbage.
type Restoration struct {
	db     *DB
	stream *Stream

	batches []*Batch // not written yet
	bytes   int
}

// restoreSlice is how much goes into one transaction.
const restoreSlice = 2 << 20

// Restore begins to bring back a stream, which gets a new number.
func (d *DB) Restore(s *Stream) (*Restoration, error) {
	s.ID = d.NextID()
	return &Restoration{db: d, stream: s}, d.exec("restore "+s.Path, "INSERT INTO restoring (stream) VALUES (?)", s.ID)
}

// Add adds the next batches.
func (r *Restoration) Add(batches []*Batch) error {
	for _, b := range batches {
		b.Stream = r.stream.ID
		r.batches = append(r.batches, b)
		if r.bytes += b.cost(); r.bytes >= restoreSlice {
			if err := r.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush writes the batches that were added as segments.
func (r *Restoration) flush() error {
	batches := r.batches
	r.batches, r.bytes = nil, 0
	return r.db.Commit(&Write{also: also{"restore " + r.stream.Path, func(ctx context.Context, c *committer) error {
		from, size := 0, 0
		for i, b := range batches {
			if size += len(b.Payload.Data); size < segmentBytes && i < len(batches)-1 {
				continue
			}
			s := sealSegment(r.stream.Kind, batches[from:i+1])
			if err := c.insertSegment(ctx, r.stream.ID, s); err != nil {
				return err
			}
			from, size = i+1, 0
		}
		return nil
	}}})
}

// Stream is the stream as it will be.
func (r *Restoration) Stream() *Stream { return r.stream }

// Finish returns the write that makes the stream visible, with its producers.
func (r *Restoration) Finish(s *Stream, producers []Producer) (*Write, error) {
	if err := r.flush(); err != nil {
		return nil, err
	}
	return &Write{Stream: s, Create: true, also: also{"restore " + s.Path, func(ctx context.Context, c *committer) error {
		for _, p := range producers {
			if _, err := c.stmts.foldProducer.ExecContext(ctx, s.ID, p.ID, p.Epoch, p.Seq, p.LastAppendAt); err != nil {
				return err
			}
		}
		var lastAppend, streamSeq any
		if s.LastAppendAt != 0 {
			lastAppend = s.LastAppendAt
		}
		if s.StreamSeq != "" {
			streamSeq = s.StreamSeq
		}
		if _, err := c.stmts.foldStream.ExecContext(ctx, 0, s.Tail, s.Messages, s.Bytes, lastAppend, streamSeq, s.ID); err != nil {
			return err
		}
		_, err := c.conn.ExecContext(ctx, "DELETE FROM restoring WHERE stream = ?", s.ID)
		return err
	}}}, nil
}

// Abandon gives up what was written. After a successful commit of Finish's write
// it does nothing.
func (r *Restoration) Abandon() error {
	return r.db.Commit(&Write{also: also{"abandon " + r.stream.Path, func(ctx context.Context, c *committer) error {
		c.garbage = true
		return c.abandonRestores(ctx, r.stream.ID)
	}}})
}

// abandonRestores turns the data of an unfinished restoration into garbage; of
// all of them when stream is 0.
func (c *committer) abandonRestores(ctx context.Context, stream int64) error {
	for _, query := range []string{
		"INSERT OR IGNORE INTO garbage (stream) SELECT stream FROM restoring WHERE ?1 = 0 OR stream = ?1",
		"DELETE FROM restoring WHERE ?1 = 0 OR stream = ?1",
	} {
		if _, err := c.conn.ExecContext(ctx, query, stream); err != nil {
			return fmt.Errorf("clear up an unfinished restoration: %w", err)
		}
	}
	return nil
}

// RestoredIncarnation is the incarnation that a restored stream must have. It keeps
// its own, so that the offsets which readers hold stay good, where no stream lived
// before, or only those with lower ones, or where the very same stream went last and
// had nothing more. Otherwise readers hold offsets of what is not restored.
func (d *DB) RestoredIncarnation(ctx context.Context, s *Stream) (int64, error) {
	last, err := d.lastAt(ctx, s.Path)
	if err != nil {
		return 0, err
	}
	if last == nil || *last == (tombstone{s.Incarnation, s.CreatedAt, s.Tail}) {
		return s.Incarnation, nil
	}
	return max(s.Incarnation, last.incarnation+1), nil
}

// NextIncarnation is the incarnation that a new stream at a path must have once
// there is none.
func (d *DB) NextIncarnation(ctx context.Context, path string) (int64, error) {
	return d.nextIncarnation(ctx, path)
}
