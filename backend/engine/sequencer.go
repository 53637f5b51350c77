package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tailrace/backend/live"
	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// maxBatch is how many waiting commands are decided at once.
const maxBatch = 256

// command is one request to a sequencer; exactly one of its fields is set.
type command struct {
	create *CreateRequest
	append *AppendRequest
	remove bool
	expire bool // delete the stream if its time has come, else store its deadline
	alarm  bool // the same, without storing anything
	extend bool // store a later deadline
	// branch resolves a fork of this stream and counts it as pending until
	// unbranch; collect removes a soft-deleted stream without forks.
	branch   *CreateRequest
	unbranch bool
	collect  bool
	capture  bool            // return what is there
	restore  *restoreRequest // put a stream there
	compact  *store.Cold     // have a run read from a snapshot
	sync     bool            // nothing: a reply means that all before is published
	end      bool            // store the deadline and take no more commands
	reply    chan result
}

type result struct {
	branch   *branch
	created  Created
	appended Appended
	captured Captured
	err      error
}

// sequencer owns what is at one path. It has no goroutine of its own: whoever
// finds it idle carries out commands, and is the only one who changes the
// unguarded fields, until it is idle again.
type sequencer struct {
	engine  *Engine
	path    string
	ready   chan struct{} // closed once loaded
	loadErr error

	mu      sync.Mutex // guards these three; never held while a command is carried out
	busy    bool
	waiting []command
	ended   bool

	// topic is what readers see: the state as of the last commit.
	topic live.Topic[State]
	// touched is the last read or write, in unix milliseconds: a sliding TTL
	// counts from here. stored is the deadline that is on disk.
	touched   atomic.Int64
	stored    atomic.Int64
	extending atomic.Bool  // a later deadline is about to be stored
	readers   atomic.Int64 // live readers
	meter     meter
	commits   store.Histogram // how long appends waited for the disk
	refs      int             // guarded by Engine.mu, as is used
	used      bool            // since the janitor has last looked

	alarm           *time.Timer // goes off at the deadline; nil: there is none
	producers       map[string]store.Producer
	producerCount   atomic.Int64 // len(producers), for others
	nextIncarnation int64        // of a stream created here while there is none
	pendingForks    int          // forks of this stream that are being created
}

func (e *Engine) newSequencer(path string) *sequencer {
	return &sequencer{engine: e, path: path, ready: make(chan struct{})}
}

// state is the state as of the last commit.
func (s *sequencer) state() *State { return &s.topic.Current().Value }

// do carries out a command and returns its outcome. Commands that come meanwhile
// wait, and are then decided together.
func (s *sequencer) do(c command) result {
	c.reply = s.engine.borrowReply()
	defer s.engine.replies.Put(c.reply)
	s.mu.Lock()
	switch {
	case s.ended:
		s.mu.Unlock()
		return result{err: protocol.ErrShuttingDown}
	case s.busy:
		s.waiting = append(s.waiting, c)
		s.mu.Unlock()
	default:
		s.busy = true
		s.mu.Unlock()
		s.process([]command{c})
		if s.more() {
			// What has come meanwhile must not hold up this answer. Close does not wait
			// yet for nothing: its command to end counts, and comes behind this one.
			s.engine.running.Go(s.drain)
		}
	}
	return <-c.reply
}

// more reports whether commands wait; if none does, the sequencer is idle.
func (s *sequencer) more() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = len(s.waiting) > 0
	return s.busy
}

// drain carries out what waits until nothing does.
func (s *sequencer) drain() {
	for ok := true; ok; ok = s.more() {
		s.mu.Lock()
		batch := s.waiting
		s.waiting = nil
		s.mu.Unlock()
		for part := range slices.Chunk(batch, maxBatch) {
			s.process(part)
		}
	}
}

// background carries out a command that nobody waits for.
func (s *sequencer) background(c command) {
	e := s.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || e.active[s.path] != s {
		return
	}
	s.refs++
	e.running.Go(func() {
		s.do(c)
		e.release(s)
	})
}

// load reads what is at the path.
func (s *sequencer) load() {
	defer close(s.ready)
	ctx := context.Background()
	stream, next, err := s.engine.db.Load(ctx, s.path)
	if errors.Is(err, protocol.ErrNotFound) {
		s.nextIncarnation = next
		s.topic.Publish(State{})
		return
	}
	if err == nil {
		err = s.loadProducers(ctx, stream.ID)
	}
	if err != nil {
		s.loadErr = fmt.Errorf("load stream: %w", err)
		s.topic.Publish(State{})
		return
	}
	s.stored.Store(stream.Deadline)
	s.touched.Store(stream.Deadline - stream.Expiry.TTL*1000)
	s.topic.Publish(State{Exists: true, Stream: stream})
	s.setAlarm()
}

func (s *sequencer) loadProducers(ctx context.Context, stream int64) error {
	list, err := s.engine.db.Producers(ctx, stream)
	if err != nil {
		return err
	}
	s.producers = make(map[string]store.Producer, len(list))
	for _, p := range list {
		s.producers[p.ID] = p
	}
	s.producerCount.Store(int64(len(list)))
	return nil
}

// process carries out commands in order. Appends in a row share a commit.
func (s *sequencer) process(batch []command) {
	defer crash()
	for len(batch) > 0 {
		if s.ended {
			for _, c := range batch {
				c.reply <- result{err: protocol.ErrShuttingDown}
			}
			return
		}
		n := 0
		for n < len(batch) && batch[n].append != nil {
			n++
		}
		if n > 0 {
			s.processAppends(batch[:n])
			batch = batch[n:]
			continue
		}
		s.processOne(batch[0])
		batch = batch[1:]
	}
}

func (s *sequencer) processOne(c command) {
	if c.end {
		s.storeDeadline(true)
		s.end()
		c.reply <- result{}
		return
	}
	err := s.expireIfDue()
	r := result{err: err}
	switch {
	case err != nil:
	case c.create != nil:
		r.created, r.err = s.create(c.create)
	case c.remove:
		r.err = s.remove()
	case c.expire:
		s.storeDeadline(true)
	case c.extend:
		s.storeDeadline(false)
	case c.branch != nil:
		r.branch, r.err = s.resolve(c.branch)
	case c.collect:
		r.err = s.collect()
	case c.capture:
		r.captured, r.err = s.capture()
	case c.restore != nil:
		r.err = s.restore(c.restore)
	case c.compact != nil:
		r.err = s.compact(c.compact)
	}
	switch {
	case c.alarm:
		s.setAlarm()
	case c.extend:
		s.extending.Store(false)
	case c.unbranch:
		s.pendingForks--
		s.engine.wakeSweeper() // it may have been deleted meanwhile
	}
	c.reply <- r
}

// create answers a PUT.
func (s *sequencer) create(r *CreateRequest) (Created, error) {
	if st := s.state(); st.Exists {
		return Created{State: st}, s.checkExisting(st, r)
	}
	if r.Fork != nil && r.branch == nil {
		return Created{}, errNeedsSource
	}
	if r.PayloadErr != nil {
		return Created{}, r.PayloadErr
	}
	stream, err := s.newStream(r)
	if err != nil {
		return Created{}, err
	}
	if r.branch != nil {
		if err := s.engine.db.Trace(context.Background(), &stream); err != nil {
			return Created{}, err
		}
	}
	w := &store.Write{Stream: &stream, Create: true, Announce: announce(&stream, opInsert), Now: stream.CreatedAt}
	if r.Payload.Messages() > 0 {
		b := &store.Batch{Stream: stream.ID, Time: stream.CreatedAt, Payload: r.Payload, Closing: r.Closed}
		stream.Position = stream.Place(stream.Kind, b)
		w.Batches = []*store.Batch{b}
	}
	if err := s.engine.db.Commit(w); err != nil {
		return Created{}, err
	}
	s.stored.Store(stream.Deadline)
	s.touched.Store(s.engine.clock.steady())
	s.producers = map[string]store.Producer{}
	s.engine.totals.Streams.Add(1)
	if len(w.Batches) > 0 {
		s.count(w.Batches)
	}
	s.topic.Publish(State{Exists: true, Stream: stream})
	s.setAlarm()
	return Created{State: s.state(), New: true}, nil
}

// checkExisting compares a PUT with the stream that is there.
func (s *sequencer) checkExisting(st *State, r *CreateRequest) error {
	switch {
	case st.Deleted:
		return &protocol.ConflictError{Field: "path", Have: "been deleted but is kept for its forks", Want: "a new stream"}
	case st.Fork != nil || r.Fork != nil:
		return s.checkSameFork(st, r)
	default:
		return checkSame(st, r)
	}
}

// newStream is the stream that a PUT asks for, without content.
func (s *sequencer) newStream(r *CreateRequest) (store.Stream, error) {
	contentType := r.ContentType
	if contentType == "" {
		contentType = protocol.DefaultContentType
	}
	media, err := protocol.ParseContentType(contentType)
	if err != nil {
		return store.Stream{}, err
	}
	now := s.engine.clock.wall().UnixMilli()
	stream := store.Stream{
		ID:          s.engine.db.NextID(),
		Path:        s.path,
		Incarnation: s.nextIncarnation,
		ContentType: contentType,
		Kind:        protocol.KindOf(media),
		CreatedAt:   now,
		Expiry:      r.Expiry,
		Closed:      r.Closed,
	}
	if r.Closed {
		stream.ClosedAt = now
	}
	if r.branch != nil {
		r.branch.inherit(&stream, r)
	}
	stream.Deadline = storedDeadline(stream.Expiry, s.engine.clock.steady())
	return stream, nil
}

// remove answers a DELETE.
func (s *sequencer) remove() error {
	st := s.state()
	if err := st.takesRequests(); err != nil {
		return err
	}
	return s.drop(st)
}

// takesRequests returns nil for a stream that clients may use, else why not.
func (st *State) takesRequests() error {
	switch {
	case !st.Exists:
		return protocol.ErrNotFound
	case st.Deleted:
		return protocol.ErrGone
	}
	return nil
}

// drop deletes the stream and tells its readers. While forks need its data, it
// is only soft-deleted (PROTOCOL §5.4).
func (s *sequencer) drop(st *State) error {
	inUse, err := s.inUse(st)
	if err != nil || (inUse && st.Deleted) {
		return err
	}
	next, err := s.freeIncarnation(st)
	if err != nil {
		return err
	}
	stream := st.Stream
	w := &store.Write{Stream: &stream, Now: s.engine.clock.wall().UnixMilli()}
	if inUse {
		stream.Deleted = true
		w.SoftDelete, w.Announce = true, announce(&stream, opUpdate)
	} else {
		w.Delete, w.Announce = true, announce(&stream, opDelete)
	}
	if err := s.engine.db.Commit(w); err != nil {
		return err
	}
	if !st.Deleted {
		s.engine.totals.Streams.Add(-1)
	}
	if inUse {
		s.topic.Publish(State{Exists: true, Stream: stream})
		if inUse, err := s.inUse(st); err != nil || !inUse {
			s.engine.wakeSweeper() // the last fork has gone meanwhile
		}
		return nil
	}
	s.nextIncarnation = next
	s.producers = nil
	s.producerCount.Store(0)
	s.topic.Publish(State{})
	if st.Fork != nil {
		s.engine.wakeSweeper() // its source may be waiting for this
	}
	return nil
}

// processAppends decides appends in a row, commits what they write and answers
// them.
func (s *sequencer) processAppends(batch []command) {
	results := make([]result, len(batch))
	if err := s.appendAll(batch, results); err != nil {
		for i := range results {
			results[i] = result{err: err}
		}
	}
	for i, c := range batch {
		c.reply <- results[i]
	}
}

// appendAll fills in the results; an error means that nothing was written.
func (s *sequencer) appendAll(batch []command, results []result) error {
	if err := s.expireIfDue(); err != nil {
		return err
	}
	st := s.state()
	if err := st.takesRequests(); err != nil {
		return err
	}
	d := newDraft(st, s.producers, s.engine.clock.wall().UnixMilli())
	accepted := false
	for i, c := range batch {
		results[i].appended, results[i].err = d.append(c.append)
		accepted = accepted || results[i].err == nil
	}
	if len(d.batches) > 0 {
		w := &store.Write{Stream: &d.stream, Batches: d.batches, Close: d.closes, Now: d.now, Subscriptions: d.subscriptions, Mirrored: d.mirrored}
		if d.closes {
			w.Announce = announce(&d.stream, opUpdate)
		}
		s.extend(w)
		began := time.Now()
		if err := s.engine.db.Commit(w); err != nil {
			return err
		}
		s.commits.Add(time.Since(began))
		if w.Touch {
			s.stored.Store(w.Stream.Deadline)
		}
		maps.Copy(s.producers, d.changed)
		s.producerCount.Store(int64(len(s.producers)))
		s.count(d.batches)
		s.publish(d.stream)
	}
	if accepted {
		s.touch()
	}
	return nil
}

// publish shows readers what an append has made of the stream.
func (s *sequencer) publish(stream store.Stream) {
	st := State{Exists: true, Stream: stream}
	if s.readers.Load() > 0 {
		st.frames = &frames{before: s.state().Tail}
	}
	s.topic.Publish(st)
}

// count adds committed batches to the meters.
func (s *sequencer) count(batches []*store.Batch) {
	var messages, bytes int64
	for _, b := range batches {
		messages += int64(b.Payload.Messages())
		bytes += int64(len(b.Payload.Data))
	}
	s.meter.add(s.engine.clock.wall(), messages)
	s.engine.totals.Appends.Add(int64(len(batches)))
	s.engine.totals.Bytes.Add(bytes)
}

// end takes the sequencer out of service for good.
func (s *sequencer) end() {
	if s.alarm != nil {
		s.alarm.Stop()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
}

// crash ends the program when its goroutine panics: a command that is half done
// must not be hidden by net/http, which recovers from panics of requests.
func crash() {
	if p := recover(); p != nil {
		go panic(fmt.Sprintf("%v\n\n%s", p, debug.Stack()))
		select {}
	}
}
