package snapshot

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// CompactRequest says which streams shall be read from snapshots, so that the log
// can let go of them.
type CompactRequest struct {
	Streams string        // a path or a glob
	Older   time.Duration // only what was written so long ago; 0: all
	Larger  int64         // only where so much is freed, in bytes
	// To is where snapshots are taken of what none holds yet; without it such streams
	// stay as they are. The server reads from there later, with keys of its own.
	To       Where
	Compress bool
}

// Compaction is what becomes of a stream.
type Compaction struct {
	Path        string
	Incarnation int64
	Start, End  int64 // positions that the log lets go of
	Bytes       int64 // that they take there
	// Locations are the files that hold them; none yet: a snapshot is taken first.
	Locations []string
	Reason    string // why it stays as it is

	err    error
	stream store.Stream
}

// check refuses requests that cannot be right.
func (r *CompactRequest) check(m *Manager) error {
	if r.To == (Where{}) {
		return nil
	}
	if r.To.Place.Keys != nil {
		return &RequestError{errors.New("the server itself reads from there later: give it the keys, or name a target of its configuration")}
	}
	_, err := m.open(&r.To)
	return err
}

// PlanCompact tells what a compaction would do.
func (m *Manager) PlanCompact(ctx context.Context, r CompactRequest) ([]Compaction, error) {
	if err := r.check(m); err != nil {
		return nil, err
	}
	briefs, err := m.o.Store.Briefs(ctx)
	if err != nil {
		return nil, err
	}
	plan := []Compaction{}
	found := false
	until := int64(math.MaxInt64)
	if r.Older > 0 {
		until = m.o.Now().Add(-r.Older).UnixMilli()
	}
	for _, b := range briefs {
		if b.System || b.Deleted || !protocol.MatchGlob(r.Streams, b.Path) {
			continue
		}
		found = true
		if b.Bytes+64*b.Messages < max(r.Larger, 1) {
			continue // whatever the log needs besides, it is too little
		}
		c, err := m.planOne(ctx, b.Path, until, &r)
		if err != nil {
			return nil, err
		}
		if c != nil && c.Bytes >= max(r.Larger, 1) {
			plan = append(plan, *c)
		}
	}
	if !found && !strings.Contains(r.Streams, "*") {
		return nil, protocol.ErrNotFound
	}
	return plan, nil
}

// planOne plans for one stream; nil: there is nothing to do, or it is gone.
func (m *Manager) planOne(ctx context.Context, path string, until int64, r *CompactRequest) (*Compaction, error) {
	s, _, err := m.o.Store.Load(ctx, path)
	if errors.Is(err, protocol.ErrNotFound) || s.Deleted {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	hot, err := m.o.Store.HotBefore(ctx, &s, until)
	if err != nil || hot.Start == hot.End {
		return nil, err
	}
	c := &Compaction{Path: path, Incarnation: s.Incarnation, Start: hot.Start, End: hot.End, Bytes: hot.Bytes, stream: s}
	files, err := m.covering(ctx, c, &r.To)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		c.Locations = append(c.Locations, joinLocation(f.Place, f.Key))
	}
	if len(files) == 0 && r.To == (Where{}) {
		c.fail(&RequestError{errors.New("no snapshot holds it; name a place where one shall be taken")})
	}
	return c, nil
}

// fail says why a stream stays as it is.
func (c *Compaction) fail(err error) {
	if c.err = err; err != nil {
		c.Reason = err.Error()
	}
}

// covering finds recorded snapshots that together hold a range, in order; none: it
// is not covered. With to, only those that lie there count.
func (m *Manager) covering(ctx context.Context, c *Compaction, to *Where) ([]store.Snapshot, error) {
	all, err := m.o.Store.Snapshots(ctx, c.Path)
	if err != nil {
		return nil, err
	}
	place := ""
	if *to != (Where{}) {
		b, err := m.open(to)
		if err != nil {
			return nil, err
		}
		place = placeOf(b)
	}
	var files []store.Snapshot
	for pos := c.Start; pos < c.End; {
		var best *store.Snapshot
		for i := range all {
			s := &all[i]
			if s.Incarnation == c.Incarnation && s.Start <= pos && s.End > pos && (place == "" || s.Place == place) && (best == nil || s.End > best.End) {
				best = s
			}
		}
		if best == nil {
			return nil, nil
		}
		files, pos = append(files, *best), best.End
	}
	return files, nil
}

// Compact has streams read from snapshots and lets the log go of them, as a job
// whose result are [Compaction]s. Each snapshot is read back and compared with the
// log first. One stream that cannot be compacted does not keep the others.
func (m *Manager) Compact(r CompactRequest) (*Job, error) {
	if err := r.check(m); err != nil {
		return nil, err
	}
	return m.start(KindCompact, r.Streams, r, func(ctx context.Context, j *Job) (any, error) {
		return m.compactAll(ctx, j, r)
	})
}

func (m *Manager) compactAll(ctx context.Context, j *Job, r CompactRequest) (any, error) {
	plan, err := m.PlanCompact(ctx, r)
	if err != nil {
		return nil, err
	}
	var failed []error
	for i := range plan {
		c := &plan[i]
		if c.err == nil {
			c.fail(m.compact(ctx, j, c, &r))
		}
		if ctx.Err() != nil {
			return plan, ctx.Err()
		}
		if c.err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", c.Path, c.err))
		}
	}
	switch {
	case len(failed) == 0:
		return plan, nil
	case len(plan) == 1:
		return plan, failed[0]
	}
	return plan, fmt.Errorf("%d of %d streams stay as they are; the first is %w", len(failed), len(plan), failed[0])
}

// compact carries out what is planned for one stream.
func (m *Manager) compact(ctx context.Context, j *Job, c *Compaction, r *CompactRequest) error {
	files, err := m.covering(ctx, c, &r.To)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		created, err := m.create(ctx, j, CreateRequest{Path: c.Path, To: r.To, Compress: r.Compress}, 0)
		if err != nil {
			return err
		}
		files = []store.Snapshot{created.Snapshot}
	}
	c.Locations = nil
	for _, f := range files {
		if err := m.readBack(ctx, j, c, &f); err != nil {
			return err
		}
		c.Locations = append(c.Locations, joinLocation(f.Place, f.Key))
	}
	pos := c.Start
	for _, f := range files {
		run := &store.Cold{Stream: c.stream.ID, Start: pos, End: min(f.End, c.End), Snapshot: f}
		if err := m.goCold(ctx, &c.stream, run); err != nil {
			return err
		}
		pos = run.End
	}
	return nil
}

// readBack reads a snapshot from where it lies and compares it with the log. It
// uses no keys but the server's own: reads of the stream have no others.
func (m *Manager) readBack(ctx context.Context, j *Job, c *Compaction, f *store.Snapshot) error {
	w := m.reach(f, nil)
	b, err := m.open(&w)
	if err != nil {
		return err
	}
	v, err := m.verify(ctx, j, b, f.Key)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", b.Location(f.Key), err)
	case v.Log != CompareSame || !v.Recorded || v.Header.Path != c.Path:
		return fmt.Errorf("%s does not hold the same as the log: %s", b.Location(f.Key), v.Reason)
	}
	return nil
}

// goCold has a run read from its snapshot from now on.
func (m *Manager) goCold(ctx context.Context, s *store.Stream, run *store.Cold) error {
	first, err := m.o.Store.PositionAt(ctx, s, run.Start)
	if err != nil {
		return err
	}
	last, err := m.o.Store.BatchAt(ctx, s, run.End-1)
	if err != nil {
		return err
	}
	run.First, run.LastAt = first.Messages, last.Time
	return m.o.Engine.Compact(s.Path, run)
}
