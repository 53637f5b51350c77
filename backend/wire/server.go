package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"tailrace/backend/port"
)

// Options of a server.
type Options struct {
	// HTTP answers what is not plain. Its Handler, BaseContext, IdleTimeout,
	// ReadHeaderTimeout and ErrorLog, none of which may be missing, hold for all
	// requests, and so does its ConnContext. Its ConnState is the server's.
	HTTP *http.Server
	// Waits tells which requests may take long: their context ends when the client
	// goes.
	Waits func(*http.Request) bool
}

// Server serves one listener.
type Server struct {
	o       Options
	base    context.Context //nolint:containedctx // what requests of this listener derive from
	closing atomic.Bool
	running sync.WaitGroup // connections, and what Serve starts

	mu    sync.Mutex
	conns map[*conn]struct{}
	fresh map[net.Conn]struct{} // those of net/http that have no whole head yet
}

// New returns a server.
func New(o Options) *Server {
	s := &Server{o: o, conns: map[*conn]struct{}{}, fresh: map[net.Conn]struct{}{}}
	o.HTTP.ConnState = s.follow
	return s
}

// Serve answers the connections of l until the server is closed, and then returns
// http.ErrServerClosed.
func (s *Server) Serve(l net.Listener) error {
	s.base = s.o.HTTP.BaseContext(l)
	rest := &remainder{Listener: l, ready: make(chan accepted), done: make(chan struct{})}
	if !s.start(l, rest) {
		return errors.Join(http.ErrServerClosed, l.Close())
	}
	defer rest.end()
	return s.o.HTTP.Serve(rest)
}

// start begins to accept, unless the server is closed: a Shutdown that comes first
// would wait for nothing.
func (s *Server) start(l net.Listener, rest *remainder) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return false
	}
	s.running.Go(func() { s.accept(l, rest) })
	s.running.Go(func() { s.sweep(rest.done) })
	return true
}

// end refuses what has not begun.
func (s *Server) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing.Store(true)
}

// Shutdown stops accepting, closes the connections on which nothing is asked, and
// waits for the requests under way until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.end()
	s.each(func(c *conn) {
		if c.state.CompareAndSwap(idle, ended) {
			_ = c.net.Close() // nobody waits for it
		}
	})
	s.endFresh()
	err := s.o.HTTP.Shutdown(ctx)
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return err
	case <-ctx.Done():
		return errors.Join(err, ctx.Err())
	}
}

// Close closes all connections.
func (s *Server) Close() error {
	s.end()
	s.each(func(c *conn) { _ = c.net.Close() }) // its request fails
	return s.o.HTTP.Close()
}

// follow keeps what net/http has and was not asked anything on: its own Shutdown
// waits five seconds for these.
func (s *Server) follow(nc net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state != http.StateNew {
		delete(s.fresh, nc)
		return
	}
	s.fresh[nc] = struct{}{}
	if s.closing.Load() { // endFresh may have been
		_ = nc.Close() // nobody waits for it
	}
}

func (s *Server) endFresh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for nc := range s.fresh {
		_ = nc.Close() // nobody waits for it
	}
}

func (s *Server) each(do func(*conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		do(c)
	}
}

// accept takes plain connections and leaves the others, and errors, to net/http:
// it waits before it accepts again where that can help.
func (s *Server) accept(l net.Listener, rest *remainder) {
	for {
		nc, err := l.Accept()
		if err == nil {
			if _, secure := nc.(*tls.Conn); !secure {
				s.begin(nc, rest)
				continue
			}
		}
		if !rest.put(accepted{nc, err}) || errors.Is(err, net.ErrClosed) {
			return
		}
	}
}

// begin serves a connection.
func (s *Server) begin(nc net.Conn, rest *remainder) {
	c := newConn(s, nc)
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	// A connection that Shutdown has not seen sees that it has begun.
	if s.closing.Load() {
		s.forget(c)
		_ = nc.Close() // nobody waits for it
		return
	}
	s.running.Go(func() {
		if c.serve() {
			s.forget(c)
			rest.put(accepted{conn: port.Begun(nc, c.unread())})
			return
		}
		s.forget(c)
		_ = nc.Close() // whoever it belonged to has gone, or was told
	})
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// sweep closes connections on which nothing has been asked for IdleTimeout.
func (s *Server) sweep(done <-chan struct{}) {
	every := time.NewTicker(s.o.HTTP.IdleTimeout / 8)
	defer every.Stop()
	for {
		select {
		case <-done:
			return
		case now := <-every.C:
			s.each(func(c *conn) {
				if now.UnixNano()-c.since.Load() > int64(s.o.HTTP.IdleTimeout) && c.state.CompareAndSwap(idle, ended) {
					_ = c.net.Close() // nobody waits for it
				}
			})
		}
	}
}

// accepted is a result of Accept.
type accepted struct {
	conn net.Conn
	err  error
}

// remainder is the listener that net/http sees.
type remainder struct {
	net.Listener
	ready chan accepted
	done  chan struct{}
	close sync.Once
}

// put hands a connection or an error to net/http, and reports whether somebody
// still takes it.
func (r *remainder) put(a accepted) bool {
	select {
	case r.ready <- a:
		return true
	case <-r.done:
		if a.conn != nil {
			_ = a.conn.Close() // nobody waits for it
		}
		return false
	}
}

// Accept implements net.Listener.
func (r *remainder) Accept() (net.Conn, error) {
	select {
	case a := <-r.ready:
		return a.conn, a.err
	case <-r.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (r *remainder) Close() error {
	r.end()
	return r.Listener.Close()
}

func (r *remainder) end() { r.close.Do(func() { close(r.done) }) }
