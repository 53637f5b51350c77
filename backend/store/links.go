package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"tailrace/backend/protocol"
)

// Links returns the streams of a subscription, sorted by path.
func (d *DB) Links(ctx context.Context, subscription int64) ([]Link, error) {
	return d.links(ctx, "ORDER BY l.path", subscription)
}

// FirstLinks returns the first streams of a subscription by path.
func (d *DB) FirstLinks(ctx context.Context, subscription int64, limit int) ([]Link, error) {
	return d.links(ctx, "ORDER BY l.path LIMIT ?", subscription, limit)
}

// LinksTo returns those streams of a subscription that are among paths, sorted.
func (d *DB) LinksTo(ctx context.Context, subscription int64, paths []string) ([]Link, error) {
	list, err := json.Marshal(paths)
	if err != nil {
		return nil, err
	}
	return d.links(ctx, "AND l.path IN (SELECT value FROM json_each(?)) ORDER BY l.path", subscription, string(list))
}

// links runs linksQuery with more conditions until no tail can have slipped
// through: one that is not in memory is in the table, unless it was sealed and
// left memory between the two looks.
func (d *DB) links(ctx context.Context, more string, args ...any) ([]Link, error) {
	for {
		evictions := d.mem.evictions()
		links, err := d.linksOnce(ctx, linksQuery+" "+more, args)
		if err != nil {
			return nil, fmt.Errorf("load the links of a subscription: %w", err)
		}
		if evictions == d.mem.evictions() {
			return links, nil
		}
	}
}

const linksQuery = `SELECT l.path, l.glob, l.explicit, l.incarnation, l.position,
		s.id, coalesce(s.incarnation, 0), coalesce(s.tail, 0), s.id IS NOT NULL AND s.deleted_at IS NULL,
		sub.wake_stream IS NOT NULL AND EXISTS (SELECT 1 FROM subscriptions w WHERE w.wake_stream = l.path)
	FROM subscription_links l JOIN subscriptions sub ON sub.number = l.subscription
	LEFT JOIN streams s ON s.path = l.path
	WHERE l.subscription = ?`

func (d *DB) linksOnce(ctx context.Context, query string, args []any) ([]Link, error) {
	rows, err := d.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	links := []Link{}
	for rows.Next() {
		var l Link
		var stream sql.NullInt64
		if err := rows.Scan(&l.Path, &l.Glob, &l.Explicit, &l.Acked.Incarnation, &l.Acked.Position,
			&stream, &l.Tail.Incarnation, &l.Tail.Position, &l.Exists, &l.Inert); err != nil {
			return nil, err
		}
		switch pos, cached := d.mem.position(stream.Int64); {
		case !l.Exists:
			l.Tail = protocol.Offset{}
		case cached:
			l.Tail.Position = pos.Tail
		}
		links = append(links, l)
	}
	return links, rows.Err()
}
