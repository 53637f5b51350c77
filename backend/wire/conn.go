package wire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// The states of a connection. Only its goroutine begins a request; whoever finds
// it idle may end it.
const (
	idle int32 = iota
	busy
	ended
)

// headBytes is how long a plain head may be. Longer ones are rare, and each open
// connection holds a buffer of this size.
const headBytes = 4 << 10

// conn is a connection whose requests have been plain so far.
type conn struct {
	s     *Server
	net   net.Conn
	state atomic.Int32
	since atomic.Int64 // when the last request ended, unix nanoseconds

	buf        [headBytes]byte
	start, end int // buf[start:end] has been read and not been used

	// The request and its answer; both are made once and serve every request.
	r, blank *http.Request
	fields   []field // of the last request, in its order
	target   string  // of the last request
	body     body
	response response
	timed    atomic.Bool // there is a deadline for writes
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{s: s, net: nc}
	base := s.base
	if s.o.HTTP.ConnContext != nil {
		base = s.o.HTTP.ConnContext(base, nc)
	}
	c.blank = (&http.Request{
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, RemoteAddr: nc.RemoteAddr().String(),
	}).WithContext(base)
	c.r = new(*c.blank)
	c.body.c = c
	c.response.c, c.response.header = c, http.Header{}
	c.since.Store(time.Now().UnixNano())
	return c
}

// unread is what net/http has to read first.
func (c *conn) unread() []byte { return c.buf[c.start:c.end] }

// serve answers plain requests, and reports whether the next one is for net/http.
func (c *conn) serve() (other bool) {
	// The first request must begin soon, others when they like.
	if c.net.SetReadDeadline(time.Now().Add(c.s.o.HTTP.ReadHeaderTimeout)) != nil {
		return false
	}
	for limited := true; ; limited = false {
		if !c.readHead(limited) || !c.state.CompareAndSwap(idle, busy) {
			return false
		}
		if !c.parse() {
			return true
		}
		if !c.answer() || c.s.closing.Load() {
			return false
		}
		c.since.Store(time.Now().UnixNano())
		c.state.Store(idle)
		// Shutdown, which has not ended this connection, may have begun meanwhile.
		if c.s.closing.Load() {
			return false
		}
	}
}

// readHead reads until there is a line, with which a plain head is there as well;
// what comes in pieces behind its first line is for net/http to wait for. A request
// that has begun must get so far within ReadHeaderTimeout; limited tells that this
// is the connection's deadline already.
func (c *conn) readHead(limited bool) bool {
	c.end = copy(c.buf[:], c.buf[c.start:c.end])
	c.start = 0
	c.skipBreaks()
	for bytes.IndexByte(c.buf[:c.end], '\n') < 0 && c.end < len(c.buf) {
		if c.end > 0 && !limited {
			limited = true
			c.since.Store(time.Now().UnixNano())
			if c.net.SetReadDeadline(time.Now().Add(c.s.o.HTTP.ReadHeaderTimeout)) != nil {
				return false
			}
		}
		n, err := c.net.Read(c.buf[c.end:])
		c.end += n
		c.skipBreaks()
		if errors.Is(err, io.EOF) && c.end > 0 {
			break // net/http says what is wrong with it
		}
		if err != nil {
			return false
		}
	}
	return !limited || c.net.SetReadDeadline(time.Time{}) == nil
}

// skipBreaks drops the line break that old clients send behind the body of a POST,
// to which it does not belong.
func (c *conn) skipBreaks() {
	if c.r.Method != http.MethodPost {
		return
	}
	n := 0
	for n < min(c.end, 4) && (c.buf[n] == '\r' || c.buf[n] == '\n') {
		n++
	}
	c.end = copy(c.buf[:], c.buf[n:c.end])
}

// answer has the handler answer the request that was parsed, and reports whether
// another one may follow.
func (c *conn) answer() (goOn bool) {
	w, r := &c.response, c.r
	w.begin(r.Method == http.MethodHead)
	stop := func() {}
	if c.s.o.Waits(r) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		r = r.WithContext(ctx)
		stop = c.watch(cancel)
	}
	defer func() {
		if reason := recover(); reason != nil {
			goOn = false
			stop()
			w.drop()
			// What is left unread would make the end of the connection a reset.
			if !w.paced {
				_ = c.net.SetReadDeadline(time.Now().Add(c.s.o.HTTP.ReadHeaderTimeout))
			}
			c.body.drain()
			if reason != http.ErrAbortHandler { //nolint:errorlint // net/http compares it, too
				c.s.o.HTTP.ErrorLog.Printf("panic serving %s: %v\n%s", r.RemoteAddr, reason, debug.Stack())
			}
		}
	}()
	c.s.o.HTTP.Handler.ServeHTTP(w, r)
	stop()
	return w.finish()
}

// watch calls gone when the client closes the connection, until the function that
// it returns is called. A client that sends its next request instead is there, and
// not watched any more.
func (c *conn) watch(gone func()) (stop func()) {
	if c.start < c.end {
		return func() {}
	}
	c.start, c.end = 0, 0
	done := make(chan struct{})
	go func() {
		defer close(done)
		n, err := c.net.Read(c.buf[:])
		c.end = n
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			gone()
		}
	}()
	return func() {
		// Should either fail the connection is of no use, as its next read will find.
		_ = c.net.SetReadDeadline(time.Unix(1, 0))
		<-done
		_ = c.net.SetReadDeadline(time.Time{})
	}
}

// body is that of the request under way.
type body struct {
	c    *conn
	left int64
	err  error
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	if b.err != nil {
		return 0, b.err
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	var n int
	if c := b.c; c.start < c.end {
		n = copy(p, c.buf[c.start:c.end])
		c.start += n
	} else if n, b.err = c.net.Read(p); errors.Is(b.err, io.EOF) {
		b.err = io.ErrUnexpectedEOF
	}
	b.left -= int64(n)
	if n > 0 {
		return n, nil
	}
	return 0, b.err
}

// Close implements io.Closer.
func (b *body) Close() error { return nil }

// arrived reports whether all of it has been read from the connection.
func (b *body) arrived() bool { return b.left == 0 || b.left <= int64(b.c.end-b.c.start) }

// drain reads what the handler has not, so that the next request can follow.
func (b *body) drain() bool {
	if b.left > 0 && b.arrived() {
		b.c.start += int(b.left)
		b.left = 0
	}
	if b.left > 0 {
		_, _ = io.Copy(io.Discard, b) // what is left tells
	}
	return b.left == 0
}
