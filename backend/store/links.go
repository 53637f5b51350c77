package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

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

// links runs linksQuery with more conditions. A tail that is not in memory when
// its row has been read is in the table, unless it was sealed and left memory
// after the query began: then that row's table is looked at again. What comes out
// is at least as new as the call, however busy the log is.
func (d *DB) links(ctx context.Context, more string, args ...any) ([]Link, error) {
	evictions := d.mem.evictions()
	links, uncached, err := d.queryLinks(ctx, linksQuery+" "+more, args)
	if err == nil && evictions != d.mem.evictions() && len(uncached) > 0 {
		err = d.renewTails(ctx, links, uncached)
	}
	if err != nil {
		return nil, fmt.Errorf("load the links of a subscription: %w", err)
	}
	return links, nil
}

const linksQuery = `SELECT l.path, l.glob, l.explicit, l.incarnation, l.position,
		s.id, coalesce(s.incarnation, 0), coalesce(s.tail, 0), s.id IS NOT NULL AND s.deleted_at IS NULL,
		sub.wake_stream IS NOT NULL AND EXISTS (SELECT 1 FROM subscriptions w WHERE w.wake_stream = l.path)
	FROM subscription_links l JOIN subscriptions sub ON sub.number = l.subscription
	LEFT JOIN streams s ON s.path = l.path
	WHERE l.subscription = ?`

// queryLinks also returns which of the links have a tail that comes from the
// table, by the number of their stream.
func (d *DB) queryLinks(ctx context.Context, query string, args []any) (links []Link, uncached map[int64]int, err error) {
	rows, err := d.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	links, uncached = []Link{}, map[int64]int{}
	for rows.Next() {
		var l Link
		var stream sql.NullInt64
		if err := rows.Scan(&l.Path, &l.Glob, &l.Explicit, &l.Acked.Incarnation, &l.Acked.Position,
			&stream, &l.Tail.Incarnation, &l.Tail.Position, &l.Exists, &l.Inert); err != nil {
			return nil, nil, err
		}
		switch pos, cached := d.mem.position(stream.Int64); {
		case !l.Exists:
			l.Tail = protocol.Offset{}
		case cached:
			l.Tail.Position = pos.Tail
		default:
			uncached[stream.Int64] = len(links)
		}
		links = append(links, l)
	}
	return links, uncached, rows.Err()
}

// renewTails reads the tails of some links from the table.
func (d *DB) renewTails(ctx context.Context, links []Link, byStream map[int64]int) error {
	list, err := json.Marshal(slices.Collect(maps.Keys(byStream)))
	if err != nil {
		return err
	}
	rows, err := d.read.QueryContext(ctx, "SELECT id, tail FROM streams WHERE id IN (SELECT value FROM json_each(?))", string(list))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var stream, tail int64
		if err := rows.Scan(&stream, &tail); err != nil {
			return err
		}
		l := &links[byStream[stream]]
		l.Tail.Position = max(l.Tail.Position, tail)
	}
	return rows.Err()
}
