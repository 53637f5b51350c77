package subscription

import (
	"context"
	"slices"
	"strings"
	"time"

	"tailrace/backend/store"
)

// What the inspector sees of subscriptions, and does to them.

const (
	// maxAttempts is how many deliveries of a subscription are remembered.
	maxAttempts = 20
	// maxLinks is how many streams of one are shown.
	maxLinks = 200
)

// Attempt is a delivery of a webhook, as it went.
type Attempt struct {
	At         time.Time
	Took       time.Duration
	Generation int64
	Status     int    // of the answer; 0: there was none
	Done       bool   // the receiver answered {"done":true}
	Error      string // why it counts as failed; "": it does not
}

// Sight is a subscription as it stands.
type Sight struct {
	store.Subscription
	State   string // idle, stuck, waking, retrying or leased
	Trouble string // why it cannot go on; "": it can
	Links   int    // streams, in all
	// Pending is how many of them have something behind their cursors. Shown are the
	// first of those and then of the others.
	Pending int
	Shown   []store.Link
	// Attempts are the latest deliveries since the server started, newest first.
	Attempts []Attempt
}

// List returns all subscriptions, without their streams.
func (m *Manager) List(ctx context.Context) ([]Sight, error) {
	rows, err := m.db.Subscriptions(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Sight, len(rows))
	for i, row := range rows {
		list[i] = newSight(&row.Subscription)
		list[i].Links = row.Links
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range list {
		if a := m.actors[list[i].ID]; a != nil {
			list[i].hinder(*a.hindrance.Load())
		}
	}
	return list, nil
}

func newSight(s *store.Subscription) Sight {
	return Sight{Subscription: *s, State: stateOf(s), Trouble: s.LastError}
}

// hinder says what keeps the subscription from going on; nil: nothing.
func (s *Sight) hinder(err error) {
	if err == nil {
		return
	}
	s.Trouble = err.Error()
	if s.State == "idle" {
		s.State = "stuck"
	}
}

// Look returns one subscription with its streams and deliveries.
func (m *Manager) Look(ctx context.Context, id string) (*Sight, error) {
	var s *Sight
	err := m.do(id, func(a *actor) (err error) {
		s, err = a.look(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s.Attempts = slices.Clone(m.attempts[id])
	slices.Reverse(s.Attempts)
	return s, nil
}

func (a *actor) look(ctx context.Context) (*Sight, error) {
	if err := a.exists(); err != nil {
		return nil, err
	}
	pending, err := a.pending()
	if err != nil {
		return nil, err
	}
	s := newSight(a.sub)
	s.Pending = len(pending)
	s.hinder(a.trouble.err)
	if s.Links, err = a.m.db.CountLinks(ctx, a.sub.Number); err != nil {
		return nil, err
	}
	others, err := a.m.db.FirstLinks(ctx, a.sub.Number, maxLinks)
	if err != nil {
		return nil, err
	}
	s.Shown = slices.Clone(pending[:min(len(pending), maxLinks)])
	for _, l := range others {
		if len(s.Shown) < maxLinks && !a.candidates[l.Path] {
			s.Shown = append(s.Shown, l)
		}
	}
	slices.SortFunc(s.Shown, func(a, b store.Link) int { return strings.Compare(a.Path, b.Path) })
	return &s, nil
}

// AckedToken is the offset that a link is acked to; "-1": nothing is.
func AckedToken(l *store.Link) string { return ackedToken(l) }

// stateOf says in a word what a subscription does.
func stateOf(s *store.Subscription) string {
	switch {
	case s.WakeID == "":
		return "idle"
	case s.Delivered || s.Holder != "":
		return "leased"
	case s.Attempts > 0:
		return "retrying"
	}
	return "waking"
}

// Redeliver sends the wake in flight to its webhook now: once more, or without
// waiting for the time of the next attempt.
func (m *Manager) Redeliver(id string) error {
	return m.do(id, func(a *actor) error {
		if err := a.ofType(store.TypeWebhook); err != nil {
			return err
		}
		switch {
		case a.sub.WakeID == "":
			return refuse(CodeNoWork, "there is no wake to deliver: everything is acked")
		case a.attempt != nil:
			return refuse(CodeClaimed, "a delivery is under way")
		}
		next := *a.sub
		next.Delivered, next.LeaseUntil, next.NextAttempt = false, 0, a.m.now().UnixMilli()
		if err := a.commit(&store.SubscriptionChange{Sub: &next}); err != nil {
			return err
		}
		a.attemptAt = time.Now()
		return nil
	})
}

// Release takes the wake in flight from whoever works on it. What is pending then
// begins a new one, and reports for the old one are fenced off.
func (m *Manager) Release(id string) error {
	return m.do(id, func(a *actor) error {
		if err := a.exists(); err != nil {
			return err
		}
		if a.sub.WakeID == "" || !a.leased() {
			return refuse(CodeNoWork, "nobody holds a lease")
		}
		return a.endWake(nil)
	})
}

// Remove deletes a subscription.
func (m *Manager) Remove(id string) error {
	return m.do(id, func(a *actor) error {
		if err := a.exists(); err != nil {
			return err
		}
		return a.remove()
	})
}

// remember notes how a delivery went.
func (m *Manager) remember(id string, generation int64, o *outcome) {
	at := Attempt{At: o.started, Took: o.took, Generation: generation, Status: o.status, Done: o.done}
	if o.err != nil {
		at.Error = clip(o.err.Error())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	list := append(m.attempts[id], at)
	m.attempts[id] = list[max(0, len(list)-maxAttempts):]
}

// forget drops what was noted about a subscription.
func (m *Manager) forget(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.attempts, id)
}
