package mirror

import (
	"sync"

	"tailrace/backend/store"
)

// State of a mirrored stream.
type State string

// States of streams. The last three outlive the program.
const (
	StateWaiting       State = "waiting"  // its turn has not come, or the source is not there yet
	StateCopying       State = "copying"  // catching up
	StateLive          State = "live"     // everything has arrived so far
	StateRetrying      State = "retrying" // something failed and is tried again
	StateFailed        State = "failed"   // it was given up, by a run that was to end
	StateClosed              = State(store.MirrorClosed)
	StateSourceDeleted       = State(store.MirrorSourceDeleted)
	StateStopped             = State(store.MirrorStopped)
)

// StreamSight is what there is to see of a mirrored stream.
type StreamSight struct {
	Path     string
	State    State
	Error    string
	Position int64 // up to which both ends have the same: bytes, or messages
	// Behind is how much of the source has not been copied, as far as that is known:
	// -1 is not.
	Behind int64
	// BehindSince is when the copy was last complete, in unix milliseconds; 0: it is.
	BehindSince int64
	Bytes       int64 // copied so far
	UpdatedAt   int64
}

// sight is what others see of a stream while it is copied.
type sight struct {
	mu   sync.Mutex
	seen StreamSight
}

// see shows where the copying stands; tail is that of the source.
func (s *stream) see(state State, tail int64) {
	s.update(func(v *StreamSight, now int64) {
		v.State, v.Error = state, ""
		v.Position, v.Behind, v.Bytes = s.row.Position, tail-s.row.Position, s.row.Bytes
		if s.run.def.Direction == store.MirrorPull && state != StateLive {
			v.Behind = -1
		}
		v.UpdatedAt = now
	})
}

// show shows a state that is not progress.
func (s *stream) show(state State, reason string) {
	behind := int64(-1)
	if s.run.def.Direction == store.MirrorPush {
		if st, err := stateOf(s.run.m.o.Engine, s.row.Path); err == nil && (s.row.Local == 0 || s.row.Local == st.ID) {
			behind = st.Tail - s.row.Position
		}
	}
	s.update(func(v *StreamSight, _ int64) {
		v.State, v.Error, v.Position, v.Bytes, v.Behind = state, reason, s.row.Position, s.row.Bytes, behind
	})
}

func (s *stream) update(change func(v *StreamSight, now int64)) {
	now := s.run.m.o.Now().UnixMilli()
	s.mu.Lock()
	was := s.seen
	change(&s.seen, now)
	switch s.seen.State {
	case StateLive, StateClosed:
		s.seen.Behind, s.seen.BehindSince = 0, 0
	case StateSourceDeleted:
		s.seen.BehindSince = 0
	default:
		if s.seen.BehindSince == 0 {
			s.seen.BehindSince = now
		}
	}
	changed := was != s.seen
	s.mu.Unlock()
	if changed {
		s.run.m.changed()
	}
}

func (s *sight) look() StreamSight {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}
