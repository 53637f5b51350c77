package engine

import (
	"time"

	"tailrace/backend/protocol"
)

// clock tells two times. The wall clock stamps what is written and decides about
// absolute expiry. Sliding TTLs count on a steady one, which begins with the wall
// clock when the engine opens and from then on only runs as fast as time does: a
// clock that is set, or a machine that slept, makes no stream expire early.
type clock struct {
	wall   func() time.Time
	opened time.Time
	// injected: the wall clock is a test's, and steady by itself.
	injected bool
}

func newClock(now func() time.Time) clock {
	if now == nil {
		return clock{wall: time.Now, opened: time.Now()}
	}
	return clock{wall: now, injected: true}
}

// steady is the steady time in unix milliseconds.
func (c *clock) steady() int64 {
	if c.injected {
		return c.wall().UnixMilli()
	}
	// time.Since uses the monotonic reading of opened.
	return c.opened.UnixMilli() + time.Since(c.opened).Milliseconds()
}

// forExpiry is the time that a deadline of x is compared with, in unix
// milliseconds.
func (c *clock) forExpiry(x protocol.Expiry) int64 {
	if x.HasTTL {
		return c.steady()
	}
	return c.wall().UnixMilli()
}
