package engine

import (
	"context"
	"errors"
	"maps"
	"slices"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// Captured is a stream with its producers as of one moment: no producer stands
// ahead of the data or behind it.
type Captured struct {
	Stream    store.Stream
	Producers []store.Producer
}

// Capture returns what is at a path. It does not touch the stream's TTL.
func (e *Engine) Capture(path string) (Captured, error) {
	res := e.do(path, command{capture: true})
	return res.captured, res.err
}

// capture answers Capture between two appends.
func (s *sequencer) capture() (Captured, error) {
	st := s.state()
	if err := st.takesRequests(); err != nil {
		return Captured{}, err
	}
	return Captured{Stream: st.Stream, Producers: slices.Collect(maps.Values(s.producers))}, nil
}

// Restore makes a stream whose data has been written visible, with its producers.
// Its sliding TTL begins anew. It fails with [ErrPathTaken] when
// there is something at the path.
func (e *Engine) Restore(r *store.Restoration, producers []store.Producer) error {
	if r.Stream().Path == protocol.RegistryPath {
		return protocol.ErrReadOnly
	}
	return e.do(r.Stream().Path, command{restore: &restoreRequest{r, producers}}).err
}

// ErrPathTaken: something is at the path that is to be restored.
var ErrPathTaken = errors.New("there is a stream at this path already; a restoration overwrites nothing")

type restoreRequest struct {
	*store.Restoration
	producers []store.Producer
}

func (s *sequencer) restore(r *restoreRequest) error {
	if s.state().Exists {
		return ErrPathTaken
	}
	var err error
	if r.Stream().Incarnation, err = s.engine.db.RestoredIncarnation(context.Background(), r.Stream()); err != nil {
		return err
	}
	stream := *r.Stream()
	stream.Deadline = storedDeadline(stream.Expiry, s.engine.clock.steady())
	w, err := r.Finish(&stream, r.producers)
	if err != nil {
		return err
	}
	w.Announce, w.Now = announce(&stream, opInsert), s.engine.clock.wall().UnixMilli()
	if err := s.engine.db.Commit(w); err != nil {
		return err
	}
	s.stored.Store(stream.Deadline)
	s.touched.Store(s.engine.clock.steady())
	s.producers = map[string]store.Producer{}
	for _, p := range r.producers {
		s.producers[p.ID] = p
	}
	s.producerCount.Store(int64(len(s.producers)))
	s.engine.totals.Streams.Add(1)
	s.topic.Publish(State{Exists: true, Stream: stream})
	s.setAlarm()
	return nil
}

// Compact has a run of the stream at a path read from its snapshot from now on; the
// log lets go of it. What readers see does not change.
func (e *Engine) Compact(path string, run *store.Cold) error {
	return e.do(path, command{compact: run}).err
}

func (s *sequencer) compact(run *store.Cold) error {
	st := s.state()
	if err := st.takesRequests(); err != nil {
		return err
	}
	if st.ID != run.Stream {
		return protocol.ErrNotFound // another stream has taken the path
	}
	return s.engine.db.Compact(&st.Stream, run)
}

// freeIncarnation is the incarnation that the next stream at the path must have
// once the one there is gone. Before schema 9, a restored stream could be older
// than others that had lived there.
func (s *sequencer) freeIncarnation(st *State) (int64, error) {
	next, err := s.engine.db.NextIncarnation(context.Background(), s.path)
	return max(next, st.Incarnation+1), err
}
