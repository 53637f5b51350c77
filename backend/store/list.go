package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sort"
	"strings"

	"tailrace/backend/protocol"
)

// Query selects streams for a list. Zero values select everything.
type Query struct {
	// Filter is a glob when it contains a *, else a substring of the path.
	Filter string
	Kind   string // json, text or bytes
	State  string // open, closed, fork or deleted
	System bool   // include system streams
	After  string // only paths behind this one
	Limit  int    // rows to return at most
}

// Page is one page of a list, sorted by path.
type Page struct {
	Streams []Row
	Matched int    // streams that the filter selects, on all pages
	Total   int    // application streams
	Next    string // After of the next page; empty: this is the last one
	Facets  Facets // over all application streams
}

// Facets count streams by kind and by state.
type Facets struct{ JSON, Text, Bytes, Open, Closed, Fork, Deleted int }

// Row is a stream as a list shows it.
type Row struct {
	Stream
	Producers int
	Forks     int // streams that inherit from it directly
}

// brief is what filtering looks at.
type brief struct {
	id                    int64
	path                  string
	kind                  protocol.Kind
	closed, fork, deleted bool
	system                bool
}

func (b brief) state() string {
	switch {
	case b.deleted:
		return "deleted"
	case b.closed:
		return "closed"
	default:
		return "open"
	}
}

func (q Query) matches(b brief) bool {
	switch {
	case b.system && !q.System,
		q.Kind != "" && q.Kind != b.kind.String(),
		q.State == "fork" && !b.fork,
		q.State != "" && q.State != "fork" && q.State != b.state():
		return false
	case strings.Contains(q.Filter, "*"):
		return protocol.MatchGlob(q.Filter, b.path)
	default:
		return strings.Contains(b.path, q.Filter)
	}
}

func (f *Facets) count(b brief) {
	switch b.kind {
	case protocol.KindJSON:
		f.JSON++
	case protocol.KindText:
		f.Text++
	default:
		f.Bytes++
	}
	switch b.state() {
	case "deleted":
		f.Deleted++
	case "closed":
		f.Closed++
	default:
		f.Open++
	}
	if b.fork {
		f.Fork++
	}
}

// List returns a page of streams.
func (d *DB) List(ctx context.Context, q Query) (Page, error) {
	rows, err := d.read.QueryContext(ctx,
		`SELECT id, path, content_type, closed_at IS NOT NULL, source IS NOT NULL, deleted_at IS NOT NULL, system
		FROM streams ORDER BY path`)
	if err != nil {
		return Page{}, fmt.Errorf("list streams: %w", err)
	}
	defer rows.Close()
	var page Page
	var ids []int64
	var last string
	for rows.Next() {
		var b brief
		var contentType string
		if err := rows.Scan(&b.id, &b.path, &contentType, &b.closed, &b.fork, &b.deleted, &b.system); err != nil {
			return Page{}, fmt.Errorf("list streams: %w", err)
		}
		if media, err := protocol.ParseContentType(contentType); err == nil {
			b.kind = protocol.KindOf(media)
		}
		if !b.system {
			page.Total++
			page.Facets.count(b)
		}
		if !q.matches(b) {
			continue
		}
		page.Matched++
		switch {
		case b.path <= q.After && q.After != "":
		case len(ids) < q.Limit:
			ids = append(ids, b.id)
			last = b.path
		default:
			page.Next = last
		}
	}
	if err := rows.Err(); err != nil {
		return Page{}, fmt.Errorf("list streams: %w", err)
	}
	for _, id := range ids {
		row, err := d.Row(ctx, id)
		if err != nil {
			return Page{}, err
		}
		if row != nil { // deleted since
			page.Streams = append(page.Streams, *row)
		}
	}
	return page, nil
}

// Row returns a stream for a list, nil when there is none with this number.
func (d *DB) Row(ctx context.Context, id int64) (*Row, error) {
	// Memory first: what has left it by then is in the row that is read after.
	pos, cached := d.mem.position(id)
	rows, err := d.read.QueryContext(ctx, "SELECT "+streamColumns+`,
		(SELECT count(*) FROM streams f WHERE f.source = streams.id)
		FROM streams WHERE id = ?`, id)
	if err != nil {
		return nil, fmt.Errorf("list stream %d: %w", id, err)
	}
	defer rows.Close()
	if !rows.Next() {
		return nil, rows.Err()
	}
	var r Row
	r.Stream, err = scanStream(func(dest ...any) error { return rows.Scan(append(dest, &r.Forks)...) })
	if err != nil {
		return nil, fmt.Errorf("list stream %d: %w", id, err)
	}
	if cached && pos.Tail >= r.Tail {
		r.Position = pos
	}
	if err := rows.Close(); err != nil {
		return nil, fmt.Errorf("list stream %d: %w", id, err)
	}
	producers, err := d.Producers(ctx, id)
	r.Producers = len(producers)
	return &r, err
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
		var first int64
		err := d.read.QueryRowContext(ctx,
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
