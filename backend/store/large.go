package store

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"sync"
	"weak"
)

// largeBytes is from where on a segment is large. Sealing ends segments long
// before, but one append can have up to the body limit.
const largeBytes = 1 << 20

// largeSegments lets all who read a large segment at the same time share it: a
// hundred slow readers of one large message hold it once. It keeps no segment
// alive itself; the pieces that are cut from it do.
type largeSegments struct {
	mu    sync.Mutex
	loads map[largeKey]*largeLoad
}

type largeKey struct{ stream, start int64 }

type largeLoad struct {
	done    chan struct{} // closed once loaded, or failed
	segment weak.Pointer[segment]
}

// get returns a segment that somebody holds, or is just loading, else it loads it.
func (l *largeSegments) get(ctx context.Context, key largeKey, load func() (*segment, error)) (*segment, error) {
	for {
		mine, first := l.join(key)
		if first {
			g, err := load()
			mine.segment = weak.Make(g)
			close(mine.done)
			if err != nil {
				l.leave(key, mine)
			} else {
				// Looking which are gone would make the collector keep those that are not.
				runtime.AddCleanup(g, func(load *largeLoad) { l.leave(key, load) }, mine)
			}
			return g, err
		}
		select {
		case <-mine.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if g := mine.segment.Value(); g != nil {
			return g, nil
		}
		l.leave(key, mine) // it could not be loaded, or nobody has it any more
	}
}

// join returns the load of a segment, and whether the caller is to do it.
func (l *largeSegments) join(key largeKey) (_ *largeLoad, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if there := l.loads[key]; there != nil {
		return there, false
	}
	mine := &largeLoad{done: make(chan struct{})}
	if l.loads == nil {
		l.loads = map[largeKey]*largeLoad{}
	}
	l.loads[key] = mine
	return mine, true
}

func (l *largeSegments) leave(key largeKey, load *largeLoad) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.loads[key] == load {
		delete(l.loads, key)
	}
}

// largeSegment returns the large segment of a stream that begins at start.
func (d *DB) largeSegment(ctx context.Context, stream, start int64) (*segment, error) {
	return d.large.get(ctx, largeKey{stream, start}, func() (*segment, error) {
		var g segment
		// Others wait for it, too: it does not end with one of them.
		ctx := context.WithoutCancel(ctx)
		err := g.scan(d.read.QueryRowContext(ctx, segmentAtPosition, stream, start).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			err = ErrMissing // deleted meanwhile
		}
		if err == nil {
			err = d.fill(ctx, stream, &g)
		}
		if err != nil {
			return nil, err
		}
		return &g, nil
	})
}
