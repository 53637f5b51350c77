package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sort"

	"tailrace/backend/protocol"
)

// Brief is what filtering, sorting and counting streams look at.
type Brief struct {
	ID           int64
	Path         string
	Incarnation  int64
	Kind         protocol.Kind
	Closed       bool
	Fork         bool
	Deleted      bool // softly: kept for its forks
	System       bool
	CreatedAt    int64
	LastAppendAt int64
	Messages     int64
	Bytes        int64
}

// Briefs returns all streams, sorted by path.
func (d *DB) Briefs(ctx context.Context) ([]Brief, error) {
	rows, err := d.read.QueryContext(ctx,
		`SELECT id, path, incarnation, content_type, closed_at IS NOT NULL, source IS NOT NULL, deleted_at IS NOT NULL, system,
			created_at, coalesce(last_append_at, 0), messages, bytes
		FROM streams ORDER BY path`)
	if err != nil {
		return nil, fmt.Errorf("list streams: %w", err)
	}
	defer rows.Close()
	var out []Brief
	for rows.Next() {
		var b Brief
		var contentType string
		if err := rows.Scan(&b.ID, &b.Path, &b.Incarnation, &contentType, &b.Closed, &b.Fork, &b.Deleted, &b.System,
			&b.CreatedAt, &b.LastAppendAt, &b.Messages, &b.Bytes); err != nil {
			return nil, fmt.Errorf("list streams: %w", err)
		}
		if media, err := protocol.ParseContentType(contentType); err == nil {
			b.Kind = protocol.KindOf(media)
		}
		if pos, ok := d.mem.position(b.ID); ok && pos.Messages > b.Messages {
			b.Messages, b.Bytes, b.LastAppendAt = pos.Messages, pos.Bytes, pos.LastAppendAt
		}
		out = append(out, b)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list streams: %w", err)
	}
	return out, nil
}

// Row is a stream as a list shows it.
type Row struct {
	Stream
	Producers int
	Forks     int   // streams that inherit from it directly
	ColdEnd   int64 // up to which position it is read from snapshots
}

// Row returns a stream for a list, nil when there is none with this number.
func (d *DB) Row(ctx context.Context, id int64) (*Row, error) {
	// Memory first: what has left it by then is in the row that is read after.
	pos, cached := d.mem.position(id)
	some := len(d.mem.producers(id)) > 0
	var r Row
	var err error
	r.Stream, err = scanStream(func(dest ...any) error {
		return d.loads.row.QueryRowContext(ctx, id).Scan(append(dest, &r.Producers, &r.Forks, &r.ColdEnd)...)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("list stream %d: %w", id, err)
	}
	if cached && pos.Tail >= r.Tail {
		r.Position = pos
	}
	if some { // of which the table may lack those that are not sealed
		producers, err := d.Producers(ctx, id)
		if err != nil {
			return nil, err
		}
		r.Producers = len(producers)
	}
	return &r, nil
}

// Count is the number of application streams.
func (d *DB) Count(ctx context.Context) (n int, err error) {
	if err := d.read.QueryRowContext(ctx, "SELECT count(*) FROM streams WHERE system = 0 AND deleted_at IS NULL").Scan(&n); err != nil {
		return 0, fmt.Errorf("count streams: %w", err)
	}
	return n, nil
}

// SeekTime returns the ordinal of the first message written at or after a time
// in unix milliseconds; the number of messages when there is none. Times of one
// stream may step back with the system clock; the search takes them as sorted.
func (d *DB) SeekTime(ctx context.Context, s *Stream, at int64) (int64, error) {
	from := int64(0)
	for _, sp := range s.spans() {
		ordinal, ok, err := d.seekOwn(ctx, sp.stream, s.Kind, at)
		if err != nil {
			return 0, fmt.Errorf("seek %q: %w", s.Path, err)
		}
		if ok && ordinal < sp.endOrdinal {
			return max(from, ordinal), nil
		}
		from = sp.endOrdinal
	}
	return s.Messages, nil
}

// seekOwn is SeekTime for what one stream has written itself; false: nothing as
// late as that.
func (d *DB) seekOwn(ctx context.Context, stream int64, k protocol.Kind, at int64) (ordinal int64, ok bool, err error) {
	// Memory first: what has left it by then is in the segments that are read after.
	cached := d.mem.all(stream)
	if len(cached) == 0 || cached[0].Time >= at {
		cold, err := d.coldBatches(ctx, stream, k, Place{ByTime, at})
		if err != nil {
			return 0, false, err
		}
		if first, ok := firstSince(cold, at); ok {
			return first, true, nil
		}
		var first int64
		err = d.read.QueryRowContext(ctx,
			"SELECT first FROM segments WHERE stream = ? AND last_at >= ? ORDER BY start LIMIT 1", stream, at).Scan(&first)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return 0, false, err
		}
		if err == nil {
			sealed, err := d.segmentBatches(ctx, stream, k, first, first+1)
			if err != nil {
				return 0, false, err
			}
			if first, ok := firstSince(sealed, at); ok {
				return first, true, nil
			}
		}
	}
	ordinal, ok = firstSince(cached, at)
	return ordinal, ok, nil
}

// firstSince returns the ordinal at which the first batch of a time or later
// begins.
func firstSince(batches []*Batch, at int64) (ordinal int64, ok bool) {
	i := sort.Search(len(batches), func(i int) bool { return batches[i].Time >= at })
	if i == len(batches) {
		return 0, false
	}
	return batches[i].First, true
}

// SeekPosition returns the ordinal of the message that holds a position or, when
// none does, of the next one; the number of messages behind the tail.
func (d *DB) SeekPosition(ctx context.Context, s *Stream, pos int64) (int64, error) {
	if pos >= s.Tail {
		return s.Messages, nil
	}
	if s.Kind == protocol.KindJSON {
		return pos, nil
	}
	b, err := d.BatchAt(ctx, s, pos)
	if err != nil {
		return 0, err
	}
	return b.First, nil
}
