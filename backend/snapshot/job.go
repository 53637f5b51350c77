package snapshot

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// Kinds of jobs.
const (
	KindCreate  = "create"
	KindVerify  = "verify"
	KindRestore = "restore"
	KindCompact = "compact"

	KindBackup       = "backup"
	KindVerifyBackup = "verify_backup"
)

// States of jobs.
const (
	JobRunning  = "running"
	JobDone     = "done"
	JobFailed   = "failed"
	JobCanceled = "canceled"
)

// keptJobs is how many finished jobs are remembered.
const keptJobs = 200

// Job is work that goes on by itself.
type Job struct {
	ID      int64
	Kind    string
	Subject string // the stream, or the file
	Started time.Time

	request []byte // what it was asked for, as JSON; nil: it begins by itself, or is not known

	now    func() time.Time
	cancel context.CancelCauseFunc
	done   chan struct{}
	bytes  atomic.Int64
	total  atomic.Int64

	mu       sync.Mutex
	ended    time.Time
	result   any
	err      error
	canceled bool
}

// Progress is where a job stands.
type Progress struct {
	State  string
	Bytes  int64 // payload read or written so far
	Total  int64 // 0: not known
	Rate   int64 // bytes a second, on average
	Ended  time.Time
	Result any
	Err    error
}

// Progress tells where the job stands.
func (j *Job) Progress() Progress {
	j.mu.Lock()
	defer j.mu.Unlock()
	p := Progress{State: JobRunning, Bytes: j.bytes.Load(), Total: j.total.Load(), Ended: j.ended, Result: j.result, Err: j.err}
	until := j.ended
	switch {
	case until.IsZero():
		until = j.now()
	case j.canceled:
		p.State = JobCanceled
	case j.err != nil:
		p.State = JobFailed
	default:
		p.State = JobDone
	}
	if ms := until.Sub(j.Started).Milliseconds(); ms > 0 {
		p.Rate = p.Bytes * 1000 / ms
	}
	return p
}

// Done is closed when the job has ended.
func (j *Job) Done() <-chan struct{} { return j.done }

// Cancel ends the job as soon as it can be ended without leaving anything half
// done.
func (j *Job) Cancel() { j.cancel(context.Canceled) }

// start runs work as a job. The request is what Again begins it with; nil: it cannot.
func (m *Manager) start(kind, subject string, request any, work func(context.Context, *Job) (any, error)) (*Job, error) {
	ctx, cancel := context.WithCancelCause(m.stop)
	var asked []byte
	if request != nil {
		var err error
		if asked, err = json.Marshal(request); err != nil {
			cancel(nil)
			return nil, err
		}
	}
	j := &Job{ID: m.lastID.Add(1), Kind: kind, Subject: subject, Started: m.o.Now(), request: asked, now: m.o.Now, cancel: cancel, done: make(chan struct{})}
	// Before it begins, so that a crash does not hide that it had.
	if err := m.o.Store.AddJob(&store.Job{ID: j.ID, Kind: kind, Subject: subject, StartedAt: j.Started.UnixMilli(), Request: asked}); err != nil {
		cancel(nil)
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		cancel(nil)
		return nil, protocol.ErrShuttingDown
	}
	m.jobs = append(m.jobs, j)
	if len(m.jobs) > keptJobs {
		m.jobs = slices.DeleteFunc(m.jobs, func(old *Job) bool {
			return len(m.jobs) > keptJobs && old == m.jobs[0] && old.Progress().State != JobRunning
		})
	}
	m.running.Go(func() {
		defer close(j.done)
		defer cancel(nil)
		result, err := m.inSlot(ctx, j, work)
		if m.stop.Err() != nil && errors.Is(err, context.Canceled) {
			err = errStopped
		}
		j.end(m.o.Now(), result, err)
		if err := m.o.Store.EndJob(j.record()); err != nil {
			m.o.Log.Warn("the end of a job could not be noted", "job", j.ID, "error", err)
		}
	})
	return j, nil
}

// end notes the outcome.
func (j *Job) end(at time.Time, result any, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, partly := result.([]Compaction); err != nil && !partly {
		result = nil // not a nil pointer of some type, which is not nothing
	}
	j.ended, j.result, j.err, j.canceled = at, result, err, errors.Is(err, context.Canceled)
}

// inSlot waits for a slot and works in it.
func (m *Manager) inSlot(ctx context.Context, j *Job, work func(context.Context, *Job) (any, error)) (any, error) {
	select {
	case m.slots <- struct{}{}:
		defer func() { <-m.slots }()
		return work(ctx, j)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Jobs returns running and remembered jobs, newest first.
func (m *Manager) Jobs() []*Job {
	m.mu.Lock()
	defer m.mu.Unlock()
	jobs := slices.Clone(m.jobs)
	slices.Reverse(jobs)
	return jobs
}

// Job returns a job by number, nil when there is none.
func (m *Manager) Job(id int64) *Job {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, j := range m.jobs {
		if j.ID == id {
			return j
		}
	}
	return nil
}

// counting counts what is read through it towards a job.
type counting struct {
	r   io.Reader
	job *Job
}

func (c counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.job.bytes.Add(int64(n))
	return n, err
}
