package server

import (
	"net"
	"net/http"
	"sync"
)

// readerCount bounds open live readers: each holds a connection and a goroutine
// for as long as its client likes.
type readerCount struct {
	max, maxPerClient int

	mu       sync.Mutex
	all      int
	byClient map[string]int
}

func newReaderCount(limit, perClient int) *readerCount {
	return &readerCount{max: limit, maxPerClient: perClient, byClient: map[string]int{}}
}

// tooManyReadersError: a live reader is over a bound.
type tooManyReadersError struct {
	limit  string
	max    int
	status int
}

func (e *tooManyReadersError) Error() string {
	return "too many open live readers (" + e.limit + "); close some, or raise the limit in the configuration"
}

// enter admits a live reader; leave must follow when it returns nil.
func (c *readerCount) enter(client string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all >= c.max {
		return &tooManyReadersError{"max_live_readers", c.max, http.StatusServiceUnavailable}
	}
	if c.byClient[client] >= c.maxPerClient {
		return &tooManyReadersError{"max_live_readers_per_client", c.maxPerClient, http.StatusTooManyRequests}
	}
	c.all++
	c.byClient[client]++
	return nil
}

func (c *readerCount) leave(client string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all--
	if c.byClient[client]--; c.byClient[client] == 0 {
		delete(c.byClient, client)
	}
}

// clientOf is the address that a request came from, without the port.
func clientOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
