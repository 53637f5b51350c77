package store

import (
	"context"
	"fmt"
)

// Kin is a stream of a family of forks.
type Kin struct {
	ID    int64
	Depth int // 0: the one that all others descend from
}

// Lineage returns the family of a stream, at most limit of it: from its furthest
// source down, each stream followed by its forks. In a larger family, that is the
// stream itself with what it descends from and what descends from it.
func (d *DB) Lineage(ctx context.Context, stream int64, limit int) (family []Kin, whole bool, err error) {
	sources, err := d.kin(ctx, `WITH RECURSIVE up (id, source, depth) AS (
			SELECT id, source, 0 FROM streams WHERE id = ?
			UNION ALL
			SELECT s.id, s.source, depth + 1 FROM streams s JOIN up ON s.id = up.source
		) SELECT id, depth FROM up ORDER BY depth DESC LIMIT ?`, stream, limit)
	if err != nil || len(sources) == 0 {
		return nil, true, err
	}
	for i := range sources {
		sources[i].Depth = i
	}
	family, err = d.descend(ctx, sources[0], limit+1)
	if err != nil || len(family) <= limit {
		return family, true, err
	}
	last := len(sources) - 1
	forks, err := d.descend(ctx, sources[last], limit-last)
	return append(sources[:last:last], forks...), false, err
}

// descend returns a stream and, depth first, what descends from it.
func (d *DB) descend(ctx context.Context, from Kin, limit int) ([]Kin, error) {
	return d.kin(ctx, `WITH RECURSIVE down (id, depth) AS (
			SELECT ?, ?
			UNION ALL
			SELECT s.id, depth + 1 FROM streams s JOIN down ON s.source = down.id ORDER BY 2 DESC, 1
		) SELECT id, depth FROM down LIMIT ?`, from.ID, from.Depth, limit)
}

func (d *DB) kin(ctx context.Context, query string, args ...any) (out []Kin, err error) {
	rows, err := d.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("trace a family of forks: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var k Kin
		if err := rows.Scan(&k.ID, &k.Depth); err != nil {
			return nil, fmt.Errorf("trace a family of forks: %w", err)
		}
		out = append(out, k)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("trace a family of forks: %w", err)
	}
	return out, nil
}
