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
}

// ErrMissing: data below a stream's tail is not there. The stream was deleted
// while it was read, or the log is damaged.
var ErrMissing = errors.New("data below the tail is missing")

// Read returns the pieces of a stream from position from up to position to, in
// order. It stops early, at the end of a piece, once it has soft bytes. to must
// not be behind the stream's tail.
func (d *DB) Read(ctx context.Context, s *Stream, from, to int64, soft int) ([]Piece, error) {
	var pieces []Piece
	size := 0
	for progress := from; from < to && size < soft; progress = from {
		// Memory first: what is not there any more is in the segments by now.
		batches := d.mem.from(s.ID, from)
		if batches == nil {
			got, err := d.readSegments(ctx, s, from, to, soft-size)
			if err != nil {
				return nil, err
			}
			for _, p := range got {
				size += len(p.Data)
			}
			pieces = append(pieces, got...)
			from = got[len(got)-1].End
			continue
		}
		for _, b := range batches {
			if from >= to || size >= soft {
				break
			}
			if b.Start == b.End {
				continue
			}
			p := Piece{Start: from, End: min(b.End, to), Data: b.Slice(s.Kind, from, to)}
			pieces = append(pieces, p)
			size += len(p.Data)
			from = p.End
		}
		if from == progress {
			return nil, fmt.Errorf("read %q at %d: %w", s.Path, from, ErrMissing)
		}
	}
	return pieces, nil
}

// segmentsFrom selects the segments that hold the position ?2 of stream ?1 and
// everything behind it.
const segmentsFrom = `SELECT start, "end", first, last_at, meta, data FROM segments
	WHERE stream = ?1 AND start >= (SELECT max(start) FROM segments WHERE stream = ?1 AND %s <= ?2) ORDER BY start`

var (
	segmentsFromPosition = fmt.Sprintf(segmentsFrom, "start")
	segmentsFromOrdinal  = fmt.Sprintf(segmentsFrom, "first")
)

// readSegments reads at least one piece from the segments.
func (d *DB) readSegments(ctx context.Context, s *Stream, from, to int64, soft int) ([]Piece, error) {
	rows, err := d.read.QueryContext(ctx, segmentsFromPosition, s.ID, from)
	if err != nil {
		return nil, fmt.Errorf("read %q at %d: %w", s.Path, from, err)
	}
	defer rows.Close()
	var pieces []Piece
	for size := 0; from < to && size < soft && rows.Next(); {
		var g segment
		if err := g.scan(rows); err != nil {
			return nil, fmt.Errorf("read %q at %d: %w", s.Path, from, err)
		}
		if g.start > from || g.end <= from {
			break
		}
		p := Piece{Start: from, End: min(g.end, to), Data: g.data}
		if p.Start != g.start || p.End != g.end {
			if p.Data, err = g.slice(s, p.Start, p.End); err != nil {
				return nil, fmt.Errorf("read %q at %d: %w", s.Path, from, err)
			}
		}
		pieces = append(pieces, p)
		size += len(p.Data)
		from = p.End
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read %q at %d: %w", s.Path, from, err)
	}
	if len(pieces) == 0 {
		return nil, fmt.Errorf("read %q at %d: %w", s.Path, from, ErrMissing)
	}
	return pieces, nil
}

func (s *segment) scan(rows *sql.Rows) error {
	return rows.Scan(&s.start, &s.end, &s.first, &s.lastAt, &s.meta, &s.data)
}

// slice cuts [from, to) out of a segment.
func (s *segment) slice(stream *Stream, from, to int64) ([]byte, error) {
	if stream.Kind != protocol.KindJSON {
		return s.data[from-s.start : to-s.start], nil
	}
	batches, err := s.batches(stream.ID, stream.Kind)
	if err != nil {
		return nil, err
	}
	whole := protocol.Payload{Data: s.data}
	for _, b := range batches {
		whole.Sizes = append(whole.Sizes, b.Payload.Sizes...)
	}
	return slicePayload(stream.Kind, whole, s.start, from, to), nil
}

// Batches returns the batches that hold the messages with ordinals from up to,
// but not including, to; the first and last one may reach beyond. to must not
// be greater than the stream's number of messages.
func (d *DB) Batches(ctx context.Context, s *Stream, from, to int64) ([]*Batch, error) {
	var out []*Batch
	for next := from; from < to; from = next {
		batches := d.mem.fromOrdinal(s.ID, from)
		if batches == nil {
			var err error
			if batches, err = d.segmentBatches(ctx, s, from, to); err != nil {
				return nil, err
			}
		}
		for _, b := range batches {
			if end := b.First + int64(b.Payload.Messages()); end > next && next < to {
				out = append(out, b)
				next = end
			}
		}
		if next == from {
			return nil, fmt.Errorf("read message %d of %q: %w", from, s.Path, ErrMissing)
		}
	}
	return out, nil
}

// segmentBatches decodes segments from the one that holds message ordinal on,
// until they reach ordinal want.
func (d *DB) segmentBatches(ctx context.Context, s *Stream, ordinal, want int64) ([]*Batch, error) {
	rows, err := d.read.QueryContext(ctx, segmentsFromOrdinal, s.ID, ordinal)
	if err != nil {
		return nil, fmt.Errorf("read messages of %q: %w", s.Path, err)
	}
	defer rows.Close()
	var out []*Batch
	for ordinal < want && rows.Next() {
		var g segment
		if err := g.scan(rows); err != nil {
			return nil, fmt.Errorf("read messages of %q: %w", s.Path, err)
		}
		batches, err := g.batches(s.ID, s.Kind)
		if err != nil {
			return nil, fmt.Errorf("read messages of %q: %w", s.Path, err)
		}
		out = append(out, batches...)
		if n := len(batches); n > 0 {
			ordinal = batches[n-1].First + int64(batches[n-1].Payload.Messages())
		}
	}
	return out, rows.Err()
}
