package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"tailrace/backend/protocol"
)

// Types of subscriptions (PROTOCOL §6.2).
const (
	TypeWebhook  = "webhook"
	TypePullWake = "pull-wake"
)

// Subscription is a durable cursor over streams and the wake in flight, if there
// is one (PROTOCOL §6). Empty strings and zeros are what is absent.
type Subscription struct {
	Number      int64 // never used again, unlike the id
	ID          string
	Type        string
	Pattern     string
	WebhookURL  string
	WakeStream  string
	LeaseTTL    int64 // milliseconds
	Description string
	ConfigHash  []byte
	// BaseURL is the origin under which the creator reached the server; OwnPort
	// tells that its port was the one the server listened on.
	BaseURL   string
	OwnPort   bool
	CreatedAt int64 // unix milliseconds

	Generation int64
	Wake
}

// Wake is the wake in flight. The zero Wake means that the subscription is idle.
type Wake struct {
	WakeID   string
	Snapshot []byte // what the webhook is told, as JSON
	// Delivered: the webhook has taken the wake. Attempts counts the deliveries
	// that have failed; the next one is due at NextAttempt.
	Delivered   bool
	Attempts    int64
	NextAttempt int64
	LastError   string
	Holder      string // the worker that has claimed the wake
	LeaseUntil  int64
}

// Cursor is how far a stream has been processed.
type Cursor struct {
	Incarnation int64
	Position    int64 // BeforeFirst: nothing yet
}

// BeforeFirst sorts below every position.
const BeforeFirst = -1

// Link is a stream of a subscription together with the state of the stream.
type Link struct {
	Path           string
	Glob, Explicit bool
	Acked          Cursor
	// Exists is false when there is no stream at the path that takes requests; Tail
	// is its end.
	Exists bool
	Tail   protocol.Offset
	// Inert: the subscription writes to a wake stream, and this is one. Waking for
	// it could go on for ever.
	Inert bool
}

// Pending reports whether the stream has something behind the cursor. A cursor
// into an earlier stream at the path is before the start of this one.
func (l *Link) Pending() bool {
	if !l.Exists || l.Inert {
		return false
	}
	if l.Acked.Incarnation == l.Tail.Incarnation {
		return l.Tail.Position > max(l.Acked.Position, 0)
	}
	return l.Acked.Incarnation < l.Tail.Incarnation && l.Tail.Position > 0
}

// SubscriptionChange is an atomic change of one subscription. Except for what
// Create and Delete imply, it writes the row as Sub tells and moves cursors.
type SubscriptionChange struct {
	// Sub is the subscription as it stands after the change. With Create, Commit
	// sets its Number, and existing streams that the pattern matches are linked at
	// their tails.
	Sub            *Subscription
	Create, Delete bool
	// Link are paths to link explicitly, at their tails; Unlink loses its explicit
	// link.
	Link, Unlink []string
	// Acks move cursors forward; one that would move its cursor back is ignored.
	Acks []Ack
}

// Ack moves the cursor of a linked stream.
type Ack struct {
	Path   string
	Offset protocol.Offset
}

const subscriptionColumns = `number, id, type, pattern, webhook_url, wake_stream, lease_ttl, description,
	config_hash, base_url, own_port, created_at, generation, wake_id, snapshot, delivered, attempts,
	next_attempt, last_error, holder, lease_until`

func scanSubscription(scan func(...any) error) (*Subscription, error) {
	var s Subscription
	var pattern, webhook, wakeStream, description, wakeID, lastError, holder sql.NullString
	var nextAttempt, leaseUntil sql.NullInt64
	err := scan(&s.Number, &s.ID, &s.Type, &pattern, &webhook, &wakeStream, &s.LeaseTTL, &description,
		&s.ConfigHash, &s.BaseURL, &s.OwnPort, &s.CreatedAt, &s.Generation, &wakeID, &s.Snapshot, &s.Delivered,
		&s.Attempts, &nextAttempt, &lastError, &holder, &leaseUntil)
	if err != nil {
		return nil, err
	}
	s.Pattern, s.WebhookURL, s.WakeStream, s.Description = pattern.String, webhook.String, wakeStream.String, description.String
	s.WakeID, s.NextAttempt, s.LastError = wakeID.String, nextAttempt.Int64, lastError.String
	s.Holder, s.LeaseUntil = holder.String, leaseUntil.Int64
	return &s, nil
}

// Subscription returns the subscription with an id. When there is none it
// returns [protocol.ErrNotFound] and the last generation that ever had the id.
func (d *DB) Subscription(ctx context.Context, id string) (s *Subscription, generation int64, err error) {
	s, err = scanSubscription(d.read.QueryRowContext(ctx, "SELECT "+subscriptionColumns+" FROM subscriptions WHERE id = ?", id).Scan)
	if err == nil {
		return s, s.Generation, nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return nil, 0, fmt.Errorf("load subscription %q: %w", id, err)
	}
	err = d.read.QueryRowContext(ctx, "SELECT generation FROM subscription_tombstones WHERE id = ?", id).Scan(&generation)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, 0, fmt.Errorf("load subscription %q: %w", id, err)
	}
	return nil, generation, protocol.ErrNotFound
}

// SubscriptionIDs returns the ids of all subscriptions.
func (d *DB) SubscriptionIDs(ctx context.Context) (ids []string, err error) {
	rows, err := d.read.QueryContext(ctx, "SELECT id FROM subscriptions ORDER BY id")
	if err != nil {
		return nil, fmt.Errorf("list subscriptions: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("list subscriptions: %w", err)
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// SubscriptionRow is a subscription with the number of its streams.
type SubscriptionRow struct {
	Subscription
	Links int
}

// Subscriptions returns all subscriptions, sorted by id.
func (d *DB) Subscriptions(ctx context.Context) (list []SubscriptionRow, err error) {
	rows, err := d.read.QueryContext(ctx, "SELECT "+subscriptionColumns+`,
		(SELECT count(*) FROM subscription_links l WHERE l.subscription = number) FROM subscriptions ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("list subscriptions: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r SubscriptionRow
		s, err := scanSubscription(func(dest ...any) error { return rows.Scan(append(dest, &r.Links)...) })
		if err != nil {
			return nil, fmt.Errorf("list subscriptions: %w", err)
		}
		r.Subscription = *s
		list = append(list, r)
	}
	return list, rows.Err()
}

// CountLinks is the number of streams of a subscription.
func (d *DB) CountLinks(ctx context.Context, subscription int64) (n int, err error) {
	err = d.read.QueryRowContext(ctx, "SELECT count(*) FROM subscription_links WHERE subscription = ?", subscription).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count the streams of a subscription: %w", err)
	}
	return n, nil
}

// IsWakeStream reports whether a subscription writes its wakes to a path.
func (d *DB) IsWakeStream(ctx context.Context, path string) (is bool, err error) {
	err = d.read.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM subscriptions WHERE wake_stream = ?)", path).Scan(&is)
	if err != nil {
		return false, fmt.Errorf("look for wake streams: %w", err)
	}
	return is, nil
}
