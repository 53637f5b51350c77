package engine

import (
	"errors"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// CreateRequest asks for a stream at a path (PROTOCOL §5.1).
type CreateRequest struct {
	ContentType string // as sent; empty: protocol.DefaultContentType
	Expiry      protocol.Expiry
	Closed      bool
	// Payload is the initial content; PayloadErr what is wrong with it. An error
	// only matters when the stream does not exist yet.
	Payload    protocol.Payload
	PayloadErr error
	// Fork makes the stream a fork; nil: an ordinary one. An empty ContentType is
	// then the source's, and Frame makes the payload once that is known.
	Fork  *ForkRequest
	Frame func(protocol.Kind) (protocol.Payload, error)

	branch *branch // the resolved Fork
}

// Created is the outcome of a CreateRequest.
type Created struct {
	State *State
	New   bool // false: it was there already, with the same configuration
}

// AppendRequest asks to append to a stream, to close it, or both (PROTOCOL §5.2).
type AppendRequest struct {
	ContentType string // as sent; empty: none
	Empty       bool   // the request had no body
	// Payload is the body framed for the content type of the request; PayloadErr
	// what is wrong with it. It is looked at last: other refusals come first.
	Payload    protocol.Payload
	PayloadErr error
	Close      bool
	StreamSeq  string // empty: none
	Producer   *protocol.Producer
	// Frame makes the payload for whatever kind of stream is there, instead of
	// ContentType and Payload; nil: those count.
	Frame func(protocol.Kind) (protocol.Payload, error)
	// Subscription is changed in the same transaction; nil: none.
	Subscription *store.SubscriptionChange
	// Mirrored is stored in the same transaction, with the tail as its Position. The
	// append is refused unless the stream is the one that it names and ends where its
	// Position is; nil: nothing mirrors.
	Mirrored *store.MirrorStream
}

// ErrNotMirror: the stream at the path is not the copy that a mirror makes, or has
// been written to by somebody else.
var ErrNotMirror = errors.New("the stream here is not as the mirror left it: somebody else has written to it, or made another one")

// Appended is the outcome of an AppendRequest that was not refused.
type Appended struct {
	Next      protocol.Offset // the tail
	First     int64           // ordinal of the first message that was written
	Closed    bool            // the stream is closed now
	Duplicate bool            // nothing was written: it had been before
	// Producer holds the epoch and the highest accepted sequence number; nil when
	// the request had no producer.
	Producer *protocol.Producer
}

// State is what is at a path at some moment. It is immutable.
type State struct {
	// Exists is false when there is no stream; then the rest is empty. A
	// soft-deleted stream exists.
	Exists bool
	store.Stream

	frames *frames // nil: there were no live readers
}

// Offset is the token of a position in this stream.
func (s *State) Offset(position int64) protocol.Offset {
	return protocol.Offset{Incarnation: s.Incarnation, Position: position}
}

// TailOffset is the token of the tail.
func (s *State) TailOffset() protocol.Offset { return s.Offset(s.Tail) }
