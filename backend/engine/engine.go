package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// Options of an engine.
type Options struct {
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Log takes what cannot be told to a client; nil: slog.Default().
	Log *slog.Logger
	// IdleAfter is how long a stream that nobody uses stays in memory at most, and
	// twice as long as it does at least; 0: one minute.
	IdleAfter time.Duration
}

// Engine holds the sequencers of all streams in use.
type Engine struct {
	db        *store.DB
	clock     clock
	log       *slog.Logger
	idleAfter time.Duration

	// stop ends the sweeper and the janitor.
	stop    context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	// sweep wakes the sweeper when a deadline may have come closer.
	sweep chan struct{}

	mu     sync.Mutex
	active map[string]*sequencer
	closed bool
	// crowd wakes the janitor before its time.
	crowd chan struct{}

	replies sync.Pool // channels with room for one result, empty
	totals  Totals
}

func (e *Engine) borrowReply() chan result {
	if c, ok := e.replies.Get().(chan result); ok {
		return c
	}
	return make(chan result, 1)
}

// Totals are counters over all streams.
type Totals struct {
	Streams atomic.Int64 // application streams that exist
	Appends atomic.Int64 // appends since the engine was opened, creations with content included
	Bytes   atomic.Int64 // their payload
	Readers atomic.Int64 // live readers open right now
}

// Open starts an engine on a log. It creates the registry stream in a new one.
func Open(ctx context.Context, db *store.DB, o Options) (*Engine, error) {
	e := &Engine{
		db:        db,
		clock:     newClock(o.Now),
		log:       o.Log,
		idleAfter: o.IdleAfter,
		sweep:     make(chan struct{}, 1),
		crowd:     make(chan struct{}, 1),
		active:    map[string]*sequencer{},
	}
	if e.log == nil {
		e.log = slog.Default()
	}
	if e.idleAfter == 0 {
		e.idleAfter = time.Minute
	}
	if err := e.openRegistry(ctx); err != nil {
		return nil, fmt.Errorf("open %s: %w", protocol.RegistryPath, err)
	}
	count, err := db.Count(ctx)
	if err != nil {
		return nil, err
	}
	e.totals.Streams.Store(int64(count))
	e.stop, e.cancel = context.WithCancel(context.Background())
	e.running.Go(e.runSweeper)
	e.running.Go(e.runJanitor)
	return e, nil
}

// openRegistry loads or creates the registry stream. The committer writes to it,
// so it has no sequencer goroutine; it is never evicted.
func (e *Engine) openRegistry(ctx context.Context) error {
	s, _, err := e.db.Load(ctx, protocol.RegistryPath)
	if errors.Is(err, protocol.ErrNotFound) {
		s = store.Stream{
			ID:          e.db.NextID(),
			Path:        protocol.RegistryPath,
			ContentType: "application/json",
			Kind:        protocol.KindJSON,
			System:      true,
			CreatedAt:   e.clock.wall().UnixMilli(),
		}
		err = e.db.Commit(&store.Write{Stream: &s, Create: true})
	}
	if err != nil {
		return err
	}
	q := e.newSequencer(protocol.RegistryPath)
	q.refs = 1
	q.topic.Publish(State{Exists: true, Stream: s})
	close(q.ready)
	e.active[q.path] = q
	e.db.StartRegistry(s, func(pos store.Position) {
		messages := pos.Messages - s.Messages
		s.Position = pos
		q.meter.add(e.clock.wall(), messages)
		q.publish(s)
	})
	return nil
}

// Close lets all sequencers finish the commands that they have taken, and
// persists what is only in memory. Requests that come later fail with
// [protocol.ErrShuttingDown].
func (e *Engine) Close() {
	e.mu.Lock()
	e.closed = true
	for _, s := range e.active {
		e.running.Go(func() {
			<-s.ready
			s.do(command{end: true})
		})
	}
	e.mu.Unlock()
	e.cancel()
	e.running.Wait()
}

// Totals returns the engine's counters.
func (e *Engine) Totals() *Totals { return &e.totals }

// acquire returns the sequencer of a path and keeps it alive until release. When
// there is none, what is at the path is loaded.
func (e *Engine) acquire(path string) (*sequencer, error) {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil, protocol.ErrShuttingDown
	}
	s := e.active[path]
	missing := s == nil
	if missing {
		s = e.newSequencer(path)
		e.active[path] = s
		if len(e.active) > maxIdle {
			e.wakeJanitor()
		}
	}
	s.refs++
	s.used = true
	e.mu.Unlock()
	if missing {
		s.load()
	} else {
		<-s.ready
	}
	if s.loadErr != nil {
		e.release(s)
		return nil, s.loadErr
	}
	return s, nil
}

// release undoes one acquire. Without a stream there is nothing to keep.
func (e *Engine) release(s *sequencer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s.refs--
	if s.refs == 0 && !s.state().Exists {
		e.retireLocked(s)
	}
}

// Create makes sure that there is a stream at path (PROTOCOL §5.1). It fails
// with a *[protocol.ConflictError] when there is one with another configuration.
func (e *Engine) Create(path string, r *CreateRequest) (Created, error) {
	if path == protocol.RegistryPath {
		return Created{}, protocol.ErrReadOnly
	}
	if r.Fork != nil {
		return e.createFork(path, r)
	}
	res := e.do(path, command{create: r})
	return res.created, res.err
}

// Append is [Writer.Append] for who appends once.
func (e *Engine) Append(path string, r *AppendRequest) (Appended, error) {
	s, err := e.acquire(path)
	if err != nil {
		return Appended{}, err
	}
	w := Writer{s}
	defer w.Close()
	return w.Append(r)
}

// Delete removes the stream at path with its data (PROTOCOL §5.4).
func (e *Engine) Delete(path string) error {
	if path == protocol.RegistryPath {
		return protocol.ErrReadOnly
	}
	return e.do(path, command{remove: true}).err
}

// do runs one command on a path's sequencer. It does not listen to the client's
// context: once submitted, a command is carried out.
func (e *Engine) do(path string, c command) result {
	s, err := e.acquire(path)
	if err != nil {
		return result{err: err}
	}
	defer e.release(s)
	return s.do(c)
}

// Sequencers is the number of paths in use.
func (e *Engine) Sequencers() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.active)
}

// Ready returns nil when the engine takes writes: it is not closing, and the
// last commit did not fail.
func (e *Engine) Ready() error {
	e.mu.Lock()
	closed := e.closed
	e.mu.Unlock()
	if closed {
		return protocol.ErrShuttingDown
	}
	return e.db.Failing()
}
