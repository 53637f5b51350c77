package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// applySubscription turns a change of a subscription into rows.
func (c *committer) applySubscription(ctx context.Context, ch *SubscriptionChange) error {
	err := c.changeSubscription(ctx, ch)
	if err != nil {
		return fmt.Errorf("change subscription %q: %w", ch.Sub.ID, err)
	}
	return nil
}

func (c *committer) changeSubscription(ctx context.Context, ch *SubscriptionChange) error {
	switch {
	case ch.Delete:
		return c.deleteSubscription(ctx, ch.Sub)
	case ch.Create:
		if err := c.insertSubscription(ctx, ch.Sub); err != nil {
			return err
		}
	default:
		if err := c.updateSubscription(ctx, ch.Sub); err != nil {
			return err
		}
	}
	for _, a := range ch.Acks {
		if _, err := c.conn.ExecContext(ctx, `UPDATE subscription_links SET incarnation = ?1, position = ?2
				WHERE subscription = ?3 AND path = ?4 AND (incarnation, position) < (?1, ?2)`,
			a.Offset.Incarnation, a.Offset.Position, ch.Sub.Number, a.Path); err != nil {
			return err
		}
	}
	for _, path := range ch.Link {
		c.watch.forgetStream(path)
		at, err := c.tailOf(ctx, path)
		if err == nil {
			err = c.insertLink(ctx, ch.Sub.Number, path, true, at)
		}
		if err != nil {
			return err
		}
	}
	for _, path := range ch.Unlink {
		c.watch.forgetStream(path)
		if err := c.unlink(ctx, ch.Sub.Number, path); err != nil {
			return err
		}
	}
	return nil
}

func (c *committer) insertSubscription(ctx context.Context, s *Subscription) error {
	res, err := c.conn.ExecContext(ctx, `INSERT INTO subscriptions
		(id, type, pattern, webhook_url, wake_stream, lease_ttl, description, config_hash, base_url, own_port, created_at, generation)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		s.ID, s.Type, optional(s.Pattern), optional(s.WebhookURL), optional(s.WakeStream), s.LeaseTTL, optional(s.Description),
		s.ConfigHash, s.BaseURL, s.OwnPort, s.CreatedAt, s.Generation)
	if err != nil {
		return err
	}
	if s.Number, err = res.LastInsertId(); err != nil {
		return err
	}
	c.watch.add(s)
	return c.backfill(ctx, c.watch.all[s.Number])
}

// backfill links the streams that a new subscription's pattern matches, at their
// tails (PROTOCOL §6.2).
func (c *committer) backfill(ctx context.Context, w *watcher) error {
	if w.pattern == "" {
		return nil
	}
	var paths []string
	cursors := map[string]Cursor{}
	rows, err := c.conn.QueryContext(ctx, "SELECT id, path, incarnation, tail FROM streams WHERE system = 0 AND deleted_at IS NULL")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var path string
		var at Cursor
		if err := rows.Scan(&id, &path, &at.Incarnation, &at.Position); err != nil {
			return err
		}
		if !w.matches(path, false) || (w.wakeStream != "" && c.watch.isWakeStream(path)) {
			continue
		}
		paths = append(paths, path)
		cursors[path] = c.newestTail(id, at)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, path := range paths {
		if err := c.insertLink(ctx, w.number, path, false, cursors[path]); err != nil {
			return err
		}
	}
	return nil
}

// tailOf is where a new link to a path begins: at the tail, at zero when there is
// no stream.
func (c *committer) tailOf(ctx context.Context, path string) (Cursor, error) {
	var id int64
	var at Cursor
	err := c.conn.QueryRowContext(ctx, "SELECT id, incarnation, tail FROM streams WHERE path = ? AND deleted_at IS NULL", path).
		Scan(&id, &at.Incarnation, &at.Position)
	if errors.Is(err, sql.ErrNoRows) {
		return Cursor{}, nil
	}
	return c.newestTail(id, at), err
}

// newestTail brings a tail from the table up to date. What other writes of the
// same group append counts as later.
func (c *committer) newestTail(stream int64, at Cursor) Cursor {
	if pos, ok := c.db.mem.position(stream); ok {
		at.Position = pos.Tail
	}
	return at
}

func (c *committer) updateSubscription(ctx context.Context, s *Subscription) error {
	_, err := c.conn.ExecContext(ctx, `UPDATE subscriptions SET base_url = ?, own_port = ?, generation = ?,
		wake_id = ?, snapshot = ?, delivered = ?, attempts = ?, next_attempt = ?, last_error = ?, holder = ?, lease_until = ?
		WHERE number = ?`,
		s.BaseURL, s.OwnPort, s.Generation, optional(s.WakeID), s.Snapshot, s.Delivered, s.Attempts,
		optional(s.NextAttempt), optional(s.LastError), optional(s.Holder), optional(s.LeaseUntil), s.Number)
	return err
}

func (c *committer) deleteSubscription(ctx context.Context, s *Subscription) error {
	for _, step := range []struct {
		query string
		args  []any
	}{
		{"DELETE FROM subscriptions WHERE number = ?", []any{s.Number}},
		{"DELETE FROM subscription_links WHERE subscription = ?", []any{s.Number}},
		// One that never woke anybody leaves nothing to go on counting from.
		{"INSERT OR REPLACE INTO subscription_tombstones (id, generation) SELECT ?1, ?2 WHERE ?2 > 0", []any{s.ID, s.Generation}},
	} {
		if _, err := c.conn.ExecContext(ctx, step.query, step.args...); err != nil {
			return err
		}
	}
	c.watch.remove(s.Number)
	if s.WakeStream == "" {
		return nil
	}
	// What has been a wake stream may wake others from now on.
	watchers, _, err := c.watchersOf(ctx, s.WakeStream)
	c.watch.touch(watchers, s.WakeStream)
	return err
}

// unlink removes an explicit link; the pattern's link to the same path stays.
func (c *committer) unlink(ctx context.Context, subscription int64, path string) error {
	for _, query := range []string{
		"UPDATE subscription_links SET explicit = 0 WHERE subscription = ? AND path = ?",
		"DELETE FROM subscription_links WHERE subscription = ? AND path = ? AND glob = 0 AND explicit = 0",
	} {
		if _, err := c.conn.ExecContext(ctx, query, subscription, path); err != nil {
			return err
		}
	}
	return nil
}

// optional is the column value of something that may be absent.
func optional[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}
