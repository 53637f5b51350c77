package subscription

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// view is a subscription with its links at some moment.
type view struct {
	sub     store.Subscription
	links   []store.Link
	trouble error // why there is no wake although there is work
}

// view reads what a client is told.
func (a *actor) view() (*view, error) {
	links, err := a.m.db.Links(context.Background(), a.sub.Number)
	return &view{sub: *a.sub, links: links, trouble: a.trouble.err}, err
}

// exists fails when there is no subscription.
func (a *actor) exists() error {
	if a.sub == nil {
		return errNoSubscription(a.id)
	}
	return nil
}

// create answers a PUT (PROTOCOL §6.2).
func (a *actor) create(c *config, base string) (v *view, created bool, err error) {
	own := a.m.ownPort(base)
	if a.sub != nil {
		if !bytes.Equal(a.sub.ConfigHash, c.hash()) {
			return nil, false, refuse(CodeExists, "there is a subscription %q with another configuration; delete it first", a.id)
		}
		if a.sub.BaseURL != base || a.sub.OwnPort != own {
			moved := *a.sub
			moved.BaseURL, moved.OwnPort = base, own
			if err := a.commit(&store.SubscriptionChange{Sub: &moved}); err != nil {
				return nil, false, err
			}
		}
		v, err = a.view()
		return v, false, err
	}
	if err := a.m.checkWakeLoop(c.WakeStream, c.Streams); err != nil {
		return nil, false, err
	}
	sub := &store.Subscription{
		ID:          a.id,
		Type:        c.Type,
		Pattern:     c.Pattern,
		WebhookURL:  c.WebhookURL,
		WakeStream:  c.WakeStream,
		LeaseTTL:    c.LeaseTTL,
		Description: c.Description,
		ConfigHash:  c.hash(),
		BaseURL:     base,
		OwnPort:     own,
		CreatedAt:   a.m.now().UnixMilli(),
		Generation:  a.generation,
	}
	if err := a.commit(&store.SubscriptionChange{Sub: sub, Create: true, Link: c.Streams}); err != nil {
		return nil, false, err
	}
	a.check = true // an append may have come in between
	a.setScanned(false)
	v, err = a.view()
	return v, true, err
}

// ownPort reports whether a base URL names the port that the server listens on.
func (m *Manager) ownPort(base string) bool {
	u, err := url.Parse(base)
	if err != nil || m.port == 0 {
		return false
	}
	_, port, err := net.SplitHostPort(u.Host)
	return err == nil && port == strconv.Itoa(m.port)
}

// remove answers a DELETE. Requests for the wake in flight find no subscription
// any more.
func (a *actor) remove() error {
	if a.sub == nil {
		return nil
	}
	if err := a.m.db.Commit(&store.Write{Subscriptions: []*store.SubscriptionChange{{Sub: a.sub, Delete: true}}}); err != nil {
		return err
	}
	for _, current := range []*attempt{a.attempt, a.former} {
		if current != nil {
			current.cancel()
		}
	}
	a.m.forget(a.id)
	a.sub, a.attempt, a.former, a.check, a.trouble = nil, nil, nil, false, trouble{}
	clear(a.candidates)
	a.setScanned(false)
	return nil
}

// link adds explicit streams (PROTOCOL §6.4).
func (a *actor) link(streams []string) error {
	if err := a.exists(); err != nil {
		return err
	}
	if err := a.m.checkWakeLoop(a.sub.WakeStream, streams); err != nil {
		return err
	}
	if err := a.commit(&store.SubscriptionChange{Sub: a.sub, Link: streams}); err != nil {
		return err
	}
	for _, path := range streams {
		a.candidates[path] = true // an append may have come in between
	}
	a.check = true
	return nil
}

// unlink removes an explicit stream.
func (a *actor) unlink(stream string) error {
	if err := a.exists(); err != nil {
		return err
	}
	return a.commit(&store.SubscriptionChange{Sub: a.sub, Unlink: []string{stream}})
}

// claimed is a successful claim (PROTOCOL §7.2).
type claimed struct {
	WakeID     string       `json:"wake_id"`
	Generation int64        `json:"generation"`
	Token      string       `json:"token"`
	Streams    []streamInfo `json:"streams"`
	LeaseTTL   int64        `json:"lease_ttl_ms"`
}

// claim gives the wake to a worker. When there is work but no wake yet, it begins
// one.
func (a *actor) claim(worker string) (*claimed, error) {
	if err := a.ofType(store.TypePullWake); err != nil {
		return nil, err
	}
	if err := a.expireLease(); err != nil {
		return nil, err
	}
	if a.sub.Holder != "" {
		return nil, &Error{
			Code: CodeClaimed, Message: "another worker holds the lease", Holder: a.sub.Holder, Generation: a.sub.Generation,
		}
	}
	links, err := a.pending()
	if err != nil {
		return nil, err
	}
	if len(links) == 0 {
		// A wake without work, its streams being deleted, must not stand in the way
		// of the next one.
		if a.sub.WakeID != "" {
			if err := a.endWake(nil); err != nil {
				return nil, err
			}
		}
		return nil, refuse(CodeNoWork, "nothing is pending")
	}
	infos, err := a.snapshot(links)
	if err != nil {
		return nil, err
	}
	next, begin := a.nextWake(), a.sub.WakeID == ""
	if !begin {
		*next = *a.sub
	}
	ends := time.Now().Add(a.ttl())
	next.Holder, next.LeaseUntil = worker, a.m.now().UnixMilli()+next.LeaseTTL
	var missing *wakeStreamError
	if begin {
		err = a.announce(next, links[0].Path)
	}
	if !begin || errors.As(err, &missing) {
		err = a.commit(&store.SubscriptionChange{Sub: next})
	}
	if err != nil {
		return nil, err
	}
	a.leaseEnds, a.check = ends, false
	return &claimed{
		WakeID: next.WakeID, Generation: next.Generation, Token: a.m.keys.Load().token(next),
		Streams: infos, LeaseTTL: next.LeaseTTL,
	}, nil
}

// expireLease ends a lease whose time has come, should the request be faster than
// the timer.
func (a *actor) expireLease() error {
	if a.sub.WakeID != "" && a.attempt == nil && a.leased() && !time.Now().Before(a.leaseEnds) {
		return a.endWake(nil)
	}
	return nil
}

// progress is what a worker reports about its wake: a callback, an ack or a
// release.
type progress struct {
	token      string
	wakeID     string
	generation int64
	acks       []store.Ack
	done       bool
}

// report applies what a worker reports, and tells whether there is more to do
// (PROTOCOL §7.1, §7.2).
func (a *actor) report(p *progress, kind string) (nextWake bool, err error) {
	if err := a.admit(p, kind); err != nil {
		return false, err
	}
	if len(p.acks) == 0 && !p.done {
		return false, a.extendLease(time.Now(), nil)
	}
	paths := make([]string, len(p.acks))
	for i, ack := range p.acks {
		paths[i] = ack.Path
	}
	links, err := a.m.db.LinksTo(context.Background(), a.sub.Number, paths)
	if err != nil {
		return false, err
	}
	moves, err := a.checkAcks(links, p.acks)
	if err != nil {
		return false, err
	}
	if !p.done {
		return false, a.extendLease(time.Now(), moves)
	}
	if err := a.endWake(moves); err != nil {
		return false, err
	}
	pending, err := a.pending()
	if err != nil {
		// The acks are stored; that there is no telling what is left is no reason to
		// refuse them. The next wake comes by itself.
		return true, nil
	}
	return len(pending) > 0, nil
}

// release gives the wake back without acks.
func (a *actor) release(p *progress) error {
	if err := a.admit(p, store.TypePullWake); err != nil {
		return err
	}
	return a.endWake(nil)
}

// admit lets only the one who has the wake in flight pass (PROTOCOL §7.3).
func (a *actor) admit(p *progress, kind string) error {
	if err := a.ofType(kind); err != nil {
		return err
	}
	generation, ok := a.m.keys.Load().checkToken(p.token, a.sub)
	if !ok {
		return refuse(CodeTokenInvalid, "the bearer token is not one of this subscription")
	}
	if err := a.expireLease(); err != nil {
		return err
	}
	if s := a.sub; s.WakeID == "" || generation != s.Generation || p.generation != s.Generation || p.wakeID != s.WakeID {
		return refuse(CodeFenced, "this wake is over; the current generation is %d", s.Generation)
	}
	return nil
}

func (a *actor) ofType(kind string) error {
	if err := a.exists(); err != nil {
		return err
	}
	if a.sub.Type != kind {
		return invalid("type", "this is for %s subscriptions; %q is a %s subscription", kind, a.id, a.sub.Type)
	}
	return nil
}

// checkAcks checks acks against the links, moves the links' cursors and returns
// what is to be stored. The last ack of a stream counts.
func (a *actor) checkAcks(links []store.Link, acks []store.Ack) ([]store.Ack, error) {
	var moves []store.Ack
	for _, ack := range acks {
		i, found := slices.BinarySearchFunc(links, ack.Path, func(l store.Link, path string) int { return strings.Compare(l.Path, path) })
		if !found {
			gone, err := a.gone(&ack)
			if err != nil {
				return nil, err
			}
			if gone {
				continue // its link has ended with it
			}
			return nil, refuse(CodeInvalidOffset, "acks: %q is not a stream of this subscription", ack.Path)
		}
		l := &links[i]
		if !l.Exists || ack.Offset.Incarnation < l.Tail.Incarnation {
			continue // the stream has been deleted since: there is nothing left to ack
		}
		cursor := store.Cursor{Incarnation: ack.Offset.Incarnation, Position: ack.Offset.Position}
		switch {
		case cursor.Incarnation > l.Tail.Incarnation || cursor.Position > l.Tail.Position:
			return nil, refuse(CodeInvalidOffset, "acks: %s is beyond the end of %q, which is %s", ack.Offset, ack.Path, l.Tail)
		case cursor.Incarnation == l.Acked.Incarnation && cursor.Position < l.Acked.Position:
			return nil, refuse(CodeInvalidOffset, "acks: %s is before %s, to which %q has been acked already", ack.Offset, ackedToken(l), ack.Path)
		}
		l.Acked = cursor
		moves = append(moves, ack)
	}
	return moves, nil
}

// gone reports whether the stream whose offset an ack names has been deleted.
func (a *actor) gone(ack *store.Ack) (bool, error) {
	s, next, err := a.m.db.Load(context.Background(), ack.Path)
	if errors.Is(err, protocol.ErrNotFound) {
		return ack.Offset.Incarnation < next, nil
	}
	return s.Deleted || ack.Offset.Incarnation < s.Incarnation, err
}

// parseAck checks the form of one ack.
func parseAck(path, offset string, l protocol.Limits) (store.Ack, error) {
	path, err := checkPath("acks", path, l)
	if err != nil {
		return store.Ack{}, err
	}
	if offset == "-1" {
		return store.Ack{}, refuse(CodeInvalidOffset, "acks: -1 is before the first offset of %q", path)
	}
	o, err := protocol.ParseOffsetToken(offset)
	if err != nil {
		return store.Ack{}, invalid("acks", "the offset for %q is not a token from this server", path)
	}
	return store.Ack{Path: path, Offset: o}, nil
}
