package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"tailrace/backend/protocol"
)

// Stream is everything that is kept about a stream besides its data.
type Stream struct {
	ID          int64
	Path        string
	Incarnation int64
	ContentType string // as the creator spelled it
	Kind        protocol.Kind
	System      bool
	CreatedAt   int64 // unix milliseconds
	Expiry      protocol.Expiry
	// Deadline is when the stream expires if nobody touches it, in unix
	// milliseconds; 0: never. For a sliding TTL the stored value may lag behind
	// the touches of the last moments (see engine).
	Deadline int64
	Closed   bool
	ClosedAt int64
	ClosedBy *protocol.Producer // the triple of the closing request, if it had one
	Deleted  bool               // soft-deleted: only its forks still read it
	Fork     *Fork              // nil: not a fork

	Position

	// lineage is where the positions before Fork.Base lie.
	lineage []span
}

// Fork is where a stream branches off its source (PROTOCOL §4.2).
type Fork struct {
	Source       int64 // number of the source stream
	Base         int64 // first position that is the fork's own
	BaseMessages int64 // messages before Base; the last one may be cut by it
	// As the client asked for it, to recognise the same request again. Offset is
	// empty when it was left out.
	From      string // decoded path
	Offset    string
	SubOffset int64
}

// Position is how far a stream has been written. An append changes nothing else
// about its stream.
type Position struct {
	Tail         int64
	Messages     int64
	Bytes        int64
	LastAppendAt int64 // unix milliseconds, 0: nothing was appended yet
	StreamSeq    string
}

// Place sets where in a stream of kind k a batch lies, directly behind p, and
// returns the position behind it.
func (p Position) Place(k protocol.Kind, b *Batch) Position {
	b.Start = p.Tail
	b.End = p.Tail + b.Payload.Length(k)
	b.First = p.Messages
	b.TotalBytes = p.Bytes + payloadBytes(b.Payload)
	return p.after(b)
}

// after returns the position behind a batch that has its place.
func (p Position) after(b *Batch) Position {
	p.Tail = b.End
	p.Messages = b.First + int64(b.Payload.Messages())
	p.Bytes = b.TotalBytes
	if b.Payload.Messages() > 0 {
		p.LastAppendAt = b.Time
	}
	if b.StreamSeq != "" {
		p.StreamSeq = b.StreamSeq
	}
	return p
}

// Producer is the last accepted request of a producer id.
type Producer struct {
	protocol.Producer
	LastAppendAt int64 // unix milliseconds
}

// newer reports whether p supersedes q.
func (p Producer) newer(q Producer) bool {
	return p.Epoch > q.Epoch || (p.Epoch == q.Epoch && p.Seq >= q.Seq)
}

const streamColumns = `id, path, incarnation, content_type, system, created_at, ttl, expires_at, deadline,
	closed_at, closed_by, closed_by_epoch, closed_by_seq, deleted_at,
	source, base, base_messages, forked_from, fork_offset, fork_sub_offset,
	tail, messages, bytes, last_append_at, stream_seq`

// scanStream reads a row of streamColumns.
func scanStream(scan func(...any) error) (Stream, error) {
	var s Stream
	var ttl, deadline, closedAt, epoch, seq, deletedAt, lastAppend, source, subOffset sql.NullInt64
	var expires, closedBy, streamSeq, forkedFrom, forkOffset sql.NullString
	var f Fork
	err := scan(&s.ID, &s.Path, &s.Incarnation, &s.ContentType, &s.System, &s.CreatedAt, &ttl, &expires, &deadline,
		&closedAt, &closedBy, &epoch, &seq, &deletedAt,
		&source, &f.Base, &f.BaseMessages, &forkedFrom, &forkOffset, &subOffset,
		&s.Tail, &s.Messages, &s.Bytes, &lastAppend, &streamSeq)
	if err != nil {
		return Stream{}, err
	}
	media, err := protocol.ParseContentType(s.ContentType)
	if err != nil {
		return Stream{}, fmt.Errorf("stream %d: %w", s.ID, err)
	}
	s.Kind = protocol.KindOf(media)
	// The values were valid when they were stored.
	s.Expiry, err = protocol.ParseExpiry(fmt.Sprint(ttl.Int64), ttl.Valid, expires.String, expires.Valid)
	if err != nil {
		return Stream{}, fmt.Errorf("stream %d: %w", s.ID, err)
	}
	s.Deadline = deadline.Int64
	s.Closed, s.ClosedAt = closedAt.Valid, closedAt.Int64
	if closedBy.Valid {
		s.ClosedBy = &protocol.Producer{ID: closedBy.String, Epoch: epoch.Int64, Seq: seq.Int64}
	}
	s.Deleted = deletedAt.Valid
	if source.Valid {
		f.Source, f.From, f.Offset, f.SubOffset = source.Int64, forkedFrom.String, forkOffset.String, subOffset.Int64
		s.Fork = &f
	}
	s.LastAppendAt = lastAppend.Int64
	s.StreamSeq = streamSeq.String
	return s, nil
}

// Load returns the stream at a path as of the last commit. When there is none it
// returns [protocol.ErrNotFound] and the incarnation that a new stream there
// must have.
func (d *DB) Load(ctx context.Context, path string) (s Stream, next int64, err error) {
	if d.names.unknown(path) {
		return Stream{}, 0, protocol.ErrNotFound
	}
	// What is not in memory at the first look was sealed before the second one,
	// so that row is complete.
	for range 2 {
		row := d.loads.stream.QueryRowContext(ctx, path)
		s, err = scanStream(row.Scan)
		if errors.Is(err, sql.ErrNoRows) {
			if next, err = d.nextIncarnation(ctx, path); err == nil {
				err = protocol.ErrNotFound
			}
			return Stream{}, next, err
		}
		if err != nil {
			return Stream{}, 0, fmt.Errorf("load %q: %w", path, err)
		}
		if pos, ok := d.mem.position(s.ID); ok {
			s.Position = pos
			break
		}
	}
	return s, 0, d.Trace(ctx, &s)
}

func (d *DB) nextIncarnation(ctx context.Context, path string) (int64, error) {
	last, err := d.lastAt(ctx, path)
	if last == nil {
		return 0, err
	}
	return last.incarnation + 1, nil
}

// tombstone tells of the streams that lived at a path: the highest incarnation of
// all, and what the last one was when it went.
type tombstone struct{ incarnation, createdAt, tail int64 }

// lastAt returns the tombstone of a path; nil: no stream was deleted there.
func (d *DB) lastAt(ctx context.Context, path string) (*tombstone, error) {
	var t tombstone
	err := d.loads.tombstone.QueryRowContext(ctx, path).Scan(&t.incarnation, &t.createdAt, &t.tail)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("load %q: %w", path, err)
	}
	return &t, nil
}

// Producers returns the state of every producer that has written to a stream, in
// no particular order.
func (d *DB) Producers(ctx context.Context, stream int64) ([]Producer, error) {
	// Memory first: what leaves it meanwhile is in the table when that is read.
	newest := d.mem.producers(stream)
	rows, err := d.loads.producers.QueryContext(ctx, stream)
	if err != nil {
		return nil, fmt.Errorf("load producers: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var p Producer
		if err := rows.Scan(&p.ID, &p.Epoch, &p.Seq, &p.LastAppendAt); err != nil {
			return nil, fmt.Errorf("load producers: %w", err)
		}
		if have, ok := newest[p.ID]; !ok || p.newer(have) {
			newest[p.ID] = p
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("load producers: %w", err)
	}
	out := make([]Producer, 0, len(newest))
	for _, p := range newest {
		out = append(out, p)
	}
	return out, nil
}

// Due returns the paths of up to limit streams whose stored deadline has come,
// oldest first, and how many milliseconds are left until the next one (a minute
// at most). Sliding deadlines are compared with steady, absolute ones with wall.
func (d *DB) Due(ctx context.Context, steady, wall int64, limit int) (paths []string, wait int64, err error) {
	const minute = 60_000
	rows, err := d.read.QueryContext(ctx, `SELECT path, deadline - iif(ttl IS NULL, ?1, ?2) AS left FROM streams
		WHERE deadline IS NOT NULL AND deadline < max(?1, ?2) + ?3 ORDER BY deadline`, wall, steady, minute)
	if err != nil {
		return nil, 0, fmt.Errorf("find expired streams: %w", err)
	}
	defer rows.Close()
	wait = minute
	for rows.Next() {
		var path string
		var left int64
		if err := rows.Scan(&path, &left); err != nil {
			return nil, 0, fmt.Errorf("find expired streams: %w", err)
		}
		if left > 0 {
			wait = min(wait, left)
			continue
		}
		if paths = append(paths, path); len(paths) == limit {
			return paths, 0, nil
		}
	}
	return paths, wait, rows.Err()
}
