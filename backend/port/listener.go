package port

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

// DefaultTimeout is how long a connection may stay silent.
const DefaultTimeout = 10 * time.Second

// recordTypeHandshake is the first byte of every TLS connection (RFC 8446 §5.1).
// A line of HTTP begins with a letter.
const recordTypeHandshake = 0x16

// Listener merges the connections of several sockets into one stream. Those that
// begin with a TLS handshake come as *tls.Conn, which net/http recognises.
type Listener struct {
	sockets []net.Listener
	tls     *tls.Config
	timeout time.Duration

	accepted chan accepted
	done     chan struct{} // closed by Close
	close    sync.Once
	closeErr error
	running  sync.WaitGroup

	mu     sync.Mutex
	silent map[net.Conn]struct{} // connections whose first byte is awaited; nil: closed
}

// accepted is a result of Accept.
type accepted struct {
	conn net.Conn
	err  error
}

// Listen merges sockets, which now belong to the listener. With a TLS
// configuration it answers TLS, too. A timeout of 0 means [DefaultTimeout].
func Listen(sockets []net.Listener, config *tls.Config, timeout time.Duration) *Listener {
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	l := &Listener{
		sockets: sockets, tls: config, timeout: timeout,
		accepted: make(chan accepted), done: make(chan struct{}), silent: map[net.Conn]struct{}{},
	}
	for _, socket := range sockets {
		l.running.Go(func() { l.acceptFrom(socket) })
	}
	return l
}

// Addr is the address of the first socket.
func (l *Listener) Addr() net.Addr { return l.sockets[0].Addr() }

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case a := <-l.accepted:
		return a.conn, a.err
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close stops listening, and closes the connections that Accept has not returned.
func (l *Listener) Close() error {
	l.close.Do(func() {
		close(l.done)
		var errs []error
		for _, socket := range l.sockets {
			errs = append(errs, socket.Close())
		}
		l.mu.Lock()
		silent := l.silent
		l.silent = nil
		l.mu.Unlock()
		for conn := range silent {
			_ = conn.Close() // nobody waits for it
		}
		l.running.Wait()
		l.closeErr = errors.Join(errs...)
	})
	return l.closeErr
}

// acceptFrom hands over the connections of one socket. An error is handed over,
// too: net/http waits before it accepts again when that can help, such as when
// there are too many open files, and gives up when it cannot.
func (l *Listener) acceptFrom(socket net.Listener) {
	for {
		conn, err := socket.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err == nil && l.tls != nil:
			if l.await(conn) {
				l.running.Go(func() { l.sniff(conn) })
			}
		default:
			if !l.handOver(accepted{conn, err}) {
				return
			}
		}
	}
}

func (l *Listener) handOver(a accepted) bool {
	select {
	case l.accepted <- a:
		return true
	case <-l.done:
		if a.conn != nil {
			_ = a.conn.Close() // nobody waits for it
		}
		return false
	}
}

// await remembers a connection whose first byte has not come.
func (l *Listener) await(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.silent == nil {
		_ = conn.Close() // nobody waits for it
		return false
	}
	l.silent[conn] = struct{}{}
	return true
}

func (l *Listener) heard(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.silent, conn)
}

// sniff reads the first byte and hands the connection over as what it is.
func (l *Listener) sniff(conn net.Conn) {
	var first [1]byte
	err := conn.SetReadDeadline(time.Now().Add(l.timeout))
	if err == nil {
		_, err = conn.Read(first[:])
	}
	if err == nil {
		err = conn.SetReadDeadline(time.Time{})
	}
	l.heard(conn)
	if err != nil {
		_ = conn.Close() // silent, gone, or closed by Close
		return
	}
	begun := Begun(conn, first[:])
	if first[0] == recordTypeHandshake {
		begun = tls.Server(begun, l.tls)
	}
	l.handOver(accepted{conn: begun})
}

// Begun is a connection of which something has been read already: that is what it
// gives first.
func Begun(conn net.Conn, read []byte) net.Conn { return &begunConn{Conn: conn, read: read} }

type begunConn struct {
	net.Conn
	read []byte // and not been returned
}

func (c *begunConn) Read(b []byte) (int, error) {
	if len(c.read) > 0 && len(b) > 0 {
		n := copy(b, c.read)
		if c.read = c.read[n:]; len(c.read) == 0 {
			c.read = nil // what it is part of may be large
		}
		return n, nil
	}
	return c.Conn.Read(b)
}

// WriteBuffers writes all of v, in one system call where the connection can do that:
// net.Buffers would not find it.
func (c *begunConn) WriteBuffers(v *net.Buffers) (int64, error) { return v.WriteTo(c.Conn) }

// CloseWrite lets net/http end a response to a request that it has not read to
// its end without a reset, which would take the response with it.
func (c *begunConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
