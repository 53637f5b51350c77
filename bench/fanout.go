package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// fanout is a scenario of one writer and many live readers of its stream.
type fanout struct {
	readers int
	rate    int // messages in a second
	follow  func(ctx context.Context, l *listener) error
}

const fanoutBody = 100

// audience is all readers and what they wait for.
type audience struct {
	form      *form
	sent      []atomic.Int64 // when a message was sent, as nanoseconds since began
	began     time.Time
	connected sync.WaitGroup // readers that have not got an answer yet
	listeners []*listener
	target    atomic.Int64  // messages that each is to get
	complete  chan struct{} // closed when all have as many
	once      sync.Once
}

// listener is one live reader. It keeps what it gets: that it is complete and in
// order is checked afterwards.
type listener struct {
	cell      *cell
	audience  *audience
	path      string
	offset    string
	cursor    string
	connected bool

	data    []byte // all messages, whole
	arrived []time.Duration
	count   atomic.Int64 // of arrived, for others
}

func (f fanout) run(ctx context.Context, c *cell) (Sample, error) {
	path := c.path(0)
	if err := c.create(ctx, typeText, 1); err != nil {
		return Sample{}, err
	}
	ahead, counted := f.messages(c.options.Warmup), max(f.messages(c.options.Duration), 1)
	a := &audience{
		form: plain(fanoutBody), sent: make([]atomic.Int64, ahead+counted), began: time.Now(),
		complete: make(chan struct{}),
	}
	a.target.Store(math.MaxInt64)
	a.connected.Add(f.readers)

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for range f.readers {
		a.listeners = append(a.listeners, &listener{cell: c, audience: a, path: path, offset: "-1"})
	}
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel(nil)
	for i, l := range a.listeners {
		running.Go(func() {
			if err := f.follow(ctx, l); err != nil {
				cancel(fmt.Errorf("reader %d: %w", i, err))
			}
			l.connect() // whoever waits for it is to learn of the end
		})
	}
	a.connected.Wait()
	if ctx.Err() != nil {
		return Sample{}, context.Cause(ctx)
	}

	posted, m, err := f.post(ctx, c, a, path, ahead)
	if err != nil {
		return Sample{}, err
	}
	cancel(nil)
	running.Wait()
	return f.sum(a, m, ahead, posted)
}

func (f fanout) messages(d time.Duration) int { return int(d.Seconds() * float64(f.rate)) }

// post appends messages at the rate, the first ones to warm up, and waits for their
// delivery. A server that cannot hold the rate gets fewer.
func (f fanout) post(ctx context.Context, c *cell, a *audience, path string, ahead int) (posted int, m *measured, err error) {
	var (
		header = c.server.with("Content-Type", typeText)
		body   []byte
		start  = time.Now()
		tick   = time.Second / time.Duration(f.rate)
		meter  meter
		from   time.Time // of the measured part
	)
	m = &measured{}
	for n := 0; n < len(a.sent); n++ {
		if err := sleepUntil(ctx, start.Add(time.Duration(n)*tick)); err != nil {
			return 0, nil, err
		}
		if n == ahead {
			meter, from = c.startMeter(), time.Now()
		}
		if n > ahead && time.Since(from) >= c.options.Duration {
			break
		}
		body = a.form.append(body[:0], 0, n)
		a.sent[n].Store(int64(time.Since(a.began)))
		if err := c.append(ctx, path, header, body, false); err != nil {
			return 0, nil, err
		}
		posted = n + 1
	}
	// The last message has its share of time, too: as many ticks as messages.
	m.elapsed = max(time.Since(from), time.Duration(posted-ahead)*tick)
	a.target.Store(int64(posted))
	a.settle()
	timer := time.NewTimer(c.options.Patience)
	defer timer.Stop()
	select {
	case <-a.complete:
	case <-timer.C: // what is missing is told by the comparison
	case <-ctx.Done():
		return 0, nil, context.Cause(ctx)
	}
	m.usage = meter.stop()
	return posted, m, nil
}

// sleepUntil waits for a moment, which may have passed.
func sleepUntil(ctx context.Context, t time.Time) error {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// sum compares what each reader got and makes figures of it.
func (f fanout) sum(a *audience, m *measured, ahead, posted int) (Sample, error) {
	for i, l := range a.listeners {
		if err := a.form.check(ledger{0: posted}, a.form.split(bytes.NewReader(l.data))); err != nil {
			return Sample{}, fmt.Errorf("reader %d of %s: %w", i, l.path, err)
		}
		for n := ahead; n < posted; n++ {
			m.latencies = append(m.latencies, l.arrived[n]-time.Duration(a.sent[n].Load()))
		}
	}
	s := m.sample()
	s.Posts = float64(posted-ahead) / s.Seconds
	return s, nil
}

// settle ends the wait once every reader has as many messages as it is to get. What
// one has too much must not stand for what another lacks.
func (a *audience) settle() {
	target := a.target.Load()
	for _, l := range a.listeners {
		if l.count.Load() < target {
			return
		}
	}
	a.once.Do(func() { close(a.complete) })
}

// connect says that the reader has got an answer.
func (l *listener) connect() {
	if !l.connected {
		l.connected = true
		l.audience.connected.Done()
	}
}

// take keeps data that arrived at a moment.
func (l *listener) take(data []byte, at time.Time) {
	l.data = append(l.data, data...)
	for len(l.arrived) < len(l.data)/fanoutBody {
		l.arrived = append(l.arrived, at.Sub(l.audience.began))
	}
	l.count.Store(int64(len(l.arrived)))
	l.audience.settle()
}

// over reports whether an error is only the end of the measurement.
func over(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, ctx.Err()))
}
