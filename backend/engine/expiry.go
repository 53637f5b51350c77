package engine

import (
	"time"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// A sliding TTL counts from the last touch, which is kept in memory. On disk is
// a deadline that lies up to a tenth of the TTL behind the real one, so that it
// need not be written on every touch and a crash never makes a stream expire
// early. A sequencer that ends, or a clean shutdown, stores the exact one.

// storedDeadline is the deadline to store for a stream touched at now.
func storedDeadline(x protocol.Expiry, now int64) int64 {
	d := deadlineOf(x, now)
	if x.HasTTL && x.TTL > 0 {
		d += max(x.TTL*100, 1000)
	}
	return d
}

// deadlineOf is when a stream last touched at touched expires, in unix
// milliseconds; 0: never.
func deadlineOf(x protocol.Expiry, touched int64) int64 {
	switch {
	case x.HasTTL:
		return touched + x.TTL*1000
	case x.AtRaw != "":
		return max(x.At.UnixMilli(), 1)
	default:
		return 0
	}
}

// deadline is when the stream expires if nobody touches it; 0: never.
func (s *sequencer) deadline(st *State) int64 {
	if !st.Exists || st.Deleted {
		return 0
	}
	return deadlineOf(st.Expiry, s.touched.Load())
}

// expired reports whether the stream's time has come. A sliding TTL does not run
// out under an open live reader.
func (s *sequencer) expired(st *State) bool {
	d := s.deadline(st)
	return d != 0 && d <= s.engine.clock.forExpiry(st.Expiry) && (!st.Expiry.HasTTL || s.readers.Load() == 0)
}

// touch restarts a sliding TTL (PROTOCOL §5.1).
func (s *sequencer) touch() {
	st := s.state()
	if s.deadline(st) == 0 || !st.Expiry.HasTTL {
		return
	}
	s.touched.Store(s.engine.clock.steady())
	if s.deadline(st) > s.stored.Load() && s.extending.CompareAndSwap(false, true) {
		s.background(command{extend: true})
	}
}

// setAlarm has the deadline looked at when it comes.
func (s *sequencer) setAlarm() {
	st := s.state()
	if s.deadline(st) == 0 {
		return
	}
	left := s.untilDeadline(st)
	if s.alarm == nil {
		s.alarm = time.AfterFunc(left, func() { s.background(command{alarm: true}) })
		return
	}
	s.alarm.Reset(left)
}

// untilDeadline is how long until the deadline must be looked at.
func (s *sequencer) untilDeadline(st *State) time.Duration {
	d := s.deadline(st)
	// In milliseconds first: a duration does not reach beyond 292 years.
	ahead := min(d-s.engine.clock.forExpiry(st.Expiry), (24 * time.Hour).Milliseconds())
	left := time.Duration(ahead) * time.Millisecond
	// An expired stream that could not be removed (a full disk), or that a reader
	// keeps alive, is looked at again in a second.
	if left <= 0 {
		return time.Second
	}
	if !st.Expiry.HasTTL {
		left = min(left, sweepInterval) // the wall clock may be set meanwhile
	}
	return left
}

// expireIfDue deletes the stream if its time has come.
func (s *sequencer) expireIfDue() error {
	st := s.state()
	if !s.expired(st) {
		return nil
	}
	if err := s.drop(st); err != nil {
		s.engine.log.Error("an expired stream could not be removed", "stream", s.path, "error", err)
		return err
	}
	return nil
}

// storeDeadline writes the deadline to disk when it has moved past the stored
// one; with exact, when it differs at all.
func (s *sequencer) storeDeadline(exact bool) {
	st := s.state()
	d := s.deadline(st)
	if d == 0 || !st.Expiry.HasTTL {
		return
	}
	stream := st.Stream
	stream.Deadline = d
	switch {
	case !exact && d <= s.stored.Load():
		return
	case !exact:
		stream.Deadline = storedDeadline(st.Expiry, s.touched.Load())
	case s.readers.Load() > 0:
		// Held by live readers: the sweeper need not ask again at once.
		stream.Deadline = max(d, s.engine.clock.steady()+sweepInterval.Milliseconds())
	}
	if stream.Deadline == s.stored.Load() {
		return
	}
	if err := s.engine.db.Touch(&stream); err != nil {
		s.engine.log.Error("the time to live could not be stored", "stream", s.path, "error", err)
		return
	}
	s.stored.Store(stream.Deadline)
}

// extend lets a write that is about to be acknowledged store a later deadline with
// it, when its touch moves the deadline past the stored one. Stored afterwards, it
// could be lost in a crash, and the acknowledged data expire early.
func (s *sequencer) extend(w *store.Write) {
	x, now := w.Stream.Expiry, s.engine.clock.steady()
	if x.HasTTL && deadlineOf(x, now) > s.stored.Load() {
		w.Stream.Deadline, w.Touch = storedDeadline(x, now), true
	}
}

// sweepLimit is how many expired streams are looked up at a time, sweepPause the
// shortest and sweepInterval the longest time between two looks.
const (
	sweepLimit    = 100
	sweepPause    = time.Second
	sweepInterval = time.Minute
)

// wakeSweeper makes the sweeper look for the next deadline.
func (e *Engine) wakeSweeper() {
	select {
	case e.sweep <- struct{}{}:
	default:
	}
}

// collectOrphans removes soft-deleted streams whose last fork is gone. Removing
// one can orphan its own source, which wakes the sweeper again.
func (e *Engine) collectOrphans() {
	paths, err := e.db.Orphans(e.stop, sweepLimit)
	if err != nil && e.stop.Err() == nil {
		e.log.Error("looking for deleted streams failed", "error", err)
	}
	for _, path := range paths {
		if err := e.do(path, command{collect: true}).err; err != nil && e.stop.Err() == nil {
			e.log.Error("a deleted stream could not be removed", "stream", path, "error", err)
		}
	}
}

// runSweeper removes expired streams that nobody uses. Streams in use see to
// their own deadline.
func (e *Engine) runSweeper() {
	for {
		wait := e.sweepOnce()
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-e.sweep:
			timer.Stop()
		case <-e.stop.Done():
			timer.Stop()
			return
		}
	}
}

// sweepOnce expires what is due and returns how long to wait.
func (e *Engine) sweepOnce() time.Duration {
	e.collectOrphans()
	steady, wall := e.clock.steady(), e.clock.wall().UnixMilli()
	paths, wait, err := e.db.Due(e.stop, steady, wall, sweepLimit)
	if err != nil {
		if e.stop.Err() == nil {
			e.log.Error("looking for expired streams failed", "error", err)
		}
		return sweepInterval
	}
	for _, path := range paths {
		e.do(path, command{expire: true}) // the sequencer logs what fails
	}
	return min(max(time.Duration(wait)*time.Millisecond, sweepPause), sweepInterval)
}
