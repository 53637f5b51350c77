package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"tailrace/backend/protocol"
)

// A fork copies nothing. Its positions before the base are read from the streams
// that wrote them: the source or, where the source is a fork itself, the streams
// further up. The chain is flattened into spans once, when a stream is loaded, so
// that a read does not climb it.

// span is a run of positions (and of message ordinals) that one stream wrote.
type span struct {
	stream     int64
	end        int64 // first position behind it
	endOrdinal int64 // first ordinal behind it
}

// spans returns where all positions of a stream lie, in order.
func (s *Stream) spans() []span {
	own := span{stream: s.ID, end: math.MaxInt64, endOrdinal: math.MaxInt64}
	return append(s.lineage[:len(s.lineage):len(s.lineage)], own)
}

// Trace fills in where the inherited part of a stream lies. Streams from Load
// have been traced; one that is being created is traced by its creator.
func (d *DB) Trace(ctx context.Context, s *Stream) error {
	if s.Fork == nil {
		return nil
	}
	rows, err := d.read.QueryContext(ctx, `WITH RECURSIVE up (id, source, base, base_messages, depth) AS (
			SELECT id, source, base, base_messages, 0 FROM streams WHERE id = ?
			UNION ALL
			SELECT s.id, s.source, s.base, s.base_messages, depth + 1 FROM streams s JOIN up ON s.id = up.source
		) SELECT id, base, base_messages FROM up ORDER BY depth`, s.Fork.Source)
	if err != nil {
		return fmt.Errorf("trace fork %q: %w", s.Path, err)
	}
	defer rows.Close()
	// From the source upwards: each stream owns what lies between its own base and
	// the nearest base below it.
	var reversed []span
	end, endOrdinal := s.Fork.Base, s.Fork.BaseMessages
	for rows.Next() && end > 0 {
		var id, base, baseMessages int64
		if err := rows.Scan(&id, &base, &baseMessages); err != nil {
			return fmt.Errorf("trace fork %q: %w", s.Path, err)
		}
		if base < end {
			reversed = append(reversed, span{stream: id, end: end, endOrdinal: endOrdinal})
			end, endOrdinal = base, baseMessages
		}
	}
	s.lineage = make([]span, 0, len(reversed))
	for i := len(reversed) - 1; i >= 0; i-- {
		s.lineage = append(s.lineage, reversed[i])
	}
	return rows.Err()
}

// Forks is the number of streams that inherit from a stream directly.
func (d *DB) Forks(ctx context.Context, stream int64) (n int, err error) {
	if err := d.loads.forks.QueryRowContext(ctx, stream).Scan(&n); err != nil {
		return 0, fmt.Errorf("count forks: %w", err)
	}
	return n, nil
}

// Orphans returns the paths of up to limit soft-deleted streams that no fork
// needs any more.
func (d *DB) Orphans(ctx context.Context, limit int) (paths []string, err error) {
	rows, err := d.read.QueryContext(ctx, `SELECT path FROM streams s WHERE deleted_at IS NOT NULL
		AND NOT EXISTS (SELECT 1 FROM streams f WHERE f.source = s.id) LIMIT ?`, limit)
	if err != nil {
		return nil, fmt.Errorf("find orphans: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var path string
		if err := rows.Scan(&path); err != nil {
			return nil, fmt.Errorf("find orphans: %w", err)
		}
		paths = append(paths, path)
	}
	return paths, rows.Err()
}

// ExpiryOf returns the expiry of a stream by number; deleted ones have one too.
func (d *DB) ExpiryOf(ctx context.Context, stream int64) (protocol.Expiry, error) {
	s, err := scanStream(d.read.QueryRowContext(ctx, "SELECT "+streamColumns+" FROM streams WHERE id = ?", stream).Scan)
	if err != nil {
		return protocol.Expiry{}, fmt.Errorf("load stream %d: %w", stream, err)
	}
	return s.Expiry, nil
}

// BatchAt returns the batch that holds a position, cut to what the stream
// inherits of it. At the tail there is none: it returns nil.
func (d *DB) BatchAt(ctx context.Context, s *Stream, pos int64) (*Batch, error) {
	if pos >= s.Tail {
		return nil, nil
	}
	for _, sp := range s.spans() {
		if pos >= sp.end {
			continue
		}
		batches := d.mem.from(sp.stream, pos)
		if batches == nil {
			var err error
			if batches, err = d.segmentAt(ctx, sp.stream, s.Kind, pos); err != nil {
				return nil, fmt.Errorf("read %q at %d: %w", s.Path, pos, err)
			}
		}
		if i := search(batches, pos); i < len(batches) {
			return batches[i].cut(s.Kind, sp.end), nil
		}
		break
	}
	return nil, fmt.Errorf("read %q at %d: %w", s.Path, pos, ErrMissing)
}

// segmentAt decodes the segment of a stream that holds a position, a cold one when
// it has left the log.
func (d *DB) segmentAt(ctx context.Context, stream int64, k protocol.Kind, pos int64) ([]*Batch, error) {
	g := new(segment)
	err := g.scan(d.read.QueryRowContext(ctx, segmentAtPosition, stream, pos).Scan)
	if err == nil && g.end > pos {
		err = d.fill(ctx, stream, g)
	} else if err == nil {
		err = ErrMissing
	}
	if errors.Is(err, sql.ErrNoRows) || errors.Is(err, ErrMissing) {
		g, err = d.cold(ctx, stream, Place{ByPosition, pos})
	}
	if err != nil {
		return nil, err
	}
	if g == nil {
		return nil, ErrMissing
	}
	return g.batches(stream, k)
}

// cut returns the batch without what lies at or behind position end.
func (b *Batch) cut(k protocol.Kind, end int64) *Batch {
	if b.End <= end {
		return b
	}
	short := &Batch{
		Stream: b.Stream, Start: b.Start, End: end, First: b.First, Time: b.Time,
		Producer: b.Producer, Closing: b.Closing, seq: b.seq,
	}
	short.Payload.Data = b.Slice(k, b.Start, end)
	if k == protocol.KindJSON {
		short.Payload.Sizes = b.Payload.Sizes[:end-b.Start]
	} else {
		short.Payload.Sizes = []int{len(short.Payload.Data)}
	}
	short.TotalBytes = b.TotalBytes - payloadBytes(b.Payload) + payloadBytes(short.Payload)
	return short
}

// PositionAt returns the position of a stream as it was when its tail was pos:
// what a fork that branches off there inherits.
func (d *DB) PositionAt(ctx context.Context, s *Stream, pos int64) (Position, error) {
	if pos == 0 {
		return Position{}, nil
	}
	// The last byte or message that is inherited decides.
	b, err := d.BatchAt(ctx, s, pos-1)
	if err != nil {
		return Position{}, err
	}
	b = b.cut(s.Kind, pos)
	return Position{Tail: pos, Messages: b.First + int64(b.Payload.Messages()), Bytes: b.TotalBytes}, nil
}
