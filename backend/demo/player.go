package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// closeTimeout bounds what the end of the traffic has to tidy up.
const closeTimeout = 2 * time.Second

// Options of a player.
type Options struct {
	// URL is the root of the data listener.
	URL string
	// Token is sent as bearer; "": none is needed.
	Token string
}

// Player plays the applications, one performance at a time.
type Player struct {
	client *client

	mu     sync.Mutex
	now    *performance // nil: nothing is played
	closed bool
}

// performance is traffic that goes on until its time is up.
type performance struct {
	timer  *time.Timer
	until  time.Time
	cancel context.CancelFunc
	done   chan struct{}
}

// ErrClosed: the server is shutting down.
var ErrClosed = errors.New("the server is shutting down")

// New returns a player that plays nothing yet.
func New(o Options) *Player {
	return &Player{client: &client{
		// No proxy: the server is on this machine, whatever HTTP_PROXY says.
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}},
		root: o.URL + "/v1/stream/", token: o.Token,
	}}
}

// Start plays for a time from now on; what is played already goes on until then.
func (p *Player) Start(d time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	if now := p.now; now != nil && now.timer.Stop() {
		now.timer.Reset(d)
		now.until = time.Now().Add(d)
		return nil
	}
	before := p.now // one whose time is up just now; it has to leave the stage first
	ctx, cancel := context.WithCancel(context.Background())
	next := &performance{timer: time.AfterFunc(d, cancel), until: time.Now().Add(d), cancel: cancel, done: make(chan struct{})}
	p.now = next
	go func() {
		defer close(next.done)
		if before != nil {
			<-before.done
		}
		p.client.play(ctx)
		p.client.http.CloseIdleConnections()
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.now == next {
			p.now = nil
		}
	}()
	return nil
}

// Until is when the traffic ends; false: there is none.
func (p *Player) Until() (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now == nil {
		return time.Time{}, false
	}
	return p.now.until, true
}

// Stop ends the traffic and waits for that. What was written stays.
func (p *Player) Stop() {
	p.mu.Lock()
	now := p.now
	p.mu.Unlock()
	if now != nil {
		now.timer.Stop()
		now.cancel()
		<-now.done
	}
}

// Close ends the traffic for good.
func (p *Player) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Stop()
}

// Remove ends the traffic and deletes its streams and subscriptions. It returns
// how many streams there were.
func (p *Player) Remove(ctx context.Context) (removed int, err error) {
	p.Stop()
	defer p.client.http.CloseIdleConnections()
	for _, id := range subscriptions {
		if _, err := p.client.do(ctx, http.MethodDelete, "__ds/subscriptions/"+id, nil, ""); err != nil {
			return 0, err
		}
	}
	for _, path := range Streams() {
		res, err := p.client.do(ctx, http.MethodDelete, path, nil, "")
		switch {
		case err != nil:
			return removed, err
		case res.status == http.StatusNoContent:
			removed++
		case res.status != http.StatusNotFound && res.status != http.StatusGone:
			return removed, fmt.Errorf("delete %s: %w", path, res.refusal())
		}
	}
	return removed, nil
}

// play runs all applications until ctx ends. One that is refused something tries
// again after a while: the server may be told to fail, and then the demonstration
// shows what that looks like.
func (c *client) play(ctx context.Context) {
	var running sync.WaitGroup
	for _, app := range applications {
		running.Go(func() {
			for ctx.Err() == nil {
				_ = app(ctx, c) // shown by the server, which refused it
				pause(ctx, time.Second)
			}
		})
	}
	running.Wait()
}

// pause waits, and reports whether there is still time.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
