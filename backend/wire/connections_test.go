package wire_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"tailrace/backend/wire"
)

func TestRequestsThatWaitEndWithTheirClient(t *testing.T) {
	began, ended := make(chan struct{}), make(chan error, 1)
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
		ended <- r.Context().Err()
	})
	c := s.dial(t)
	send(c, "GET /a?wait HTTP/1.1\r\nHost: a\r\n\r\n")
	<-began
	_ = c.Close()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// TestRequestsThatWaitLeaveTheNextOneAlone sends a request behind one that waits:
// it is no reason to end that, and is answered after it.
func TestRequestsThatWaitLeaveTheNextOneAlone(t *testing.T) {
	began, goOn := make(chan struct{}), make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "wait" {
			close(began)
			<-goOn
			if r.Context().Err() != nil {
				w.WriteHeader(http.StatusTeapot)
				return
			}
		}
		tell(w, r)
	})
	c := s.dial(t)
	send(c, "GET /a?wait HTTP/1.1\r\nHost: a\r\n\r\n")
	<-began
	written := make(chan struct{})
	go func() {
		_, _ = io.WriteString(c, "GET /b HTTP/1.1\r\nHost: a\r\n\r\n")
		close(written)
	}()
	<-written
	close(goOn)
	r := bufio.NewReader(c)
	for _, path := range []string{"/a?wait", "/b"} {
		if a := read(r, "GET"); a.Err != "" || !strings.HasPrefix(a.Body, "GET "+path+" ") {
			t.Fatalf("%s: %+v", path, a)
		}
	}
	// Nothing of the waiting is left: the connection serves on.
	send(c, "GET /c HTTP/1.1\r\nHost: a\r\n\r\n")
	if a := read(r, "GET"); a.Err != "" {
		t.Fatal(a.Err)
	}
}

// TestDeadlinesOfRequestsThatWait sets them from beside the handler, as for a
// reader that is to be disconnected, and beside what watches the client.
func TestDeadlinesOfRequestsThatWait(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		beside := make(chan error, 1)
		go func() { beside <- rc.SetWriteDeadline(time.Now().Add(time.Minute)) }()
		err := errors.Join(rc.SetReadDeadline(time.Now().Add(time.Minute)), rc.SetWriteDeadline(time.Now().Add(time.Minute)), <-beside)
		if err != nil {
			panic(err)
		}
		tell(w, r)
	})
	c := s.dial(t)
	r := bufio.NewReader(c)
	for range 3 {
		send(c, "GET /a?wait HTTP/1.1\r\nHost: a\r\n\r\n")
		if a := read(r, "GET"); a.Err != "" || a.Close {
			t.Fatalf("%+v", a)
		}
	}
}

// TestNothingIsLeftInARequest has a handler change one: the next does not see it.
func TestNothingIsLeftInARequest(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s %v %q %q %q", r.URL.Path, r.Form, r.Pattern, r.PathValue("x"), r.Header)
		if err := r.ParseForm(); err != nil {
			panic(err)
		}
		r.SetPathValue("x", "y")
		r.Pattern, r.Method, r.Host = "z", "POST", "other"
		r.Header.Set("X", "1")
	})
	c := s.dial(t)
	r := bufio.NewReader(c)
	for range 2 {
		send(c, "GET /a?b=c HTTP/1.1\r\nHost: a\r\n\r\n")
		if a := read(r, "GET"); a.Body != `/a map[] "" "" map[]` {
			t.Fatalf("%+v", a)
		}
	}
}

func TestShutdown(t *testing.T) {
	began, goOn := make(chan struct{}), make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(began)
			<-goOn
		}
		w.WriteHeader(http.StatusNoContent)
	})
	unused, used, slow, odd := s.dial(t), s.dial(t), s.dial(t), s.dial(t)
	send(used, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if a := read(bufio.NewReader(used), "GET"); a.Status != "204 No Content" || a.Close {
		t.Fatalf("%+v", a)
	}
	send(odd, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	if a := read(bufio.NewReader(odd), "POST"); a.Status != "204 No Content" {
		t.Fatalf("%+v", a)
	}
	send(slow, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	<-began
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(t.Context()) }()
	for _, c := range []net.Conn{unused, used, odd} {
		if n, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Fatal(n, err)
		}
	}
	close(goOn)
	if a := read(bufio.NewReader(slow), "GET"); a.Status != "204 No Content" || !a.Close {
		t.Fatalf("%+v", a)
	}
	if err := <-down; err != nil {
		t.Fatal(err)
	}
}

// A server may be shut down before, while and after it begins to serve.
func TestShutdownAtTheStart(t *testing.T) {
	s := wire.New(wire.Options{HTTP: newHTTP(t.Context(), http.NotFoundHandler())})
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	l := newPipes()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		t.Fatal(err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener of a closed server: %v", err)
	}
	for range 500 {
		s := wire.New(wire.Options{HTTP: newHTTP(t.Context(), http.NotFoundHandler())})
		ended := make(chan error, 1)
		go func() { ended <- s.Serve(newPipes()) }()
		if err := s.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Fatal(err)
		}
	}
}

// Whoever has sent half of a head is not waited for.
func TestShutdownDoesNotWaitForHeads(t *testing.T) {
	given := make(chan struct{}, 4)
	s := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request that never was") }, func(h *http.Server) {
		h.ReadHeaderTimeout = time.Minute
		inner := h.ConnContext
		h.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
			given <- struct{}{}
			return inner(ctx, c)
		}
	})
	half := s.dial(t)
	send(half, "GET / HTTP/1.1\r\nHost: a\r\n")
	<-given // to this server
	<-given // and, as its head comes in pieces, to net/http
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // it has no time to wait
	_ = s.Shutdown(ctx)
	if n, err := half.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Fatal(n, err)
	}
}

func TestShutdownGivesUp(t *testing.T) {
	began, goOn := make(chan struct{}), make(chan struct{})
	s := serve(t, func(http.ResponseWriter, *http.Request) {
		close(began)
		<-goOn
	})
	c := s.dial(t)
	send(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	<-began
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := s.Server.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	close(goOn)
}

func TestConnectionsNobodyUsesAreClosed(t *testing.T) {
	brief := func(s *http.Server) { s.ReadHeaderTimeout = 20 * time.Millisecond }
	for name, request := range map[string]string{
		"unused": "", "begun": "GET / HT", "stopped in the head": "GET / HTTP/1.1\r\nHost",
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, tell, brief).dial(t)
			send(c, request)
			if _, err := io.ReadAll(c); err != nil {
				t.Fatal(err)
			}
		})
	}
	t.Run("used", func(t *testing.T) {
		c := serve(t, tell, func(s *http.Server) { s.IdleTimeout = 40 * time.Millisecond }).dial(t)
		send(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		r := bufio.NewReader(c)
		if a := read(r, "GET"); a.Status != "200 OK" || a.Close {
			t.Fatalf("%+v", a)
		}
		if data, err := io.ReadAll(r); err != nil || len(data) > 0 {
			t.Fatalf("%q, %v", data, err)
		}
	})
}

// TestEndsAreNoResets has a handler break off over TCP, where what was not read
// would make a reset of the end of the connection.
func TestEndsAreNoResets(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := wire.New(wire.Options{
		HTTP:  newHTTP(t.Context(), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })),
		Waits: func(*http.Request) bool { return false },
	})
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	for _, size := range []int{100, 100_000} {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size)); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
		if data, err := io.ReadAll(c); err != nil || len(data) > 0 {
			t.Errorf("%d bytes: %q, %v", size, data, err)
		}
		_ = c.Close()
	}
	// Half of a request, and the end of what the client sends.
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(c, "GET / HTTP/1.1")
	if err := errors.Join(err, c.(*net.TCPConn).CloseWrite()); err != nil {
		t.Fatal(err)
	}
	if a := read(bufio.NewReader(c), "GET"); a.Status != "400 Bad Request" {
		t.Errorf("half a request: %+v", a)
	}
	_ = c.Close()
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	<-ended
}

func TestBodiesThatPauseMeetTheDeadline(t *testing.T) {
	got := make(chan error, 1)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
			panic(err)
		}
		_, err := io.ReadAll(r.Body)
		got <- err
		w.WriteHeader(http.StatusRequestTimeout)
	})
	c := s.dial(t)
	send(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nsome")
	if a := read(bufio.NewReader(c), "POST"); a.Status != "408 Request Timeout" || !a.Close {
		t.Fatalf("%+v", a)
	}
	if err := <-got; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
}

// TestDeadlinesEndWithTheirRequest sets deadlines that are over when the next
// request comes.
func TestDeadlinesEndWithTheirRequest(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > 0 {
			rc := http.NewResponseController(w)
			if err := errors.Join(rc.SetReadDeadline(time.Now().Add(time.Minute)), rc.SetWriteDeadline(time.Now().Add(time.Minute))); err != nil {
				panic(err)
			}
			_, _ = io.ReadAll(r.Body)
			past := time.Unix(1, 0)
			defer func() { _ = errors.Join(rc.SetReadDeadline(past)) }()
		}
		w.WriteHeader(http.StatusNoContent)
		_ = http.NewResponseController(w).Flush()
	})
	c := s.dial(t)
	r := bufio.NewReader(c)
	for _, pieces := range [][]string{
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nso", "me"}, {"GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
	} {
		send(c, pieces...)
		if a := read(r, "POST"); a.Status != "204 No Content" {
			t.Fatalf("%+v", a)
		}
	}
}

func TestPanicsAreLogged(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) { panic("broken") })
	c := s.dial(t)
	send(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if data, err := io.ReadAll(c); len(data) > 0 || err != nil {
		t.Fatalf("%q, %v", data, err)
	}
	if got := s.logged.String(); !strings.Contains(got, "broken") || !strings.Contains(got, "connections_test.go") {
		t.Errorf("logged %q", got)
	}
}
