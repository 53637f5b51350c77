package engine

import "tailrace/backend/live"

// Frame is a part of a stream in the form in which live readers are sent it.
type Frame struct {
	Bytes  []byte // shared, must not be changed
	Next   int64  // position behind it
	AtTail bool   // there was nothing more to read
	Err    error  // why there is no frame
}

// FrameKey tells frames of one state apart.
type FrameKey struct {
	From   int64
	Cursor string
}

// frames holds the frame that readers of a state share.
type frames struct {
	before int64 // tail of the state before: what lies behind it is in memory
	memo   live.Memo[FrameKey, Frame]
}

const (
	// maxFrame is the largest frame that is kept: the last one of a stream stays in
	// memory until the next append.
	maxFrame = 64 << 10
	// heldBack is how far before the tail readers that have read everything may be,
	// because they wait for the rest of a character.
	heldBack = 3
)

// Frame returns what encode makes of st at a place; readers at the same one share
// it.
func (r *Reader) Frame(st *State, at FrameKey, encode func(*State, FrameKey) Frame) Frame {
	if st.frames == nil || at.From < st.frames.before-heldBack {
		return encode(st, at)
	}
	return st.frames.memo.Get(at, func() (Frame, bool) {
		f := encode(st, at)
		return f, f.Err == nil && len(f.Bytes) <= maxFrame
	})
}
