package engine

import (
	"sync"
	"time"
)

// maxIdle is how many sequencers may stay before the janitor comes early, and
// janitorPause the shortest time between two rounds of it.
const (
	maxIdle      = 20_000
	janitorPause = time.Second
)

// wakeJanitor calls the janitor: there are many sequencers.
func (e *Engine) wakeJanitor() {
	select {
	case e.crowd <- struct{}{}:
	default:
	}
}

// runJanitor puts away sequencers that nobody has used between two of its rounds.
func (e *Engine) runJanitor() {
	tick := time.NewTicker(e.idleAfter / 2)
	defer tick.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-pause.C:
		case <-e.stop.Done():
			return
		}
		select {
		case <-tick.C:
		case <-e.crowd:
		case <-e.stop.Done():
			return
		}
		e.retireIdle()
		pause.Reset(janitorPause)
	}
}

// retireIdle is one round: it marks what it finds, and retires what still has its
// mark from the round before.
func (e *Engine) retireIdle() {
	var unsettled []*sequencer // whose deadline has to be stored first
	e.mu.Lock()
	for _, s := range e.active {
		switch {
		case s.refs > 0:
		case s.used:
			s.used = false
		case s.settled():
			e.retireLocked(s)
		default:
			s.refs++
			unsettled = append(unsettled, s)
		}
	}
	e.mu.Unlock()
	if len(unsettled) == 0 {
		return
	}
	var wg sync.WaitGroup
	for _, s := range unsettled {
		// At the same time, so that they share commits.
		wg.Go(func() { s.do(command{expire: true}) }) // it logs what fails
	}
	wg.Wait()
	e.mu.Lock()
	for _, s := range unsettled {
		if s.refs--; s.refs == 0 && !s.used && s.settled() {
			e.retireLocked(s)
		}
	}
	e.mu.Unlock()
	e.wakeSweeper() // which sees to their deadlines from now on
}

// settled reports whether the log knows all that the sequencer does.
func (s *sequencer) settled() bool {
	d := s.deadline(s.state())
	return d == 0 || d == s.stored.Load()
}

// retireLocked takes a sequencer that nobody holds out of service.
func (e *Engine) retireLocked(s *sequencer) {
	delete(e.active, s.path)
	if s.alarm != nil {
		s.alarm.Stop()
	}
}
