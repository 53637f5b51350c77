package subscription

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tailrace/backend/engine"
	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// maxSnapshot is how many streams a wake names. Those with pending work come
// before all others; what does not fit is pending still when the wake is done, and
// wakes again.
const maxSnapshot = 1000

// streamInfo is a linked stream as workers see it (PROTOCOL §7.1).
type streamInfo struct {
	Path       string `json:"path"`
	LinkType   string `json:"link_type"`
	Acked      string `json:"acked_offset"`
	Tail       string `json:"tail_offset"`
	HasPending bool   `json:"has_pending"`
}

func newStreamInfo(l *store.Link) streamInfo {
	return streamInfo{
		Path: l.Path, LinkType: linkType(l), Acked: ackedToken(l), Tail: l.Tail.String(), HasPending: l.Pending(),
	}
}

func linkType(l *store.Link) string {
	if l.Explicit {
		return "explicit"
	}
	return "glob"
}

// ackedToken is the offset behind which a worker has to read on. A cursor into an
// earlier stream at the path is of no use to it.
func ackedToken(l *store.Link) string {
	if l.Acked.Position == store.BeforeFirst || (l.Exists && l.Acked.Incarnation < l.Tail.Incarnation) {
		return "-1"
	}
	return protocol.Offset{Incarnation: l.Acked.Incarnation, Position: l.Acked.Position}.String()
}

// pending returns the links with pending work, sorted by path. After one look at
// all links of a subscription, only those are looked at that have grown since: an
// append costs the same however many streams there are.
func (a *actor) pending() (links []store.Link, err error) {
	ctx := context.Background()
	switch {
	case !a.scanned:
		links, err = a.m.db.Links(ctx, a.sub.Number)
	case len(a.candidates) > 0:
		links, err = a.m.db.LinksTo(ctx, a.sub.Number, slices.Collect(maps.Keys(a.candidates)))
	}
	if err != nil {
		return nil, err
	}
	links = slices.DeleteFunc(links, func(l store.Link) bool { return !l.Pending() })
	clear(a.candidates)
	for i := range links {
		a.candidates[links[i].Path] = true
	}
	a.setScanned(true)
	return links, nil
}

// setScanned notes whether candidates is complete, for later actors too.
func (a *actor) setScanned(is bool) {
	if a.scanned == is {
		return
	}
	a.scanned = is
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	if is {
		a.m.scanned[a.id] = true
	} else {
		delete(a.m.scanned, a.id)
	}
}

// snapshot is what a wake tells: the pending links and, while there is room, the
// others. Whoever is told can read all of it.
func (a *actor) snapshot(pending []store.Link) ([]streamInfo, error) {
	infos := make([]streamInfo, 0, min(2*len(pending), maxSnapshot))
	for i := range pending[:min(len(pending), maxSnapshot)] {
		a.m.engine.AwaitPublished(pending[i].Path, pending[i].Tail)
		infos = append(infos, newStreamInfo(&pending[i]))
	}
	if len(infos) == maxSnapshot {
		return infos, nil
	}
	others, err := a.m.db.FirstLinks(context.Background(), a.sub.Number, maxSnapshot)
	if err != nil {
		return nil, err
	}
	for i := range others {
		if len(infos) < maxSnapshot && !a.candidates[others[i].Path] {
			infos = append(infos, newStreamInfo(&others[i]))
		}
	}
	slices.SortFunc(infos, func(a, b streamInfo) int { return strings.Compare(a.Path, b.Path) })
	return infos, nil
}

// wake begins a generation if there is pending work (PROTOCOL §7).
func (a *actor) wake() error {
	links, err := a.pending()
	if err != nil {
		return err
	}
	if len(links) == 0 {
		a.check = false
		return nil
	}
	next := a.nextWake()
	if next.Type == store.TypeWebhook {
		infos, err := a.snapshot(links)
		if err != nil {
			return err
		}
		if next.Snapshot, err = json.Marshal(infos); err != nil {
			return err
		}
		next.NextAttempt = a.m.now().UnixMilli()
		if err := a.commit(&store.SubscriptionChange{Sub: next}); err != nil {
			return err
		}
	} else if err := a.announce(next, links[0].Path); err != nil {
		return err
	}
	a.check, a.attemptAt = false, time.Now()
	return nil
}

// nextWake is the subscription with a new wake in flight.
func (a *actor) nextWake() *store.Subscription {
	next := *a.sub
	next.Generation++
	id := make([]byte, 16)
	rand.Read(id)
	next.Wake = store.Wake{WakeID: "w_" + encoding.EncodeToString(id)}
	return &next
}

// wakeStreamError: the wake stream does not take wake events right now.
type wakeStreamError struct {
	path string
	err  error
}

func (e *wakeStreamError) Error() string {
	return fmt.Sprintf("the wake stream %q does not take events: %v", e.path, e.err)
}

func (e *wakeStreamError) Unwrap() error { return e.err }

// wakeEvent is what a pull-wake subscription writes to its wake stream
// (PROTOCOL §7.2).
type wakeEvent struct {
	Type         string `json:"type"`
	Subscription string `json:"subscription_id"`
	Stream       string `json:"stream"`
	Generation   int64  `json:"generation"`
	Time         int64  `json:"ts"` // unix milliseconds
}

// announce writes the wake event of a new generation, and the generation itself,
// in one transaction.
func (a *actor) announce(next *store.Subscription, trigger string) error {
	event, err := json.Marshal(wakeEvent{"wake", next.ID, trigger, next.Generation, a.m.now().UnixMilli()})
	if err != nil {
		return err
	}
	req := &engine.AppendRequest{
		Subscription: &store.SubscriptionChange{Sub: next},
		Frame: func(k protocol.Kind) (protocol.Payload, error) {
			if k != protocol.KindJSON {
				event = append(event, '\n')
			}
			return protocol.FramePayload(k, event, false, a.m.limits)
		},
	}
	if _, err := a.m.engine.Append(next.WakeStream, req); err != nil {
		return wakeStreamFailure(next.WakeStream, err)
	}
	a.assign(next)
	return nil
}

// wakeStreamFailure tells what is wrong with the stream from what is wrong with
// the server.
func wakeStreamFailure(path string, err error) error {
	var closed *protocol.ClosedError
	if errors.Is(err, protocol.ErrNotFound) || errors.Is(err, protocol.ErrGone) || errors.As(err, &closed) {
		return &wakeStreamError{path, err}
	}
	return err
}

// endWake ends the wake in flight, moving cursors in the same transaction. What
// is pending then begins a new one.
func (a *actor) endWake(acks []store.Ack) error {
	idle := *a.sub
	idle.Wake = store.Wake{}
	if err := a.commit(&store.SubscriptionChange{Sub: &idle, Acks: acks}); err != nil {
		return err
	}
	a.check = true
	a.leaveAttempt()
	return nil
}
