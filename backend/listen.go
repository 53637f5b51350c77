package backend

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"tailrace/backend/config"
	"tailrace/backend/lint"
	"tailrace/backend/localca"
	"tailrace/backend/port"
	"tailrace/backend/wire"
)

// listener is a bound port and its server.
type listener struct {
	net.Listener
	tls    bool // answers TLS, too
	server httpServer
}

// httpServer is what serves a listener: an *http.Server, or what stands before it.
type httpServer interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
	Close() error
}

// listenData binds the data listener. The default address means this machine in
// both families, as localhost does.
func listenData(o *Options) (*listener, error) {
	c := &o.Config
	var secure *tls.Config
	if c.TLS {
		issuer, err := openIssuer(o)
		if err != nil {
			return nil, err
		}
		secure = issuer.Config()
	}
	address := c.Listen
	if address == config.DefaultListen {
		address = strings.Replace(address, "127.0.0.1", "localhost", 1)
	}
	sockets, err := port.Bind(address)
	if err != nil {
		return nil, err
	}
	return &listener{Listener: port.Listen(sockets, secure, 0), tls: c.TLS}, nil
}

// openIssuer opens the local CA, and makes it on first use.
func openIssuer(o *Options) (*localca.Issuer, error) {
	hosts := CertifiedHosts(&o.Config)
	authority, err := localca.Open(o.Config.DataDir, hosts, o.Now())
	if err != nil {
		return nil, err
	}
	for _, host := range hosts {
		if !localca.Coverable(host) {
			o.Log.Warn("HTTPS cannot be offered for a host of one label", "host", host)
		} else if !authority.Covers(host) {
			o.Log.Warn("the local CA was made before this host was configured; tailrace trust install makes a new one", "host", host)
		}
	}
	return localca.NewIssuer(authority, hosts, o.Now)
}

// CertifiedHosts are the hosts, beyond loopback names, that the local CA is to
// certify: the configured ones and the one that is listened on.
func CertifiedHosts(c *config.Config) []string {
	hosts := slices.Clone(c.Hosts)
	for i, host := range hosts {
		hosts[i] = strings.Trim(host, "[]")
	}
	if host, _ := c.ListenHost(); host != "" && !slices.Contains(hosts, host) {
		hosts = append(hosts, host)
	}
	return hosts
}

func listen(addr string) (*listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	return &listener{Listener: l}, nil
}

// listenInspector moves to a free port when nobody asked for the one that is taken:
// nobody has to know the inspector's port by heart.
func listenInspector(c *config.Config) (*listener, error) {
	l, err := listen(c.Inspect)
	if !c.InspectSet && port.Taken(err) {
		return listen("127.0.0.1:0")
	}
	return l, err
}

func newServer(base context.Context, h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		BaseContext:       func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       5 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		// OPTIONS * is checked like everything else.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// newDataServer also speaks HTTP/2, over TLS and, to clients that know
// beforehand, without. There, deadlines of a response are those of its stream: a
// slow reader holds up nobody else on its connection.
func newDataServer(base context.Context, h http.Handler, waits func(*http.Request) bool, log *slog.Logger) *wire.Server {
	s := newServer(base, h, log)
	s.ConnContext = lint.Connected
	s.Protocols = new(http.Protocols)
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	s.HTTP2 = &http.HTTP2Config{
		// One page may tail this many streams over one connection.
		MaxConcurrentStreams: 1000,
		// A peer that is gone or takes nothing ends with its connection.
		SendPingTimeout:  time.Minute,
		PingTimeout:      15 * time.Second,
		WriteByteTimeout: time.Minute,
	}
	return wire.New(wire.Options{HTTP: s, Waits: waits})
}

// url is how this machine reaches the listener; an address that stands for all
// of them is none to connect to.
func (l *listener) url(scheme string) string {
	addr, err := netip.ParseAddrPort(l.Addr().String())
	if err == nil && addr.Addr().IsUnspecified() {
		return fmt.Sprintf("%s://127.0.0.1:%d", scheme, addr.Port())
	}
	return scheme + "://" + l.Addr().String()
}

// close stops accepting and waits for the requests under way; those still there
// when ctx ends are cut off.
func (l *listener) close(ctx context.Context) error {
	if l.server == nil {
		return l.Close()
	}
	err := l.server.Shutdown(ctx)
	if ctx.Err() != nil {
		return l.server.Close()
	}
	return err
}

// local reports whether only this machine reaches the listener.
func (l *listener) local() bool {
	addr, err := netip.ParseAddrPort(l.Addr().String())
	return err == nil && addr.Addr().Unmap().IsLoopback()
}
