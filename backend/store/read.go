package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"tailrace/backend/protocol"
)

// Piece is a part of a stream as it goes over the wire: for JSON streams whole
// messages joined by commas. Its data is shared and must not be changed.
type Piece struct {
	Start, End int64 // positions
	Data       []byte
	of         *segment // keeps a large segment for others as long as the piece is held
}

// ErrMissing: data below a stream's tail is not there. The stream was deleted
// while it was read, or the log is damaged.
var ErrMissing = errors.New("data below the tail is missing")

// Read returns the pieces of a stream from position from up to position to, in
// order. It stops early, at the end of a piece, once it has soft bytes. to must
// not be behind the stream's tail.
func (d *DB) Read(ctx context.Context, s *Stream, from, to int64, soft int) ([]Piece, error) {
	r := reading{db: d, kind: s.Kind, from: from, soft: soft}
	for _, sp := range s.spans() {
		if err := r.read(ctx, sp.stream, min(to, sp.end)); err != nil {
			return nil, fmt.Errorf("read %q at %d: %w", s.Path, r.from, err)
		}
	}
	return r.pieces, nil
}

// reading gathers pieces, one stream after the other.
type reading struct {
	db     *DB
	kind   protocol.Kind
	from   int64 // where to go on
	soft   int   // bytes still wanted
	pieces []Piece
}

func (r *reading) add(end int64, data []byte, of *segment) {
	r.pieces = append(r.pieces, Piece{Start: r.from, End: end, Data: data, of: of})
	r.soft -= len(data)
	r.from = end
}

// read adds what one stream holds up to position to.
func (r *reading) read(ctx context.Context, stream, to int64) error {
	for progress := r.from; r.from < to && r.soft > 0; progress = r.from {
		// Memory first: what is not there any more is in the segments by now.
		batches := r.db.mem.from(stream, r.from)
		if batches == nil {
			if err := r.readSegments(ctx, stream, to); err != nil {
				return err
			}
			if r.from == progress {
				if err := r.readCold(ctx, stream, to); err != nil {
					return err
				}
			}
		}
		for _, b := range batches {
			if r.from >= to || r.soft <= 0 {
				break
			}
			if b.Start < b.End {
				r.add(min(b.End, to), b.Slice(r.kind, r.from, to), nil)
			}
		}
		if r.from == progress {
			return ErrMissing
		}
	}
	return nil
}

// segmentsFrom selects the segments that hold the position ?2 of stream ?1 and
// everything behind it.
const segmentsFrom = `SELECT start, "end", first, last_at, meta, %s FROM segments
	WHERE stream = ?1 AND start >= (SELECT max(start) FROM segments WHERE stream = ?1 AND %s <= ?2) ORDER BY start`

// dataUnlessLarge leaves the data of a large segment to [DB.largeSegment]. SQLite
// knows the length without reading it.
const dataUnlessLarge = "CASE WHEN length(data) < 1048576 THEN data END"

var (
	segmentAtPosition    = fmt.Sprintf(segmentsFrom, "data", "start")
	segmentsFromPosition = fmt.Sprintf(segmentsFrom, dataUnlessLarge, "start")
	segmentsFromOrdinal  = fmt.Sprintf(segmentsFrom, dataUnlessLarge, "first")
)

// eachSegment calls f with the segments that a query finds, until f returns false.
// A large one comes alone, after the query has given its connection back: to load
// it takes another one.
func (d *DB) eachSegment(ctx context.Context, query *sql.Stmt, stream, at int64, f func(*segment) (more bool, err error)) error {
	rows, err := query.QueryContext(ctx, stream, at)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		g := new(segment)
		if err := rows.Scan(&g.start, &g.end, &g.first, &g.lastAt, &g.meta, &g.data); err != nil {
			return err
		}
		ref, outside := extentOf(g.meta)
		large := ref.Size >= largeBytes || !outside && g.data == nil && g.start < g.end
		if large {
			if err := rows.Close(); err != nil {
				return err
			}
			if g, err = d.largeSegment(ctx, stream, g.start); err != nil {
				return missingIsNone(err)
			}
		} else if err := d.fill(ctx, stream, g); err != nil {
			return missingIsNone(err)
		}
		if more, err := f(g); err != nil || !more || large {
			return err
		}
	}
	return rows.Err()
}

// readSegments adds what the segments of one stream hold up to position to, or a
// part of it.
func (r *reading) readSegments(ctx context.Context, stream, to int64) error {
	return r.db.eachSegment(ctx, r.db.loads.segments, stream, r.from, func(g *segment) (more bool, err error) {
		return r.take(stream, g, to)
	})
}

// take adds what a segment holds up to position to, and reports whether more is
// wanted of the segments: not what memory has.
func (r *reading) take(stream int64, g *segment, to int64) (more bool, err error) {
	if g.start > r.from || g.end <= r.from {
		return false, nil
	}
	end, data := min(g.end, to), g.data
	if g.start != r.from || g.end != end {
		if data, err = g.slice(stream, r.kind, r.from, end); err != nil {
			return false, err
		}
	}
	r.add(end, data, g)
	return r.from < to && r.soft > 0 && r.db.mem.from(stream, r.from) == nil, nil
}

// missingIsNone lets a segment that was deleted meanwhile be one that is not
// there.
func missingIsNone(err error) error {
	if errors.Is(err, ErrMissing) {
		return nil
	}
	return err
}

// scan reads a row of start, end, first, last_at, meta and data.
func (s *segment) scan(scan func(...any) error) error {
	return scan(&s.start, &s.end, &s.first, &s.lastAt, &s.meta, &s.data)
}

// slice cuts [from, to) out of a segment.
func (s *segment) slice(stream int64, k protocol.Kind, from, to int64) ([]byte, error) {
	if k != protocol.KindJSON {
		return s.data[from-s.start : to-s.start], nil
	}
	batches, err := s.batches(stream, k)
	if err != nil {
		return nil, err
	}
	whole := protocol.Payload{Data: s.data}
	for _, b := range batches {
		whole.Sizes = append(whole.Sizes, b.Payload.Sizes...)
	}
	return slicePayload(k, whole, s.start, from, to), nil
}

// Batches returns the batches that hold the messages with ordinals from up to,
// but not including, to; the first and last one may reach beyond. to must not
// be greater than the stream's number of messages.
func (d *DB) Batches(ctx context.Context, s *Stream, from, to int64) ([]*Batch, error) {
	var out []*Batch
	for _, sp := range s.spans() {
		batches, err := d.ownBatches(ctx, sp.stream, s.Kind, from, min(to, sp.endOrdinal))
		if err != nil {
			return nil, fmt.Errorf("read messages of %q: %w", s.Path, err)
		}
		for _, b := range batches {
			out = append(out, b.cut(s.Kind, sp.end))
		}
		from = max(from, min(to, sp.endOrdinal))
	}
	return out, nil
}

// ownBatches is Batches for what one stream has written itself.
func (d *DB) ownBatches(ctx context.Context, stream int64, k protocol.Kind, from, to int64) ([]*Batch, error) {
	var out []*Batch
	for next := from; from < to; from = next {
		batches := d.mem.fromOrdinal(stream, from)
		var err error
		if batches == nil {
			batches, err = d.segmentBatches(ctx, stream, k, from, to)
		}
		if err == nil && !reaches(batches, from) {
			batches, err = d.coldBatches(ctx, stream, k, Place{ByOrdinal, from})
		}
		if err != nil {
			return nil, err
		}
		for _, b := range batches {
			if b.First > next || next >= to {
				break // what lies between may have gone cold
			}
			if end := b.First + int64(b.Payload.Messages()); end > next {
				out = append(out, b)
				next = end
			}
		}
		if next == from {
			return nil, fmt.Errorf("message %d: %w", from, ErrMissing)
		}
	}
	return out, nil
}

// reaches reports whether batches hold a message and do not end before it.
func reaches(batches []*Batch, ordinal int64) bool {
	if len(batches) == 0 {
		return false
	}
	last := batches[len(batches)-1]
	return batches[0].First <= ordinal && last.First+int64(last.Payload.Messages()) > ordinal
}

// segmentBatches decodes segments from the one that holds message ordinal on,
// until they reach ordinal want, or a large one that is enough for now.
func (d *DB) segmentBatches(ctx context.Context, stream int64, k protocol.Kind, ordinal, want int64) ([]*Batch, error) {
	var out []*Batch
	err := d.eachSegment(ctx, d.loads.segmentsByOrdinal, stream, ordinal, func(g *segment) (more bool, err error) {
		batches, err := g.batches(stream, k)
		if err != nil {
			return false, err
		}
		out = append(out, batches...)
		if n := len(batches); n > 0 {
			ordinal = batches[n-1].First + int64(batches[n-1].Payload.Messages())
		}
		return ordinal < want, nil
	})
	return out, err
}
