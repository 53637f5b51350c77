package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

const (
	// sealSlice is how much a commit seals at least when it seals at all; more
	// arrives, more is sealed, so that the unsealed part stays bounded.
	sealSlice = 1 << 20
	// backlogFactor bounds ops when one stream's old append keeps those of many
	// deleted streams from going: at so many times the threshold, sealing begins
	// however little there is to seal.
	backlogFactor = 2
	// segmentBytes is where a segment is full.
	segmentBytes = 128 << 10
	// mergeBelow is the size under which a stream's last segment is taken up into
	// the next one, so that slow streams do not end as many tiny rows.
	mergeBelow = 16 << 10
)

// seal moves a slice of the oldest unsealed batches into segments and folds
// their effect into streams and producers, within the open transaction. It
// returns what it sealed and the arrival number below which ops are gone; both
// take effect once the transaction has committed.
func (c *committer) seal(ctx context.Context, arrived int) (runs []run, dead int64, err error) {
	unsealed, backlog := c.db.mem.unsealed()
	if unsealed+arrived <= c.db.sealAt && backlog+arrived <= backlogFactor*c.db.sealAt {
		return nil, 0, nil
	}
	runs = c.db.mem.oldestRuns(max(sealSlice, 2*arrived), c.direct)
	highest := int64(0)
	for _, r := range runs {
		if err := c.sealRun(ctx, r); err != nil {
			return nil, 0, fmt.Errorf("seal stream %d: %w", r.tail.stream, err)
		}
		highest = max(highest, r.batches[len(r.batches)-1].seq)
	}
	if len(runs) > 0 {
		if _, err := c.stmts.sealedSeq.ExecContext(ctx, highest); err != nil {
			return nil, 0, fmt.Errorf("seal: %w", err)
		}
	}
	// What earlier commits have sealed is dead by now; this one's is dead once it
	// has committed, and goes with the next.
	dead, err = c.deleteDead(ctx)
	return runs, dead, err
}

// deleteDead removes the oldest ops that are sealed or belong to deleted streams,
// and returns the arrival number below which they are gone.
func (c *committer) deleteDead(ctx context.Context) (dead int64, err error) {
	dead = c.db.mem.deadBefore(c.nextSeq)
	if dead > c.deleted {
		if _, err := c.stmts.deleteOps.ExecContext(ctx, dead); err != nil {
			return 0, fmt.Errorf("delete sealed ops: %w", err)
		}
	}
	return dead, nil
}

// sealRun writes one stream's batches as segments of up to segmentBytes.
func (c *committer) sealRun(ctx context.Context, r run) error {
	batches, err := c.takeLastSegment(ctx, r)
	if err != nil {
		return err
	}
	from, size := 0, 0
	for i, b := range batches {
		size += len(b.Payload.Data)
		if size < segmentBytes && i < len(batches)-1 {
			continue
		}
		s := sealSegment(r.tail.kind, batches[from:i+1])
		if err := c.insertSegment(ctx, r.tail.stream, s); err != nil {
			return err
		}
		from, size = i+1, 0
	}
	return c.fold(ctx, r)
}

// takeLastSegment returns the run's batches, preceded by those of the stream's
// last segment when that is small; its row is deleted.
func (c *committer) takeLastSegment(ctx context.Context, r run) ([]*Batch, error) {
	var id int64
	var s segment
	row := c.stmts.lastSegment.QueryRowContext(ctx, r.tail.stream, mergeBelow)
	err := s.scan(func(dest ...any) error { return row.Scan(append([]any{&id}, dest...)...) })
	var batches []*Batch
	if err == nil {
		err = s.check()
	}
	if err == nil {
		batches, err = s.batches(r.tail.stream, r.tail.kind)
	}
	var damaged *DamagedError
	switch {
	case errors.Is(err, sql.ErrNoRows), errors.As(err, &damaged):
		// A damaged segment stays as it is; it must not keep anybody from writing.
		return r.batches, nil
	case err != nil:
		return nil, err
	}
	if _, err := c.stmts.deleteSegment.ExecContext(ctx, id); err != nil {
		return nil, err
	}
	return append(batches, r.batches...), nil
}

// fold brings streams and producers up to the end of a run.
func (c *committer) fold(ctx context.Context, r run) error {
	var pos Position
	producers := map[string]*Batch{}
	for _, b := range r.batches {
		pos = pos.after(b)
		if b.Producer != nil {
			producers[b.Producer.ID] = b
		}
	}
	for id, b := range producers {
		if _, err := c.stmts.foldProducer.ExecContext(ctx, r.tail.stream, id, b.Producer.Epoch, b.Producer.Seq, b.Time); err != nil {
			return err
		}
	}
	var lastAppend, streamSeq any
	if pos.LastAppendAt != 0 {
		lastAppend = pos.LastAppendAt
	}
	if pos.StreamSeq != "" {
		streamSeq = pos.StreamSeq
	}
	last := r.batches[len(r.batches)-1]
	_, err := c.stmts.foldStream.ExecContext(ctx, last.seq, pos.Tail, pos.Messages, pos.Bytes, lastAppend, streamSeq, r.tail.stream)
	return err
}

const (
	// collectSlice is how many segments go in one transaction.
	collectSlice = 16
	// collectStreams is of how many deleted streams at most.
	collectStreams = 32
)

// collect removes a slice of what deleted streams have left behind, or of what has
// gone cold, and gives the space back to the file system. It runs when no write is waiting.
func (c *committer) collect(ctx context.Context) {
	var done bool
	err := c.withRoom(ctx, func() (err error) {
		done, err = c.collectOnce(ctx)
		return err
	})
	if err != nil || done {
		// After an error the next deletion tries again.
		c.garbage = false
		c.looked = time.Time{}
	}
}

// goOn forgets the pieces of files that were given back, and has the next ones
// looked for.
func (c *committer) goOn(ctx context.Context, last int64) {
	c.given = nil
	if c.db.copies.Load() > 0 {
		return // a copy that ends has it done again; files that are empty by now may be its
	}
	err := c.withRoom(ctx, func() error { return c.gave(ctx, last) })
	c.garbage = err == nil // else the next deletion tries again
}

func (c *committer) collectOnce(ctx context.Context) (done bool, err error) {
	var none bool
	var dead int64
	err = c.transaction(ctx, func() (err error) {
		if dead, err = c.deleteDead(ctx); err != nil {
			return err
		}
		if none, err = c.dropDeleted(ctx); err != nil || !none {
			return err
		}
		some, err := c.dropHot(ctx)
		none = !some
		return err
	}, func() int { return 0 })
	if err != nil {
		return false, err
	}
	c.deleted = max(c.deleted, dead)
	given, err := c.giveBack(ctx)
	if err != nil {
		return false, err
	}
	more, err := c.vacuum(ctx)
	return none && given && !more, err
}

// dropDeleted removes a slice of what deleted streams have left behind, and reports
// whether there was nothing.
func (c *committer) dropDeleted(ctx context.Context) (none bool, err error) {
	left := collectSlice
	for n := range collectStreams {
		var stream int64
		err := c.stmts.nextGarbage.QueryRowContext(ctx).Scan(&stream)
		if errors.Is(err, sql.ErrNoRows) {
			return n == 0, nil
		}
		if err != nil {
			return false, err
		}
		freed, err := c.free(ctx, c.stmts.garbageSegments, stream, left, extentHeader)
		if left -= freed; err != nil || left == 0 {
			return false, err
		}
		if _, err := c.stmts.garbageProducers.ExecContext(ctx, stream); err != nil {
			return false, err
		}
		if _, err := c.stmts.garbageDone.ExecContext(ctx, stream); err != nil {
			return false, err
		}
	}
	return false, nil
}

// freeSlack is how many free pages stay in the file for the next writes, unless
// the disk is full.
const freeSlack = 256

// vacuum returns free pages to the file system, a bounded number at a time, and
// reports whether there are more. The pragma steps once for each page.
func (c *committer) vacuum(ctx context.Context) (more bool, err error) {
	slack := freeSlack
	if c.full {
		slack = 0
	}
	var before, after int
	if err := c.stmts.freePages.QueryRowContext(ctx).Scan(&before); err != nil || before <= slack {
		return false, err
	}
	rows, err := c.stmts.vacuum.QueryContext(ctx)
	if err != nil {
		return false, err
	}
	for rows.Next() { //nolint:revive // stepping is the work
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return false, err
	}
	err = c.stmts.freePages.QueryRowContext(ctx).Scan(&after)
	return after > slack && after < before, err
}
