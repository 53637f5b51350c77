package engine

import (
	"context"
	"errors"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// Reader reads one stream. It stays with the stream that was at the path when it
// was opened: when that is deleted, it reports so, whatever is created there
// later. It must be closed.
type Reader struct {
	s    *sequencer
	id   int64
	live bool
}

// OpenReader opens the stream at path for reading. It does not touch the
// stream's TTL.
func (e *Engine) OpenReader(path string) (*Reader, error) {
	s, st, err := e.acquireStream(path)
	if err != nil {
		return nil, err
	}
	return &Reader{s: s, id: st.ID}, nil
}

// acquireStream is acquire for a path with a stream that takes requests.
func (e *Engine) acquireStream(path string) (*sequencer, *State, error) {
	s, err := e.acquire(path)
	if err != nil {
		return nil, nil, err
	}
	st := s.state()
	err = st.takesRequests()
	if err == nil && s.expired(st) {
		err = protocol.ErrNotFound
	}
	if err != nil {
		e.release(s)
		return nil, nil, err
	}
	return s, st, nil
}

// Close ends the reader.
func (r *Reader) Close() {
	if r.live {
		r.s.touch()
		r.s.readers.Add(-1)
		r.s.engine.totals.Readers.Add(-1)
	}
	r.s.engine.release(r.s)
}

// Touch restarts the stream's sliding TTL (PROTOCOL §5.1).
func (r *Reader) Touch() { r.s.touch() }

// Follow counts the reader as a live one until it is closed: the stream's
// sliding TTL does not run out meanwhile.
func (r *Reader) Follow() {
	r.live = true
	r.s.readers.Add(1)
	r.s.engine.totals.Readers.Add(1)
	r.s.touch()
}

// State returns the newest state. Once the stream is gone it fails with
// [protocol.ErrNotFound].
func (r *Reader) State() (*State, error) {
	return r.check(r.s.state())
}

// Current is State with a channel that is closed when there is a newer one.
func (r *Reader) Current() (*State, <-chan struct{}, error) {
	v := r.s.topic.Current()
	st, err := r.check(&v.Value)
	if err != nil {
		return nil, nil, err
	}
	return st, v.Superseded(), nil
}

// check returns a state of the reader's path if it is one of its stream.
func (r *Reader) check(st *State) (*State, error) {
	if !st.Exists || st.ID != r.id {
		return nil, protocol.ErrNotFound
	}
	return st, st.takesRequests()
}

// Read returns what lies between position from and the tail of st, in pieces,
// ending early once it has soft bytes. It is bounded, so it does not stop when
// the client leaves or the server is asked to.
func (r *Reader) Read(st *State, from int64, soft int) ([]store.Piece, error) {
	ctx := context.Background()
	pieces, err := r.s.engine.db.Read(ctx, &st.Stream, from, st.Tail, soft)
	if errors.Is(err, store.ErrMissing) {
		// A deletion is in the log a moment before its sequencer tells of it.
		if row, rowErr := r.s.engine.db.Row(ctx, r.id); rowErr == nil && row == nil {
			return nil, protocol.ErrNotFound
		}
	}
	return pieces, err
}
