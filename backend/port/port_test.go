package port

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tailrace/backend/localca"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func config(t *testing.T) *tls.Config {
	t.Helper()
	a, err := localca.Open(t.TempDir(), nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	i, err := localca.NewIssuer(a, nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return i.Config()
}

func listen(t *testing.T, c *tls.Config, timeout time.Duration) *Listener {
	t.Helper()
	sockets, err := Bind("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := Listen(sockets, c, timeout)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func dial(t *testing.T, l *Listener) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func accept(t *testing.T, l *Listener) net.Conn {
	t.Helper()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func write(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

func wantLine(t *testing.T, r io.Reader, want string) {
	t.Helper()
	if got, err := bufio.NewReader(r).ReadString('\n'); err != nil || got != want {
		t.Errorf("read %q, %v; want %q", got, err, want)
	}
}

func TestPlainAndTLSOnOnePort(t *testing.T) {
	l := listen(t, config(t), 0)

	plain := dial(t, l)
	write(t, plain, "GET / HTTP/1.1\n")
	got := accept(t, l)
	if _, ok := got.(*tls.Conn); ok {
		t.Error("a plain connection is taken for TLS")
	}
	wantLine(t, got, "GET / HTTP/1.1\n")
	write(t, got, "answer\n")
	wantLine(t, plain, "answer\n")

	secret := tls.Client(dial(t, l), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}) // the chain is localca's
	shaken := make(chan error, 1)
	go func() { shaken <- secret.HandshakeContext(t.Context()) }()
	server, ok := accept(t, l).(*tls.Conn)
	if !ok {
		t.Fatal("a TLS connection is not one for net/http")
	}
	if err := server.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-shaken; err != nil {
		t.Fatal(err)
	}
	if got := server.ConnectionState().NegotiatedProtocol; got != "h2" {
		t.Errorf("ALPN chose %q", got)
	}
	write(t, server, "secret\n")
	wantLine(t, secret, "secret\n")
}

func TestWithoutTLSNothingIsSniffed(t *testing.T) {
	l := listen(t, nil, 0)
	dial(t, l)
	accept(t, l) // though the client has said nothing
}

func TestSilentConnectionsHoldUpNobody(t *testing.T) {
	l := listen(t, config(t), time.Minute)
	for range 20 {
		dial(t, l)
	}
	write(t, dial(t, l), "hello\n")
	wantLine(t, accept(t, l), "hello\n")
}

func TestSilentConnectionsAreClosed(t *testing.T) {
	l := listen(t, config(t), 50*time.Millisecond)
	silent := dial(t, l)
	if _, err := silent.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("a silent connection: %v", err)
	}
	// The time is for the first byte only.
	conn := dial(t, l)
	write(t, conn, "a")
	got := accept(t, l)
	timeout := time.AfterFunc(150*time.Millisecond, func() { write(t, conn, "b\n") })
	defer timeout.Stop()
	wantLine(t, got, "ab\n")
}

func TestCloseEndsWhatWaits(t *testing.T) {
	l := listen(t, config(t), time.Minute)
	silent := dial(t, l)
	ready := dial(t, l)
	write(t, ready, "nobody accepts this\n")
	waiting := make(chan error, 1)
	other := listen(t, config(t), time.Minute)
	go func() {
		_, err := other.Accept()
		waiting <- err
	}()
	for _, l := range []*Listener{other, l, l} { // twice is fine
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-waiting; !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept ended with %v", err)
	}
	for _, conn := range []net.Conn{silent, ready} {
		if _, err := io.ReadAll(conn); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("a connection that was not accepted: %v", err)
		}
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept after close: %v", err)
	}
}

// failing is a socket whose Accept fails a few times.
type failing struct {
	net.Listener
	errs chan error
}

func (f *failing) Accept() (net.Conn, error) {
	select {
	case err := <-f.errs:
		return nil, err
	default:
		return f.Listener.Accept()
	}
}

func TestAcceptErrorsReachTheServer(t *testing.T) {
	sockets, err := Bind("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	want := errors.New("too many open files")
	f := &failing{Listener: sockets[0], errs: make(chan error, 1)}
	f.errs <- want
	l := Listen([]net.Listener{f}, nil, 0)
	defer func() { _ = l.Close() }()
	if _, err := l.Accept(); !errors.Is(err, want) {
		t.Errorf("accept: %v", err)
	}
	dial(t, l)
	accept(t, l)
}

func TestCloseWrite(t *testing.T) {
	l := listen(t, config(t), 0)
	client := dial(t, l)
	write(t, client, "x")
	server := accept(t, l)
	half, ok := server.(interface{ CloseWrite() error })
	if !ok {
		t.Fatal("net/http could not end a response before its request")
	}
	if err := half.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the client reads %v", err)
	}
}

// hasIPv6 skips a test on machines without ::1.
func hasIPv6(t *testing.T) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp6", "[::1]:0")
	if err != nil {
		t.Skip("no ::1 here")
	}
	_ = l.Close()
}

func TestLocalhostIsBothFamilies(t *testing.T) {
	hasIPv6(t)
	sockets, err := Bind("localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	l := Listen(sockets, nil, 0)
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "::1"} {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Fatal(err)
		}
		write(t, conn, host+"\n")
		wantLine(t, accept(t, l), host+"\n")
		_ = conn.Close()
	}
}

func TestTakenPort(t *testing.T) {
	hasIPv6(t)
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		sockets, err := Bind(address)
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(sockets[0].Addr().String())
		for _, again := range []string{sockets[0].Addr().String(), "localhost:" + port} {
			_, err := Bind(again)
			if !Taken(err) || !strings.Contains(err.Error(), port) {
				t.Errorf("%s while %s is taken: %v", again, sockets[0].Addr(), err)
			}
		}
		if err := sockets[0].Close(); err != nil {
			t.Error(err)
		}
	}
}
