package subscription

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

const (
	// attemptTimeout bounds one delivery, unless the lease is shorter.
	attemptTimeout = 30 * time.Second
	// Retries wait twice as long each time (PROTOCOL §7.1).
	firstBackoff = time.Second
	lastBackoff  = time.Minute
	// longestBackoff is lastBackoff with all of its jitter.
	longestBackoff = lastBackoff + lastBackoff/5
)

// attempt is a delivery under way.
type attempt struct{ cancel context.CancelFunc }

// outcome is how a delivery went.
type outcome struct {
	started time.Time
	took    time.Duration
	status  int  // of the answer; 0: there was none
	done    bool // the receiver has answered {"done":true}
	err     error
}

// notification is what a webhook receives (PROTOCOL §7.1).
type notification struct {
	Subscription string          `json:"subscription_id"`
	WakeID       string          `json:"wake_id"`
	Generation   int64           `json:"generation"`
	Streams      json.RawMessage `json:"streams"`
	CallbackURL  string          `json:"callback_url"`
	Token        string          `json:"callback_token"`
}

// startAttempt begins to deliver the wake in flight. After a failed attempt it
// first looks whether there is still something to wake for.
func (a *actor) startAttempt() (again bool, err error) {
	s := a.sub
	if s.Attempts > 0 {
		links, err := a.pending()
		if err != nil {
			return false, err
		}
		if len(links) == 0 {
			return true, a.endWake(nil)
		}
	}
	body, err := json.Marshal(notification{
		Subscription: s.ID,
		WakeID:       s.WakeID,
		Generation:   s.Generation,
		Streams:      s.Snapshot,
		CallbackURL:  a.m.baseURL(s) + controlRoot + "subscriptions/" + url.PathEscape(s.ID) + "/callback",
		Token:        a.m.keys.Load().token(s),
	})
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithCancel(a.m.stop)
	current := &attempt{cancel}
	a.attempt = current
	m, target, timeout, generation := a.m, s.WebhookURL, min(attemptTimeout, a.ttl()), s.Generation
	m.running.Go(func() {
		defer cancel()
		o := m.sender.send(ctx, target, body, timeout, m.signature)
		m.post(s.ID, func(a *actor) error {
			if a.sub != nil && m.stop.Err() == nil {
				m.remember(s.ID, generation, &o)
			}
			switch current {
			case a.attempt:
				a.attempt = nil
				a.concludeAttempt(o)
			case a.former: // its wake is over, ended by a callback
				a.former = nil
			}
			return nil
		})
	})
	return false, nil
}

// leaveAttempt lets a delivery end whose wake is over: the receiver may be about
// to answer. A receiver that never does must not gather open requests, so the one
// before is cut off.
func (a *actor) leaveAttempt() {
	if a.attempt == nil {
		return
	}
	if a.former != nil {
		a.former.cancel()
	}
	a.former, a.attempt = a.attempt, nil
}

func (m *Manager) signature(body []byte) string { return m.keys.Load().sign(body, m.now()) }

// concludeAttempt records how the delivery of the wake in flight went. When even
// that fails, the wake is delivered again: nothing says that it was.
func (a *actor) concludeAttempt(o outcome) {
	if a.m.stop.Err() != nil {
		return // cut off by us, which says nothing about the receiver
	}
	var err error
	switch {
	case o.err != nil && a.sub.Delivered:
		// A callback has shown that the receiver is at work.
	case o.err != nil:
		err = a.fail(o.err)
	case o.done:
		err = a.endWake(a.snapshotAcks())
	default:
		err = a.extendLease(o.started, nil)
	}
	if err != nil {
		a.m.log.Error("the outcome of a delivery could not be stored", "subscription", a.id, "error", err)
		a.attemptAt = time.Now().Add(firstBackoff)
	}
}

// fail records a failed delivery and schedules the next.
func (a *actor) fail(reason error) error {
	next := *a.sub
	next.Attempts++
	wait := backoff(next.Attempts)
	next.NextAttempt = a.m.now().Add(wait).UnixMilli()
	next.LastError = clip(reason.Error())
	a.m.log.Warn("a webhook could not be delivered", "subscription", a.id, "generation", next.Generation,
		"attempts", next.Attempts, "next_in", wait.Round(time.Millisecond), "error", next.LastError)
	a.attemptAt = time.Now().Add(wait)
	return a.commit(&store.SubscriptionChange{Sub: &next})
}

// clip bounds what is kept of an error: a receiver can make it say anything.
func clip(message string) string {
	const limit = 300
	if len(message) <= limit {
		return message
	}
	return strings.ToValidUTF8(message[:limit], "") + "…"
}

// backoff is how long to wait after n failures: from a second to a minute, give
// or take a fifth.
func backoff(n int64) time.Duration {
	d := lastBackoff
	if n <= 6 {
		d = min(firstBackoff<<(n-1), lastBackoff)
	}
	return d - d/5 + rand.N(2*d/5+1)
}

// extendLease records that the receiver or worker lives: the lease now runs for
// its whole time from a moment on.
func (a *actor) extendLease(from time.Time, acks []store.Ack) error {
	next := *a.sub
	if next.Type == store.TypeWebhook {
		next.Delivered, next.Attempts, next.NextAttempt, next.LastError = true, 0, 0, ""
	}
	ends := from.Add(a.ttl())
	if a.leased() && a.leaseEnds.After(ends) {
		ends = a.leaseEnds
	}
	next.LeaseUntil = a.m.now().Add(time.Until(ends)).UnixMilli()
	if err := a.commit(&store.SubscriptionChange{Sub: &next, Acks: acks}); err != nil {
		return err
	}
	a.leaseEnds = ends
	return nil
}

// snapshotAcks are the tails that the receiver was told of (PROTOCOL §7.1).
func (a *actor) snapshotAcks() []store.Ack {
	var infos []streamInfo
	if err := json.Unmarshal(a.sub.Snapshot, &infos); err != nil {
		a.m.log.Error("the snapshot of a wake is damaged", "subscription", a.id, "error", err)
		return nil
	}
	var acks []store.Ack
	for _, info := range infos {
		if tail, err := protocol.ParseOffsetToken(info.Tail); err == nil && info.HasPending {
			acks = append(acks, store.Ack{Path: info.Path, Offset: tail})
		}
	}
	return acks
}

// controlRoot is the URL path of the subscription API.
const controlRoot = protocol.Root + protocol.ControlPrefix + "/"

// baseURL is the origin under which a subscription's creator reached the server.
// When that was the port the server listened on, it follows to the one of today.
func (m *Manager) baseURL(s *store.Subscription) string {
	if !s.OwnPort || m.port == 0 {
		return s.BaseURL
	}
	u, err := url.Parse(s.BaseURL)
	if err != nil {
		return s.BaseURL
	}
	u.Host = net.JoinHostPort(u.Hostname(), strconv.Itoa(m.port))
	return u.String()
}
