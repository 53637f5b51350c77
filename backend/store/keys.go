package store

import (
	"context"
	"fmt"
)

// Uses of a key.
const (
	KeySign  = "sig"
	KeyToken = "token"
)

// Key is a secret of the subscription delivery.
type Key struct {
	ID        string
	Use       string
	Secret    []byte // nil: retired
	Public    []byte
	CreatedAt int64
	RetiredAt int64 // 0: in use
}

// KeyChange puts a key in the place of the one with the same use. The old one
// loses its secret; keys that were retired at or before Forget are removed.
type KeyChange struct {
	New    Key
	Forget int64
}

// Keys returns all keys, newest first.
func (d *DB) Keys(ctx context.Context) ([]Key, error) {
	rows, err := d.read.QueryContext(ctx,
		"SELECT kid, use, secret, public, created_at, coalesce(retired_at, 0) FROM subscription_keys ORDER BY created_at DESC, kid")
	if err != nil {
		return nil, fmt.Errorf("load keys: %w", err)
	}
	defer rows.Close()
	var keys []Key
	for rows.Next() {
		var k Key
		if err := rows.Scan(&k.ID, &k.Use, &k.Secret, &k.Public, &k.CreatedAt, &k.RetiredAt); err != nil {
			return nil, fmt.Errorf("load keys: %w", err)
		}
		keys = append(keys, k)
	}
	return keys, rows.Err()
}

// applyKey turns a key change into rows.
func (c *committer) applyKey(ctx context.Context, k *KeyChange) error {
	n := k.New
	for _, step := range []struct {
		query string
		args  []any
	}{
		{"DELETE FROM subscription_keys WHERE use = ? AND retired_at <= ?", []any{n.Use, k.Forget}},
		{"UPDATE subscription_keys SET retired_at = ?, secret = NULL WHERE use = ? AND retired_at IS NULL", []any{n.CreatedAt, n.Use}},
		{"INSERT INTO subscription_keys (kid, use, secret, public, created_at) VALUES (?, ?, ?, ?, ?)", []any{n.ID, n.Use, n.Secret, n.Public, n.CreatedAt}},
	} {
		if _, err := c.conn.ExecContext(ctx, step.query, step.args...); err != nil {
			return fmt.Errorf("change key: %w", err)
		}
	}
	return nil
}
