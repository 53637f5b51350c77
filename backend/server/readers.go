package server

import (
	"context"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tailrace/backend/engine"
)

// Readers are the open live readers. They are bounded: each holds a connection
// and a goroutine for as long as its client likes. Nil Readers are none.
type Readers struct {
	max, maxPerClient int

	mu       sync.Mutex
	open     map[uint64]*Reader
	byClient map[string]int
	last     uint64
}

// Reader is an open long-poll or SSE response.
type Reader struct {
	ID            uint64
	Stream        string
	StreamID      int64
	SSE           bool
	Remote, Agent string
	Began         time.Time
	// From is the position that it asked for.
	From int64

	at, sent, writes atomic.Int64
	writing          atomic.Int64 // unix nanoseconds: since when a write is under way; 0: none is
	cancel           context.CancelFunc
	rc               *http.ResponseController
}

// At is the position behind what was sent, Sent how many bytes that was, in how
// many writes.
func (r *Reader) At() int64     { return r.at.Load() }
func (r *Reader) Sent() int64   { return r.sent.Load() }
func (r *Reader) Writes() int64 { return r.writes.Load() }

// Stuck is since when the client has taken nothing of what it is being sent; the
// zero time: it takes what there is.
func (r *Reader) Stuck() time.Time {
	if n := r.writing.Load(); n != 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}

func newReaders(limit, perClient int) *Readers {
	return &Readers{max: limit, maxPerClient: perClient, open: map[uint64]*Reader{}, byClient: map[string]int{}}
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

// enter admits a live reader of a stream; leave must follow when there is no
// error. The context ends when somebody disconnects it.
func (c *Readers) enter(w http.ResponseWriter, r *http.Request, st *engine.State, from int64, sse bool) (*Reader, context.Context, error) {
	client := clientOf(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.open) >= c.max {
		return nil, nil, &tooManyReadersError{"max_live_readers", c.max, http.StatusServiceUnavailable}
	}
	if c.byClient[client] >= c.maxPerClient {
		return nil, nil, &tooManyReadersError{"max_live_readers_per_client", c.maxPerClient, http.StatusTooManyRequests}
	}
	ctx, cancel := context.WithCancel(r.Context())
	c.last++
	rd := &Reader{
		ID: c.last, Stream: st.Path, StreamID: st.ID, SSE: sse, Remote: r.RemoteAddr, Agent: r.UserAgent(), Began: time.Now(), From: from,
		cancel: cancel, rc: http.NewResponseController(w),
	}
	rd.at.Store(from)
	c.open[rd.ID] = rd
	c.byClient[client]++
	return rd, ctx, nil
}

func (c *Readers) leave(rd *Reader) {
	client := hostOf(rd.Remote)
	c.mu.Lock()
	defer c.mu.Unlock()
	rd.cancel()
	delete(c.open, rd.ID)
	if c.byClient[client]--; c.byClient[client] == 0 {
		delete(c.byClient, client)
	}
}

// Disconnect ends a reader's response; its client may come back. False: there is
// no such reader.
func (c *Readers) Disconnect(id uint64) bool {
	if c == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	rd := c.open[id]
	if rd == nil {
		return false
	}
	rd.cancel()
	if rd.writing.Load() != 0 {
		// What the client does not take is not waited for. Without support for deadlines
		// the reader ends when its write does.
		_ = rd.rc.SetWriteDeadline(time.Now())
	}
	return true
}

// List returns the open readers, the oldest first.
func (c *Readers) List() []*Reader {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	list := make([]*Reader, 0, len(c.open))
	for _, rd := range c.open {
		list = append(list, rd)
	}
	c.mu.Unlock()
	slices.SortFunc(list, func(a, b *Reader) int { return int(int64(a.ID) - int64(b.ID)) })
	return list
}

// clientOf is the address that a request came from, without the port.
func clientOf(r *http.Request) string { return hostOf(r.RemoteAddr) }

func hostOf(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return remote
	}
	return host
}
