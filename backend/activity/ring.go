package activity

import (
	"slices"
	"time"
)

// ring holds the samples of one window.
type ring struct {
	step time.Duration
	kept []Sample
	next int // where the next one goes, once the ring is full
	at   time.Time
}

func newRing(step time.Duration) ring { return ring{step: step} }

// add puts a sample at the end. Steps that nobody sampled, while the machine
// slept or the stream was not in use, are empty ones.
func (r *ring) add(at time.Time, s Sample) {
	size := int(Window / r.step)
	if !r.at.IsZero() {
		for range min(size, int((at.Sub(r.at)+r.step/2)/r.step)-1) {
			r.put(Sample{}, size)
		}
	}
	r.put(s, size)
	r.at = at
}

func (r *ring) put(s Sample, size int) {
	if len(r.kept) < size {
		r.kept = append(r.kept, s)
		return
	}
	r.kept[r.next] = s
	r.next = (r.next + 1) % size
}

func (r *ring) samples() (time.Time, []Sample) {
	return r.at, append(slices.Clone(r.kept[r.next:]), r.kept[:r.next]...)
}
