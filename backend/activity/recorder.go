package activity

import (
	"sync"
	"time"

	"tailrace/backend/engine"
	"tailrace/backend/store"
)

// The window, and how finely it is divided.
const (
	Window     = 15 * time.Minute
	Step       = time.Second
	StreamStep = 5 * time.Second
	// MaxStreams is how many streams have a series of their own; those that were
	// used last keep theirs.
	MaxStreams = 1000
)

// Sample is what happened in one step.
type Sample struct {
	Appends float64 // appends a second; for one stream messages a second
	Bytes   float64 // bytes a second
	Readers int64   // open long-polls and SSE responses at its end
	// P50 and P99 are within what time half and nearly all commits were done, for one
	// stream as its appends waited for them; 0: there was none.
	P50, P99 time.Duration
}

// Recorder samples a server.
type Recorder struct {
	engine *engine.Engine
	db     *store.DB
	now    func() time.Time

	mu      sync.Mutex
	all     ring
	streams map[int64]*series

	last     counters
	lastAt   time.Time
	streamAt time.Time

	stop chan struct{}
	done sync.WaitGroup
}

// series is one stream's ring and where its counters stood.
type series struct {
	ring
	messages, bytes int64
	commits         store.Counts
	used            time.Time
}

// counters are totals at a moment.
type counters struct {
	appends, bytes int64
	commits        store.Counts
}

// Open starts a recorder. It must be closed before the engine and the log are.
func Open(e *engine.Engine, db *store.DB, now func() time.Time) *Recorder {
	r := &Recorder{
		engine: e, db: db, now: now, stop: make(chan struct{}),
		all: newRing(Step), streams: map[int64]*series{},
	}
	r.last, r.lastAt, r.streamAt = r.count(), now(), now()
	r.done.Go(func() {
		tick := time.NewTicker(Step)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				r.sample()
			case <-r.stop:
				return
			}
		}
	})
	return r
}

// Close ends the recorder.
func (r *Recorder) Close() {
	close(r.stop)
	r.done.Wait()
}

func (r *Recorder) count() counters {
	totals := r.engine.Totals()
	return counters{totals.Appends.Load(), totals.Bytes.Load(), r.db.CommitCounts()}
}

func (r *Recorder) sample() {
	now, c := r.now(), r.count()
	seconds := now.Sub(r.lastAt).Seconds()
	if seconds <= 0 {
		return
	}
	s := Sample{
		Appends: float64(c.appends-r.last.appends) / seconds,
		Bytes:   float64(c.bytes-r.last.bytes) / seconds,
		Readers: r.engine.Totals().Readers.Load(),
		P50:     c.commits.Quantile(&r.last.commits, 0.5), P99: c.commits.Quantile(&r.last.commits, 0.99),
	}
	r.last, r.lastAt = c, now
	r.mu.Lock()
	r.all.add(now, s)
	r.mu.Unlock()
	if seconds = now.Sub(r.streamAt).Seconds(); seconds < StreamStep.Seconds()-0.5 {
		return
	}
	since := r.streamAt
	r.streamAt = now
	active := r.engine.Active()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range active {
		r.sampleStream(since, now, &active[i])
	}
	r.trim(now)
}

func (r *Recorder) sampleStream(since, now time.Time, a *engine.Activity) {
	st, seconds := a.State, now.Sub(since).Seconds()
	known := r.streams[st.ID]
	if known == nil {
		if len(r.streams) >= 2*MaxStreams {
			return
		}
		// What it held before is not what it did in this step, unless it is new.
		known = &series{ring: newRing(StreamStep), messages: st.Messages, bytes: st.Bytes, commits: a.Commits.Counts()}
		if st.CreatedAt >= since.UnixMilli() {
			known.messages, known.bytes, known.commits = 0, 0, store.Counts{}
		}
		r.streams[st.ID] = known
	}
	commits := a.Commits.Counts()
	for i := range commits {
		if commits[i] < known.commits[i] { // the stream was put away meanwhile, and counts anew
			known.commits = store.Counts{}
		}
	}
	s := Sample{
		Appends: float64(st.Messages-known.messages) / seconds,
		Bytes:   float64(st.Bytes-known.bytes) / seconds,
		Readers: a.Readers,
		P50:     commits.Quantile(&known.commits, 0.5), P99: commits.Quantile(&known.commits, 0.99),
	}
	known.messages, known.bytes, known.commits = st.Messages, st.Bytes, commits
	known.add(now, s)
	if s != (Sample{}) || known.used.IsZero() {
		known.used = now
	}
}

// trim forgets streams that have done nothing for a whole window and, while there
// are too many, those that have done nothing for longest.
func (r *Recorder) trim(now time.Time) {
	limit := Window
	for {
		for id, s := range r.streams {
			if now.Sub(s.used) >= limit {
				delete(r.streams, id)
			}
		}
		if len(r.streams) <= MaxStreams || limit < StreamStep {
			return
		}
		limit /= 2
	}
}

// All returns the samples of all streams together, oldest first, and when the
// last one ended.
func (r *Recorder) All() (time.Time, []Sample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all.samples()
}

// Stream returns the samples of one stream.
func (r *Recorder) Stream(id int64) (time.Time, []Sample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.streams[id]; s != nil {
		return s.samples()
	}
	return r.now(), nil
}
