package lint

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"tailrace/backend/journal"
	"tailrace/backend/peer"
	"tailrace/backend/protocol"
)

const (
	maxLines = 4096
	// maxWriters is how many connections of one producer are remembered.
	maxWriters = 8
	// lookEvery is how often a program is looked up at most, lookShare for how much of
	// the time: one part in so many.
	lookEvery, lookShare = time.Second, 100
	// quiet is how long a producer that was found out is left alone.
	quiet = time.Second
)

// Conn is a connection of a local client, for as long as anybody remembers it.
type Conn struct {
	peer.Connection

	// Guarded by writers.mu.
	asked bool       // its owner was looked up
	owner peer.Owner // zero: not known
}

type connKey struct{}

// Connected is for http.Server.ConnContext: it lets appends be told apart by their
// connection. An address would not do, since another program may get it next.
func Connected(ctx context.Context, c net.Conn) context.Context {
	client, ok := c.RemoteAddr().(*net.TCPAddr)
	server, known := c.LocalAddr().(*net.TCPAddr)
	if !peer.Possible || !ok || !known || !client.IP.IsLoopback() {
		return ctx
	}
	return context.WithValue(ctx, connKey{}, &Conn{Connection: peer.Connection{Client: plain(client), Server: plain(server)}})
}

// ConnOf is the connection that a request came over, nil when it is of no use.
func ConnOf(r *http.Request) *Conn {
	c, _ := r.Context().Value(connKey{}).(*Conn)
	return c
}

func plain(a *net.TCPAddr) netip.AddrPort {
	at := a.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port())
}

// writers are the connections that producers write over.
type writers struct {
	find     func(map[peer.Connection]bool) map[peer.Connection]peer.Owner // nil: peer.Owners
	patience time.Duration                                                 // how long a look may take to count; 0: lookEvery

	mu      sync.Mutex
	lines   map[lineKey]*line
	next    time.Time // when programs may be looked up again
	closed  bool
	looking sync.WaitGroup
}

type lineKey struct{ stream, producer string }

// line is one epoch of a producer.
type line struct {
	seen, quiet        time.Time
	incarnation, epoch int64
	writers            []writer // the one that wrote last is the last
}

// writer is a connection, and the lowest and highest sequence number that was
// stored from it. They are in the order of the commits, which the order of the
// answers need not be.
type writer struct {
	conn      *Conn
	low, high int64
}

// stored looks at an append that was stored. All that it costs most of them is to
// see that it came over the same connection as the one before.
func (l *Linter) stored(x *journal.Exchange) {
	conn := ConnOf(x.Request)
	id := x.Request.Header.Get(protocol.HeaderProducerID)
	if conn == nil || id == "" {
		return
	}
	epoch, err := strconv.ParseInt(x.Request.Header.Get(protocol.HeaderProducerEpoch), 10, 64)
	seq, err2 := strconv.ParseInt(x.Request.Header.Get(protocol.HeaderProducerSeq), 10, 64)
	if err != nil || err2 != nil {
		return
	}
	now := x.Began.Add(x.Took)
	w := &l.writers
	w.mu.Lock()
	defer w.mu.Unlock()
	at := w.line(lineKey{x.Stream, id}, now)
	// At 0 an epoch may begin anew, of a producer that was forgotten.
	if at.incarnation != x.Outcome.Incarnation || at.epoch != epoch || seq == 0 {
		at.incarnation, at.epoch, at.writers = x.Outcome.Incarnation, epoch, nil
	}
	if now.Before(at.quiet) || !at.wrote(conn, seq) {
		return
	}
	if conn.asked {
		l.judge(at, conn.owner, x.Stream, func() string { return requestOf(x.Request) }, now)
	} else if !w.closed && !now.Before(w.next) {
		w.next = now.Add(time.Hour) // one at a time
		stream, request, asked := x.Stream, requestOf(x.Request), time.Now()
		w.looking.Go(func() { l.look(at, conn, stream, request, now, asked) })
	}
}

// look finds the owner of a connection whose append is just being answered, and
// what follows from that. An answer that took too long does not count: the
// connection may have ended, and another program may have its address.
func (l *Linter) look(at *line, conn *Conn, stream, request string, now, asked time.Time) {
	w := &l.writers
	find := w.find
	if find == nil {
		find = peer.Owners
	}
	began := time.Now()
	owner := find(map[peer.Connection]bool{conn.Connection: true})[conn.Connection]
	ended := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next = now.Add(max(lookEvery, lookShare*ended.Sub(began)))
	if ended.Sub(asked) < cmp.Or(w.patience, lookEvery) {
		conn.asked, conn.owner = true, owner
		l.judge(at, owner, stream, func() string { return request }, now)
	}
}

// judge notes it if the owner of a connection has written again after another
// program.
func (l *Linter) judge(at *line, a peer.Owner, stream string, request func() string, now time.Time) {
	b, ok := at.between(a)
	if !ok {
		return
	}
	at.writers, at.quiet = nil, now.Add(quiet)
	if b.PID < a.PID {
		a, b = b, a
	}
	who := fmt.Sprintf("%s, process %d, and %s, process %d", a.Name, a.PID, b.Name, b.PID)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note(findingKey{TwoProcesses, stream, who}, request(), now)
}

// wrote adds what came over a connection, and reports whether that is another one
// than before.
func (at *line) wrote(conn *Conn, seq int64) (changed bool) {
	last := len(at.writers) - 1
	i := slices.IndexFunc(at.writers, func(w writer) bool { return w.conn == conn })
	if i < 0 {
		if len(at.writers) == maxWriters {
			at.writers = slices.Delete(at.writers, 0, 1)
		}
		at.writers = append(at.writers, writer{conn, seq, seq})
		return last >= 0
	}
	w := at.writers[i]
	w.low, w.high = min(w.low, seq), max(w.high, seq)
	if i == last {
		at.writers[i] = w
		return false
	}
	at.writers = append(slices.Delete(at.writers, i, i+1), w)
	return true
}

// between finds a program that has written after a first and before a last append of
// another one.
func (at *line) between(a peer.Owner) (b peer.Owner, ok bool) {
	if a.PID == 0 {
		return b, false
	}
	var all writer
	for _, w := range at.writers {
		if !w.conn.owner.Is(a) {
			continue
		}
		if all.conn != nil {
			w.low, w.high = min(w.low, all.low), max(w.high, all.high)
		}
		all = w
	}
	for _, w := range at.writers {
		within := all.low < w.low && w.low < all.high || all.low < w.high && w.high < all.high
		if b = w.conn.owner; b.PID != 0 && !b.Is(a) && within {
			return b, true
		}
	}
	return b, false
}

func (w *writers) line(k lineKey, now time.Time) *line {
	at := w.lines[k]
	if at == nil {
		if w.lines == nil {
			w.lines = map[lineKey]*line{}
		}
		if len(w.lines) >= maxLines {
			forgetOldest(w.lines, func(at *line) time.Time { return at.seen })
		}
		at = &line{}
		w.lines[k] = at
	}
	at.seen = now
	return at
}

func (w *writers) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = nil
}

// Close waits for a look that is under way. Requests may still be observed.
func (l *Linter) Close() {
	l.writers.mu.Lock()
	l.writers.closed = true
	l.writers.mu.Unlock()
	l.writers.looking.Wait()
}
