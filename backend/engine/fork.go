package engine

import (
	"context"
	"errors"
	"fmt"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// ForkRequest makes a creation a fork (PROTOCOL §4.2).
type ForkRequest struct {
	From      string // path of the source
	Offset    string // token as sent; empty: the source's tail
	SubOffset int64  // messages for JSON, else bytes, behind Offset
}

// branch is a resolved ForkRequest: where the fork begins, and what it takes
// over from its source.
type branch struct {
	source   *State
	position store.Position
}

// errNeedsSource: the stream does not exist yet, and to create it the source has
// to be asked first.
var errNeedsSource = errors.New("the source of the fork has not been resolved")

// createFork creates a fork. The source is asked by this goroutine, not by the
// fork's sequencer: no sequencer ever waits for another one. The source counts
// the fork from the moment it has resolved it, so that a deletion meanwhile
// keeps the data.
func (e *Engine) createFork(path string, r *CreateRequest) (Created, error) {
	res := e.do(path, command{create: r})
	if !errors.Is(res.err, errNeedsSource) {
		return res.created, res.err
	}
	if r.Fork.From == protocol.RegistryPath {
		return Created{}, protocol.ErrReadOnly
	}
	source, err := e.acquire(r.Fork.From)
	if err != nil {
		return Created{}, err
	}
	defer e.release(source)
	resolved := source.do(command{branch: r})
	if resolved.err != nil {
		return Created{}, resolved.err
	}
	defer source.do(command{unbranch: true})
	ready := *r
	ready.branch = resolved.branch
	if r.Frame != nil {
		ready.Payload, ready.PayloadErr = r.Frame(resolved.branch.source.Kind)
	}
	res = e.do(path, command{create: &ready})
	return res.created, res.err
}

// resolve answers a fork request on the source's sequencer, and counts the fork
// as pending.
func (s *sequencer) resolve(r *CreateRequest) (*branch, error) {
	st := s.state()
	switch {
	case !st.Exists:
		return nil, protocol.ErrNotFound
	case st.Deleted:
		return nil, &protocol.ConflictError{Field: protocol.HeaderStreamForkedFrom, Have: "been deleted", Want: "a fork of it"}
	}
	if r.ContentType != "" {
		if err := checkMedia(st.ContentType, r.ContentType); err != nil {
			return nil, err
		}
	}
	pos, err := s.branchPosition(st, r.Fork)
	if err != nil {
		return nil, err
	}
	s.pendingForks++
	return &branch{source: st, position: pos}, nil
}

// branchPosition is where in the source a fork begins.
func (s *sequencer) branchPosition(st *State, f *ForkRequest) (store.Position, error) {
	at := st.Tail
	if f.Offset != "" {
		o, err := protocol.ParseOffsetToken(f.Offset)
		if err != nil {
			return store.Position{}, err
		}
		if o != (protocol.Offset{}) && o.Incarnation != st.Incarnation || o.Position > st.Tail {
			return store.Position{}, &protocol.BadRequestError{
				Field:  protocol.HeaderStreamForkOffset,
				Reason: "beyond the end of the source, which is " + st.TailOffset().String(),
			}
		}
		at = o.Position
	}
	if f.SubOffset == 0 && at == st.Tail {
		return store.Position{Tail: st.Tail, Messages: st.Messages, Bytes: st.Bytes}, nil
	}
	ctx := context.Background()
	if f.SubOffset > 0 {
		b, err := s.engine.db.BatchAt(ctx, &st.Stream, at)
		if err != nil {
			return store.Position{}, err
		}
		// The sub-offset stays within the append that begins at the offset.
		if b == nil || f.SubOffset > b.End-at {
			return store.Position{}, &protocol.BadRequestError{
				Field:  protocol.HeaderStreamForkSubOffset,
				Reason: fmt.Sprintf("%d reaches beyond the append at the fork offset", f.SubOffset),
			}
		}
		at += f.SubOffset
	}
	return s.engine.db.PositionAt(ctx, &st.Stream, at)
}

// inherit turns a new stream into a fork.
func (b *branch) inherit(stream *store.Stream, r *CreateRequest) {
	src := b.source
	stream.ContentType, stream.Kind = src.ContentType, src.Kind
	stream.Incarnation = max(stream.Incarnation, src.Incarnation)
	stream.Position = b.position
	stream.Fork = &store.Fork{
		Source: src.ID, Base: b.position.Tail, BaseMessages: b.position.Messages,
		From: r.Fork.From, Offset: r.Fork.Offset, SubOffset: r.Fork.SubOffset,
	}
	stream.Expiry = inheritExpiry(r.Expiry, src.Expiry)
}

// inheritExpiry is the expiry of a fork: its own, or else its source's.
func inheritExpiry(own, source protocol.Expiry) protocol.Expiry {
	if own == (protocol.Expiry{}) {
		return source
	}
	return own
}

// checkSameFork compares a PUT with the fork that exists; a field that was left
// out matches whatever the source gave.
func (s *sequencer) checkSameFork(st *State, r *CreateRequest) error {
	have := st.Fork
	if have == nil || r.Fork == nil {
		return &protocol.ConflictError{Field: protocol.HeaderStreamForkedFrom, Have: forkName(have), Want: requestedFork(r.Fork)}
	}
	if have.From != r.Fork.From {
		return &protocol.ConflictError{Field: protocol.HeaderStreamForkedFrom, Have: have.From, Want: r.Fork.From}
	}
	if r.Fork.Offset != "" && r.Fork.Offset != have.Offset {
		return &protocol.ConflictError{Field: protocol.HeaderStreamForkOffset, Have: have.Offset, Want: r.Fork.Offset}
	}
	if r.Fork.SubOffset != have.SubOffset {
		return &protocol.ConflictError{
			Field: protocol.HeaderStreamForkSubOffset, Have: fmt.Sprint(have.SubOffset), Want: fmt.Sprint(r.Fork.SubOffset),
		}
	}
	source, err := s.engine.db.ExpiryOf(context.Background(), have.Source)
	if err != nil {
		return err
	}
	same := *r
	same.Expiry = inheritExpiry(r.Expiry, source)
	if same.ContentType == "" {
		same.ContentType = st.ContentType
	}
	return checkSame(st, &same)
}

func forkName(f *store.Fork) string {
	if f == nil {
		return "no source"
	}
	return f.From
}

func requestedFork(f *ForkRequest) string {
	if f == nil {
		return "no source"
	}
	return f.From
}

// inUse reports whether forks need the stream's data.
func (s *sequencer) inUse(st *State) (bool, error) {
	if s.pendingForks > 0 {
		return true, nil
	}
	n, err := s.engine.db.Forks(context.Background(), st.ID)
	return n > 0, err
}

// collect removes a soft-deleted stream that no fork needs any more.
func (s *sequencer) collect() error {
	if st := s.state(); st.Exists && st.Deleted {
		return s.drop(st)
	}
	return nil
}
