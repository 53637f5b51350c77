package snapshot

import (
	"context"
	"errors"
	"time"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// Pauses between attempts at a snapshot that was noted when its stream was closed.
const (
	firstPause = 5 * time.Second
	maxPause   = 10 * time.Minute
)

// runTasks takes the snapshots that closures have asked for, until the manager is
// closed.
func (m *Manager) runTasks() {
	for {
		wait := m.takeDue()
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-m.wake:
			timer.Stop()
		case <-m.stop.Done():
			timer.Stop()
			return
		}
	}
}

// takeDue carries out what is due, and returns how long to wait for the rest.
func (m *Manager) takeDue() time.Duration {
	tasks, err := m.o.Store.SnapshotTasks(m.stop)
	if err != nil {
		if m.stop.Err() == nil {
			m.o.Log.Error("looking for snapshots to take failed", "error", err)
		}
		return maxPause
	}
	wait := maxPause
	for _, t := range tasks {
		if left := time.Duration(t.NextAttempt-m.o.Now().UnixMilli()) * time.Millisecond; left > 0 {
			wait = min(wait, left)
			continue
		}
		if again := m.takeTask(&t); again > 0 {
			wait = min(wait, again)
		}
		if m.stop.Err() != nil {
			return wait
		}
	}
	return wait
}

// takeTask takes one snapshot as a job, and returns how long to wait before the
// next attempt; 0: none is needed.
func (m *Manager) takeTask(t *store.SnapshotTask) time.Duration {
	j, err := m.start(KindCreate, t.Path, nil, func(ctx context.Context, j *Job) (any, error) {
		captured, err := m.o.Engine.Capture(t.Path)
		if err != nil {
			return nil, err
		}
		if captured.Stream.Incarnation != t.Incarnation {
			return nil, protocol.ErrNotFound
		}
		return m.create(ctx, j, CreateRequest{Path: t.Path, To: Where{Name: t.Target}}, t.ID)
	})
	if err != nil {
		return maxPause // the manager is being closed
	}
	<-j.Done()
	err = j.Progress().Err
	var unknown *UnknownTargetError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errStopped), errors.Is(err, protocol.ErrShuttingDown):
		return maxPause // the next start goes on
	case errors.Is(err, protocol.ErrNotFound), errors.Is(err, protocol.ErrGone), errors.As(err, &unknown), errors.Is(err, context.Canceled):
		m.o.Log.Warn("the snapshot of a closed stream is not taken", "stream", t.Path, "target", t.Target, "error", err)
		err = m.o.Store.DropSnapshotTask(t.ID)
		if err == nil {
			return 0
		}
	}
	pause := min(firstPause<<min(t.Attempts, 8), maxPause)
	m.o.Log.Warn("the snapshot of a closed stream failed and will be tried again", "stream", t.Path, "target", t.Target, "in", pause, "error", err)
	if err := m.o.Store.PostponeSnapshotTask(t.ID, m.o.Now().Add(pause).UnixMilli(), err.Error()); err != nil {
		m.o.Log.Error("a failed snapshot could not be noted", "stream", t.Path, "error", err)
	}
	return pause
}
