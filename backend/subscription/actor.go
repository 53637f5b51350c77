package subscription

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// actor decides about one subscription. Only its goroutine (run) touches the
// unguarded fields; what it decides is on disk before sub changes.
type actor struct {
	m      *Manager
	id     string
	wakeUp chan struct{} // capacity 1

	// Guarded by Manager.mu.
	inbox    []command
	noticed  bool     // there may be work
	mayWrite bool     // the wake stream has been created
	grown    []string // streams that have been appended to

	loaded     bool
	sub        *store.Subscription // as of the last commit, nil: there is none
	generation int64               // the last one, of a deleted subscription too
	check      bool                // pending work has to be looked for
	scanned    bool                // candidates is complete
	candidates map[string]bool     // streams that may have pending work; no others have
	attempt    *attempt            // the delivery of the wake in flight
	former     *attempt            // a delivery that goes on although its wake is over
	// Deadlines of this process; the stored ones follow the wall clock, which may
	// jump.
	leaseEnds, attemptAt time.Time
	trouble              trouble

	// hindrance is the error of trouble, for those who look at many subscriptions.
	hindrance atomic.Pointer[error]
}

// command is a request on its way to an actor.
type command struct {
	f     func(*actor) error
	reply chan error
}

// trouble is why a wake could not be written, and when to try again.
type trouble struct {
	err   error // nil: none
	again time.Time
	pause time.Duration
}

const (
	firstPause = time.Second
	longPause  = 30 * time.Second
)

// set notes an error and doubles the pause.
func (t *trouble) set(err error) {
	t.err = err
	t.pause = min(max(2*t.pause, firstPause), longPause)
	t.again = time.Now().Add(t.pause)
}

// signal makes run look at inbox and notices.
func (a *actor) signal() {
	select {
	case a.wakeUp <- struct{}{}:
	default:
	}
}

func (a *actor) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		commands, more := a.next()
		if !more {
			return
		}
		err := a.load()
		for _, c := range commands {
			if err != nil {
				c.reply <- err
				continue
			}
			c.reply <- c.f(a)
		}
		if err == nil {
			a.settle()
		}
		a.hindrance.Store(new(a.trouble.err))
		timer.Reset(a.untilDeadline())
		select {
		case <-a.wakeUp:
		case <-timer.C:
		case <-a.m.stop.Done():
		}
	}
}

// next takes what waits. It reports false when the actor has ended.
func (a *actor) next() ([]command, bool) {
	m := a.m
	m.mu.Lock()
	defer m.mu.Unlock()
	commands := a.inbox
	a.inbox = nil
	if m.closed {
		for _, c := range commands {
			c.reply <- protocol.ErrShuttingDown
		}
		delete(m.actors, a.id)
		return nil, false
	}
	if len(commands) == 0 && !a.noticed && a.loaded && a.idle() {
		delete(m.actors, a.id)
		return nil, false
	}
	if a.mayWrite {
		a.trouble = trouble{}
	}
	for _, path := range a.grown {
		a.candidates[path] = true
	}
	a.check = a.check || a.noticed
	a.noticed, a.mayWrite, a.grown = false, false, a.grown[:0]
	a.scanned = m.scanned[a.id]
	return commands, true
}

// idle reports whether there is nothing to wait for.
func (a *actor) idle() bool {
	return a.sub == nil || (a.sub.WakeID == "" && !a.check && a.trouble.err == nil && a.former == nil)
}

// load reads the subscription when the actor starts.
func (a *actor) load() error {
	if a.loaded {
		return nil
	}
	sub, generation, err := a.m.db.Subscription(context.Background(), a.id)
	if err != nil && !errors.Is(err, protocol.ErrNotFound) {
		a.trouble.set(err)
		a.m.log.Error("a subscription could not be read", "subscription", a.id, "error", err)
		return err
	}
	a.loaded, a.generation, a.trouble = true, generation, trouble{}
	if sub == nil {
		return nil
	}
	a.sub = sub
	now, ttl := a.m.now().UnixMilli(), a.ttl()
	a.leaseEnds = time.Now().Add(min(max(time.Duration(sub.LeaseUntil-now)*time.Millisecond, 0), ttl))
	a.attemptAt = time.Now().Add(min(max(time.Duration(sub.NextAttempt-now)*time.Millisecond, 0), longestBackoff))
	return nil
}

func (a *actor) ttl() time.Duration { return time.Duration(a.sub.LeaseTTL) * time.Millisecond }

// settle does what is due now. What fails for want of disk, say, is tried again
// after a pause.
func (a *actor) settle() {
	for a.sub != nil && !time.Now().Before(a.trouble.again) {
		again, err := a.step()
		if err != nil {
			if a.trouble.err == nil {
				a.m.log.Warn("a subscription cannot go on", "subscription", a.id, "error", err)
			}
			a.trouble.set(err)
			return
		}
		a.trouble = trouble{}
		if !again {
			return
		}
	}
}

// step does one thing that is due, and reports whether there may be another.
func (a *actor) step() (again bool, err error) {
	now := time.Now()
	switch s := a.sub; {
	case s.WakeID == "":
		if !a.check {
			return false, nil
		}
		return true, a.wake()
	case a.attempt != nil:
		return false, nil
	case s.Type == store.TypeWebhook && !s.Delivered:
		if now.Before(a.attemptAt) {
			return false, nil
		}
		return a.startAttempt()
	case a.leased() && !now.Before(a.leaseEnds):
		return true, a.endWake(nil)
	}
	return false, nil
}

// leased reports whether somebody works on the wake in flight: the wake event of
// a pull-wake subscription may wait for a claim as long as it likes.
func (a *actor) leased() bool { return a.sub.Delivered || a.sub.Holder != "" }

// untilDeadline is how long run may sleep.
func (a *actor) untilDeadline() time.Duration {
	const never = time.Duration(1<<63 - 1)
	var at time.Time
	switch s := a.sub; {
	case !a.loaded || a.trouble.err != nil:
		at = a.trouble.again
	case a.idle():
		return 0 // next ends the actor, unless something has come meanwhile
	case a.attempt != nil:
		return never
	case s.Type == store.TypeWebhook && !s.Delivered && s.WakeID != "":
		at = a.attemptAt
	case s.WakeID != "" && a.leased():
		at = a.leaseEnds
	default:
		return never
	}
	return max(time.Until(at), 0)
}

// commit makes a change durable and the actor's state.
func (a *actor) commit(ch *store.SubscriptionChange) error {
	if err := a.m.db.Commit(&store.Write{Subscriptions: []*store.SubscriptionChange{ch}}); err != nil {
		return err
	}
	a.assign(ch.Sub)
	return nil
}

func (a *actor) assign(sub *store.Subscription) {
	a.sub, a.generation, a.trouble = sub, sub.Generation, trouble{}
}
