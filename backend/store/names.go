package store

import (
	"context"
	"hash/maphash"
	"sync"
)

// names knows which paths have or had a stream, by a hash of each, so that the
// creation of a stream at a new path needs no look into the database. A path may
// be taken for a known one, never the other way round.
type names struct {
	mu     sync.RWMutex
	seed   maphash.Seed
	hashes map[uint64]struct{}
}

func (n *names) add(path string) {
	n.mu.Lock()
	n.hashes[maphash.String(n.seed, path)] = struct{}{}
	n.mu.Unlock()
}

// unknown reports whether there never was a stream at a path.
func (n *names) unknown(path string) bool {
	n.mu.RLock()
	_, ok := n.hashes[maphash.String(n.seed, path)]
	n.mu.RUnlock()
	return !ok
}

func (n *names) load(ctx context.Context, d *DB) error {
	n.seed, n.hashes = maphash.MakeSeed(), map[uint64]struct{}{}
	rows, err := d.read.QueryContext(ctx, "SELECT path FROM streams UNION ALL SELECT path FROM tombstones")
	if err != nil {
		return err
	}
	defer rows.Close()
	var path string
	for rows.Next() {
		if err := rows.Scan(&path); err != nil {
			return err
		}
		n.add(path)
	}
	return rows.Err()
}
