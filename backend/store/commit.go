package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	sqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"tailrace/backend/extent"
)

// Errors of a commit that are not the program's fault.
var (
	// ErrDiskFull: there is no room for the write; nothing was changed.
	ErrDiskFull = errors.New("the disk is full")
	// ErrReadOnlyDisk: the data folder cannot be written to; nothing was changed.
	ErrReadOnlyDisk = errors.New("the data folder is read-only")
	// ErrWriteFailed: the disk did not take the write, for a quota, a limit on the
	// size of files, or a fault; nothing was changed.
	ErrWriteFailed = errors.New("the disk did not take the write")
)

// Write is one atomic change: of one stream, of subscriptions, or of both.
type Write struct {
	// Stream is the stream as it stands after the write; with Create it is new, and
	// its ID came from [DB.NextID]. It may be nil when only subscriptions or keys
	// change.
	Stream *Stream
	Create bool
	// Batches are appended in order; [Position.Place] has told each where.
	Batches []*Batch
	// Close marks the stream closed as Stream.ClosedAt and ClosedBy tell.
	Close bool
	// Touch stores Stream.Deadline.
	Touch bool
	// Delete removes the stream with all its data; SoftDelete keeps the data for
	// its forks.
	Delete, SoftDelete bool
	// Announce are JSON messages for the registry stream, written at Now (unix
	// milliseconds).
	Announce [][]byte
	Now      int64
	// Subscriptions are changed in the same transaction, as are Key and Mirrored.
	Subscriptions []*SubscriptionChange
	Key           *KeyChange
	Mirrored      []*MirrorStream

	also also
}

// name says what a write is about, for errors.
func (w *Write) name() string {
	switch {
	case w.Stream != nil:
		return w.Stream.Path
	case len(w.Subscriptions) > 0:
		return w.Subscriptions[0].Sub.ID
	case w.also.do != nil:
		return w.also.name
	default:
		return "key"
	}
}

// request is a Write on its way through the committer.
type request struct {
	write *Write
	reply chan error
}

// maxGroup is how many writes share a transaction at most.
const maxGroup = 256

// Commit makes a write durable and visible to reads. On an error nothing was
// changed. Writes of one stream must not overlap; w must not be changed any more.
func (d *DB) Commit(w *Write) error {
	r := &request{write: w, reply: make(chan error, 1)}
	d.submit <- r
	if err := <-r.reply; err != nil {
		return fmt.Errorf("commit %q: %w", w.name(), err)
	}
	return nil
}

// committer owns the writing connection. It gathers the writes that are waiting,
// commits them in one transaction, and only then lets anybody see them.
type committer struct {
	db      *DB
	conn    *sql.Conn
	stmts   statements
	watch   watch
	nextSeq int64
	deleted int64 // ops below this arrival number are gone from the table
	garbage bool  // rows of deleted or cold streams may be left
	closed  bool  // snapshots of closed streams were asked for
	// direct are the streams of which the transaction under way leaves nothing
	// unsealed.
	direct  map[int64]bool
	grown   map[int64]extent.File // what the transaction under way puts into files
	freed   bool                  // pieces of files may be left to give back
	giving  sync.WaitGroup        // those that give some back
	given   <-chan int64          // says up to which piece that is done; nil: nobody does
	reserve reserve
	full    bool      // the reserve has been given up
	looked  time.Time // when it was last tried to make it whole
}

func (d *DB) newCommitter(ctx context.Context) (*committer, error) {
	next, err := d.recover(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := d.write.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	c := &committer{db: d, conn: conn, nextSeq: next, garbage: true, freed: true, reserve: d.reserve(), direct: map[int64]bool{}, grown: map[int64]extent.File{}}
	if err := errors.Join(c.stmts.prepare(ctx, conn), c.watch.load(ctx, c), c.abandonRestores(ctx, 0)); err != nil {
		return nil, errors.Join(fmt.Errorf("open the log: %w", err), c.close())
	}
	return c, nil
}

// close gives the connection back. run must have ended.
func (c *committer) close() error {
	c.giving.Wait()
	return errors.Join(c.stmts.close(), c.conn.Close())
}

func (c *committer) run() {
	ctx := context.Background() // an accepted write is finished, whoever left
	for {
		var group []*request
		if c.garbage {
			// With rows left to remove, look for work without waiting for it.
			select {
			case r := <-c.db.submit:
				group = append(group, r)
			case last := <-c.given:
				c.goOn(ctx, last)
				continue
			case <-c.db.stop:
				return
			default:
				c.collect(ctx)
				continue
			}
		} else {
			select {
			case r := <-c.db.submit:
				group = append(group, r)
			case last := <-c.given:
				c.goOn(ctx, last)
				continue
			case <-c.db.stop:
				return
			}
		}
		group = c.gather(group)
		c.serve(ctx, group)
	}
}

// serve commits a group and tells everybody in it.
func (c *committer) serve(ctx context.Context, group []*request) {
	began := time.Now()
	var err error
	if c.stillFull(ctx) {
		err = ErrDiskFull
	} else {
		err = c.commit(ctx, group)
	}
	if errors.Is(err, ErrDiskFull) {
		// Streams can be deleted all the same: that is how there is room again.
		if group = refuseOthers(group, err); len(group) > 0 {
			err = c.withRoom(ctx, func() error { return c.commit(ctx, group) })
		}
	}
	if err == nil {
		c.db.commits.Add(time.Since(began))
		c.db.writes.Add(uint64(len(group)))
		if c.db.failing.Swap(nil) != nil {
			c.db.log.Info("the log takes writes again")
		}
	} else {
		c.db.failed.Add(1)
		if c.db.failing.Swap(&err) == nil {
			c.db.log.Warn("the log does not take writes", "error", err)
		}
	}
	for _, r := range group {
		r.reply <- err
	}
}

// refuseOthers answers everything but deletions with err, and returns these.
func refuseOthers(group []*request, err error) (deletions []*request) {
	for _, r := range group {
		if r.write.Delete || r.write.SoftDelete {
			deletions = append(deletions, r)
		} else {
			r.reply <- err
		}
	}
	return deletions
}

// gather adds the writes that are waiting by now. Yielding lets goroutines that
// are about to submit do so, and is repeated for as long as it brings something; a
// timer gained nothing and cost latency.
func (c *committer) gather(group []*request) []*request {
	for {
		runtime.Gosched()
		had := len(group)
		for len(group) < maxGroup && len(c.db.submit) > 0 {
			group = append(group, <-c.db.submit)
		}
		if len(group) == had || len(group) >= maxGroup {
			return group
		}
	}
}

// commit writes a group in one transaction, together with a slice of sealing.
func (c *committer) commit(ctx context.Context, group []*request) error {
	if c.watch.stale {
		if err := c.watch.load(ctx, c); err != nil {
			return err
		}
	}
	announced := c.db.registry.batch(group)
	seq := c.nextSeq
	arrived := 0
	clear(c.direct)
	err := c.transaction(ctx, func() error {
		for _, r := range group {
			if err := c.apply(ctx, r, &seq); err != nil {
				return err
			}
			if r.write.Stream == nil || c.direct[r.write.Stream.ID] {
				continue
			}
			for _, b := range r.write.Batches {
				arrived += b.cost()
			}
		}
		if announced == nil {
			return nil
		}
		if err := c.watchAppend(ctx, c.db.registry.stream); err != nil {
			return err
		}
		return c.insertOp(ctx, announced, &seq)
	}, func() int { return arrived })
	if err != nil {
		c.watch.stale = true
		return err
	}
	c.nextSeq = seq
	for _, r := range group {
		w := r.write
		if w.Create {
			c.db.names.add(w.Stream.Path)
		}
		if w.Delete {
			c.db.mem.drop(w.Stream.ID)
			c.garbage = true
		} else if len(w.Batches) > 0 {
			c.db.mem.add(w.Stream.Kind, w.Batches, w.Stream.Position)
		}
	}
	if len(c.direct) > 0 {
		c.db.mem.sealed(c.db.mem.unsealedOf(c.direct))
	}
	if announced != nil {
		c.db.publishRegistry(announced)
	}
	c.watch.notify(c.db)
	if c.closed {
		c.closed = false
		c.db.onClose.wake()
	}
	return nil
}

// transaction runs body and a slice of sealing in one transaction; arrived tells
// how many bytes body has added.
func (c *committer) transaction(ctx context.Context, body func() error, arrived func() int) error {
	if _, err := c.stmts.begin.ExecContext(ctx); err != nil {
		return classify(err)
	}
	err := body()
	var runs []run
	var dead int64
	if err == nil {
		runs, dead, err = c.seal(ctx, arrived())
	}
	if err == nil {
		err = c.settleExtents(ctx)
	}
	undecided := false
	if err == nil {
		_, err = c.stmts.commit.ExecContext(ctx)
		// Where not all of it could be written it is void; otherwise a crash may still
		// make a commit that failed count.
		undecided = err != nil && !errors.Is(classify(err), ErrDiskFull)
	}
	c.endExtents(err == nil || undecided)
	if err != nil {
		if _, rbErr := c.stmts.rollback.ExecContext(ctx); rbErr != nil && !strings.Contains(rbErr.Error(), "no transaction is active") {
			err = errors.Join(err, rbErr)
		}
		return classify(err)
	}
	c.deleted = max(c.deleted, dead)
	if len(runs) > 0 {
		c.db.mem.sealed(runs)
	}
	return nil
}

// classify gives the errors that the disk causes their name.
func classify(err error) error {
	var se *sqlite.Error
	if !errors.As(err, &se) {
		return err
	}
	switch se.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	case sqlite3.SQLITE_READONLY:
		return fmt.Errorf("%w: %w", ErrReadOnlyDisk, err)
	case sqlite3.SQLITE_IOERR:
		return fmt.Errorf("%w: %w", ErrWriteFailed, err)
	}
	return err
}
