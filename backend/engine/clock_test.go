package engine

import (
	"testing"
	"time"

	"tailrace/backend/protocol"
)

// Sliding deadlines follow the steady clock, absolute ones the wall clock.
func TestClockJumps(t *testing.T) {
	wall := time.Now()
	c := clock{wall: func() time.Time { return wall }, opened: time.Now()}
	sliding := protocol.Expiry{HasTTL: true, TTL: 60}
	absolute := protocol.Expiry{At: wall, AtRaw: "x"}
	for _, jump := range []time.Duration{24 * time.Hour, -48 * time.Hour} {
		before := c.forExpiry(sliding)
		wall = wall.Add(jump)
		if moved := c.forExpiry(sliding) - before; moved < 0 || moved > time.Minute.Milliseconds() {
			t.Errorf("the clock was set by %v: sliding time moved by %d ms", jump, moved)
		}
		if c.forExpiry(absolute) != wall.UnixMilli() {
			t.Error("absolute time does not follow the wall clock")
		}
	}
}
