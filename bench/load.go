package bench

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// load is what clients do while a measurement lasts.
type load struct {
	workers int
	most    int           // operations after which the measurement ends early; 0: none
	bytes   *atomic.Int64 // counts what has been received so far; nil: of no interest
	// do is operation n of a worker. A worker has one under way at a time.
	do func(ctx context.Context, worker, n int) error
}

// measured is what came of a load.
type measured struct {
	done      ledger // operations of each worker, warm-up included
	latencies []time.Duration
	elapsed   time.Duration
	bytes     int64 // received meanwhile
	usage     usage
}

const (
	warmingUp = iota
	measuring
	stopping
)

// drive runs a load: first to warm up, then measured. Operations count when they
// end within the measured time, which lasts until there is one. Those that are under way at its end are waited for.
func (c *cell) drive(ctx context.Context, l load) (*measured, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		phase   atomic.Int32
		counts  [2]atomic.Int64
		limits  = [2]int64{int64(l.most / 4), int64(l.most)}
		reached = [2]chan struct{}{make(chan struct{}), make(chan struct{})}
		first   = make(chan struct{}) // closed with the first operation that counts
		once    sync.Once
		running sync.WaitGroup
		done    = make([]int, l.workers)
		lat     = make([][]time.Duration, l.workers)
	)
	for w := range l.workers {
		running.Go(func() {
			for n := 0; ; n++ {
				if phase.Load() == stopping {
					return
				}
				start := time.Now()
				if err := l.do(ctx, w, n); err != nil {
					cancel(err)
					return
				}
				took := time.Since(start)
				done[w]++
				now := phase.Load()
				if now == stopping {
					return
				}
				if now == measuring {
					lat[w] = append(lat[w], took)
					once.Do(func() { close(first) })
				}
				if l.most > 0 && counts[now].Add(1) == limits[now] {
					close(reached[now])
				}
			}
		})
	}
	wait := func(d time.Duration, enough chan struct{}) {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-enough:
		case <-ctx.Done():
		}
	}
	wait(c.options.Warmup, reached[warmingUp])
	m := &measured{done: ledger{}}
	received := l.received()
	meter := c.startMeter()
	start := time.Now()
	phase.Store(measuring)
	wait(c.options.Duration, reached[measuring])
	select { // a server that is slow beyond measure still gets a figure
	case <-first:
	case <-ctx.Done():
	}
	phase.Store(stopping)
	m.elapsed = time.Since(start)
	m.usage = meter.stop()
	m.bytes = l.received() - received
	running.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	for w := range l.workers {
		m.done[w] = done[w]
		m.latencies = append(m.latencies, lat[w]...)
	}
	return m, nil
}

func (l *load) received() int64 {
	if l.bytes == nil {
		return 0
	}
	return l.bytes.Load()
}

// sample makes figures of it, with the rate in operations.
func (m *measured) sample() Sample {
	s := Sample{
		Operations: len(m.latencies),
		Seconds:    m.elapsed.Seconds(),
		PeakRSS:    m.usage.peakRSS,
	}
	s.Rate = float64(s.Operations) / s.Seconds
	s.setLatencies(m.latencies)
	s.setCPU(m.usage.cpu, float64(s.Operations))
	return s
}

func (s *Sample) setLatencies(l []time.Duration) {
	slices.Sort(l)
	s.P50, s.P99 = micros(percentile(l, 50)), micros(percentile(l, 99))
}

// setCPU divides what the server computed among what it did.
func (s *Sample) setCPU(cpu *time.Duration, done float64) {
	if cpu != nil && done > 0 {
		each := micros(*cpu) / done
		s.CPU = &each
	}
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// percentile is the nearest rank of sorted values; 0 when there are none.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)*p+99)/100-1]
}

// median of values, which it sorts.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}
