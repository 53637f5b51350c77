package engine

import (
	"sync"
	"time"

	"tailrace/backend/store"
)

// meterSeconds is how far back a meter remembers.
const meterSeconds = 60

// meter counts messages per second over the last minute.
type meter struct {
	mu     sync.Mutex
	last   int64 // unix second of the newest bucket
	counts [meterSeconds]int64
}

func (m *meter) add(now time.Time, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.roll(now.Unix())
	m.counts[m.last%meterSeconds] += n
}

// roll empties the buckets between the newest one and second.
func (m *meter) roll(second int64) {
	if second-m.last >= meterSeconds {
		m.counts = [meterSeconds]int64{}
		m.last = second
	}
	for m.last < second {
		m.last++
		m.counts[m.last%meterSeconds] = 0
	}
}

// Rate is a stream's messages in each of the last seconds.
type Rate struct {
	At     int64   // unix second of the last count
	Counts []int64 // oldest first
}

// rate returns the last minute, nil when nothing was counted in it.
func (m *meter) rate(now time.Time) *Rate {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.roll(now.Unix())
	r := &Rate{At: m.last, Counts: make([]int64, 0, meterSeconds)}
	any := int64(0)
	for i := range int64(meterSeconds) {
		n := m.counts[(m.last+1+i)%meterSeconds]
		any += n
		r.Counts = append(r.Counts, n)
	}
	if any == 0 {
		return nil
	}
	return r
}

// Activity is what is known about a stream in use besides its state.
type Activity struct {
	State     *State
	Deadline  int64 // unix milliseconds, 0: never
	Readers   int64
	Producers int64
	Rate      *Rate // nil: nothing appended in the last minute
	// Commits counts how long appends waited for the disk since the stream was
	// taken into use.
	Commits *store.Histogram
}

// Active returns all streams in use.
func (e *Engine) Active() []Activity {
	e.mu.Lock()
	list := make([]*sequencer, 0, len(e.active))
	for _, s := range e.active {
		list = append(list, s)
	}
	e.mu.Unlock()
	out := make([]Activity, 0, len(list))
	for _, s := range list {
		if a, ok := s.activity(); ok {
			out = append(out, a)
		}
	}
	return out
}

// Activity returns what is known about the stream at path if it is in use.
func (e *Engine) Activity(path string) (Activity, bool) {
	e.mu.Lock()
	s := e.active[path]
	e.mu.Unlock()
	if s == nil {
		return Activity{}, false
	}
	return s.activity()
}

func (s *sequencer) activity() (Activity, bool) {
	v := s.topic.Current()
	if v == nil || !v.Value.Exists {
		return Activity{}, false
	}
	return Activity{
		State:     &v.Value,
		Deadline:  s.deadline(&v.Value),
		Readers:   s.readers.Load(),
		Producers: s.producerCount.Load(),
		Rate:      s.meter.rate(s.engine.clock.wall()),
		Commits:   &s.commits,
	}, true
}
