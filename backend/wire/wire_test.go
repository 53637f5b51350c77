package wire_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"tailrace/backend/wire"
)

func TestMain(m *testing.M) {
	// net/http waits half a second before it closes on a client that it has refused.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

// pipes is a listener whose connections are pipes: what is written in one piece
// is read as one.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial(t *testing.T) net.Conn {
	t.Helper()
	client, server := net.Pipe()
	p.conns <- server
	t.Cleanup(func() { _ = client.Close() })
	if err := client.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return client
}

// served is a server of a test.
type served struct {
	*wire.Server
	*pipes
	logged bytes.Buffer
}

// serve serves h until the test ends. Requests whose query says wait may take long.
func serve(t *testing.T, h http.HandlerFunc, change ...func(*http.Server)) *served {
	t.Helper()
	s := &served{pipes: newPipes()}
	base, cancel := context.WithCancel(context.Background())
	inner := newHTTP(base, h)
	inner.ErrorLog = log.New(&s.logged, "", 0)
	for _, f := range change {
		f(inner)
	}
	s.Server = wire.New(wire.Options{HTTP: inner, Waits: func(r *http.Request) bool { return r.URL.RawQuery == "wait" }})
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(s.pipes) }()
	t.Cleanup(func() {
		cancel()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve returned %v", err)
		}
	})
	return s
}

func newHTTP(base context.Context, h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, BaseContext: func(net.Listener) context.Context { return base },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c.RemoteAddr())
		},
		ReadHeaderTimeout: 20 * time.Second, IdleTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
	}
}

type connKey struct{}

// serveHTTP serves h by net/http alone.
func serveHTTP(t *testing.T, h http.HandlerFunc) *pipes {
	t.Helper()
	p := newPipes()
	s := newHTTP(t.Context(), h)
	ended := make(chan struct{})
	go func() {
		_ = s.Serve(p)
		close(ended)
	}()
	t.Cleanup(func() {
		_ = s.Close()
		<-ended
	})
	return p
}

// send writes pieces while somebody else reads.
func send(c net.Conn, pieces ...string) {
	go func() {
		for _, p := range pieces {
			if _, err := io.WriteString(c, p); err != nil {
				return
			}
		}
	}()
}

// answer is what a client makes of a response.
type answer struct {
	Status           string
	Header           http.Header
	Length           int64
	TransferEncoding []string
	Body             string
	Err              string
	Close            bool
}

func read(r *bufio.Reader, method string) answer {
	resp, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		return answer{Err: err.Error()}
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	a := answer{Status: resp.Status, Header: resp.Header, Length: resp.ContentLength, TransferEncoding: resp.TransferEncoding, Body: string(body), Close: resp.Close}
	if err != nil {
		a.Err = err.Error()
	}
	if len(a.Header["Date"]) > 0 {
		a.Header["Date"] = []string{"now"}
	}
	return a
}

// tell answers with what the handler sees of a request.
func tell(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	_, _ = fmt.Fprintf(w, "%s %s | %s | %q %q | host %s | length %d | close %v | %s %v\n", r.Method, r.RequestURI, r.Proto, r.URL.EscapedPath(), r.URL.RawQuery, r.Host, r.ContentLength, r.Close, r.RemoteAddr, r.Context().Value(connKey{}))
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		_, _ = fmt.Fprintf(w, "%s: %q\n", name, r.Header[name])
	}
	_, _ = fmt.Fprintf(w, "%d bytes %.20q %v\n", len(body), body, err)
}

// TestRequestsAreWhatNetHTTPSees sends requests to a server with and one without
// this package. Both must see and answer the same, however the bytes arrive.
func TestRequestsAreWhatNetHTTPSees(t *testing.T) {
	const host = "Host: localhost:4437\r\n"
	for name, request := range map[string]string{
		"get":                   "GET /a/b?offset=-1 HTTP/1.1\r\n" + host + "\r\n",
		"escaped":               "GET /a%2Fb/%2e%2e//c?x=%20&y HTTP/1.1\r\n" + host + "\r\n",
		"bad escape":            "GET /a%zz HTTP/1.1\r\n" + host + "\r\n",
		"absolute":              "GET http://other/a HTTP/1.1\r\n" + host + "\r\n",
		"asterisk":              "OPTIONS * HTTP/1.1\r\n" + host + "\r\n",
		"two slashes":           "GET //a/b HTTP/1.1\r\n" + host + "\r\n",
		"append":                "POST /a HTTP/1.1\r\n" + host + "Content-Length: 5\r\ncontent-TYPE: text/plain\r\n\r\nhello",
		"empty body":            "POST /a HTTP/1.1\r\n" + host + "Content-Length: 0\r\n\r\n",
		"no length":             "POST /a HTTP/1.1\r\n" + host + "\r\n",
		"fields twice":          "POST /a HTTP/1.1\r\n" + host + "X-One: 1\r\nX-Two: 2\r\nx-one: 3\r\n\r\n",
		"white space":           "GET /a HTTP/1.1\r\nHost:  localhost \r\nX: \t a b\t \r\nY:\r\n\r\n",
		"space before colon":    "GET /a HTTP/1.1\r\n" + host + "X : 1\r\n\r\n",
		"folded":                "GET /a HTTP/1.1\r\n" + host + "X: 1\r\n 2\r\n\r\n",
		"no colon":              "GET /a HTTP/1.1\r\n" + host + "X\r\n\r\n",
		"control character":     "GET /a HTTP/1.1\r\n" + host + "X: a\x01b\r\n\r\n",
		"utf-8":                 "GET /a HTTP/1.1\r\n" + host + "X: \xc3\xa4\r\n\r\n",
		"no host":               "GET /a HTTP/1.1\r\nX: 1\r\n\r\n",
		"two hosts":             "GET /a HTTP/1.1\r\n" + host + host + "\r\n",
		"empty host":            "GET /a HTTP/1.1\r\nHost:\r\n\r\n",
		"odd host":              "GET /a HTTP/1.1\r\nHost: a/b\r\n\r\n",
		"two lengths":           "POST /a HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"same length twice":     "POST /a HTTP/1.1\r\n" + host + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab",
		"length with sign":      "POST /a HTTP/1.1\r\n" + host + "Content-Length: +2\r\n\r\nab",
		"length is no number":   "POST /a HTTP/1.1\r\n" + host + "Content-Length: two\r\n\r\nab",
		"huge length":           "POST /a HTTP/1.1\r\n" + host + "Content-Length: 99999999999999999999\r\n\r\nab",
		"length and chunks":     "POST /a HTTP/1.1\r\n" + host + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
		"chunked":               "POST /a HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"HTTP/1.0":              "GET /a HTTP/1.0\r\n" + host + "\r\n",
		"HTTP/1.0 kept":         "GET /a HTTP/1.0\r\n" + host + "Connection: keep-alive\r\n\r\n",
		"HTTP/3.0":              "GET /a HTTP/3.0\r\n" + host + "\r\n",
		"lower method":          "get /a HTTP/1.1\r\n" + host + "\r\n",
		"own method":            "M-SEARCH /a HTTP/1.1\r\n" + host + "\r\n",
		"bad method":            "G@T /a HTTP/1.1\r\n" + host + "\r\n",
		"keep-alive":            "GET /a HTTP/1.1\r\n" + host + "Connection: Keep-Alive\r\n\r\n",
		"close":                 "GET /a HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n",
		"connection names":      "GET /a HTTP/1.1\r\n" + host + "Connection: X\r\nX: 1\r\n\r\n",
		"upgrade":               "GET /a HTTP/1.1\r\n" + host + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"bare line feeds":       "GET /a HTTP/1.1\nHost: localhost\n\n",
		"one bare line feed":    "GET /a HTTP/1.1\r\nHost: localhost\nX: 1\r\n\r\n",
		"not HTTP":              "hello\r\n\r\n",
		"one word":              "hello\n",
		"spaces":                "GET  /a  HTTP/1.1\r\n" + host + "\r\n",
		"long head":             "GET /a HTTP/1.1\r\n" + host + "X: " + strings.Repeat("x", 6000) + "\r\n\r\n",
		"too long":              "GET /a HTTP/1.1\r\n" + host + "X: " + strings.Repeat("x", 2<<20) + "\r\n\r\n",
		"body over the buffer":  "POST /a HTTP/1.1\r\n" + host + "Content-Length: 100000\r\n\r\n" + strings.Repeat("b", 100000),
		"large body":            "POST /a HTTP/1.1\r\n" + host + "Content-Length: 300000\r\n\r\n" + strings.Repeat("b", 300000),
		"authorization":         "GET /a HTTP/1.1\r\n" + host + "Authorization: Bearer x\r\nCookie: a=b\r\nCookie: c=d\r\n\r\n",
		"pragma":                "GET /a HTTP/1.1\r\n" + host + "Pragma: no-cache\r\n\r\n",
		"te":                    "GET /a HTTP/1.1\r\n" + host + "TE: trailers\r\nTrailer: X\r\n\r\n",
		"http2 by prior notice": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			method, _, _ := strings.Cut(request, " ")
			c := serveHTTP(t, tell).dial(t)
			send(c, request)
			want := read(bufio.NewReader(c), method)
			s := serve(t, tell)
			for name, pieces := range map[string][]string{
				"at once": {request}, "first byte": {request[:1], request[1:]}, "first line": {request[:4], request[4:]},
				"in the head": {request[:len(request)/2], request[len(request)/2:]}, "last byte": {request[:len(request)-1], request[len(request)-1:]},
			} {
				c := s.dial(t)
				send(c, pieces...)
				got := read(bufio.NewReader(c), method)
				_ = c.Close()
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-net/http +here):\n%s", name, diff)
				}
			}
		})
	}
}

// TestConnectionsGoOn sends requests of both kinds over one connection, all at
// once: they are answered in order, and nothing of one is left in the next.
func TestConnectionsGoOn(t *testing.T) {
	requests := []string{
		"POST /a HTTP/1.1\r\nHost: a\r\nX-First: 1\r\nContent-Length: 3\r\n\r\none",
		"POST /a HTTP/1.1\r\nHost: a\r\nX-First: 2\r\nContent-Length: 3\r\n\r\ntwo",
		"GET /b?x=1 HTTP/1.1\r\nX-Second: 1\r\nHost: b\r\nX-First: 1\r\n\r\n",
		"HEAD /b?x=1 HTTP/1.1\r\nHost: b\r\n\r\n",
		"GET /c HTTP/1.1\r\nHost: c\r\nX-Second: 1\r\nX-Second: 2\r\n\r\n",
		"POST /c HTTP/1.1\r\nHost: c\r\nContent-Length: 10000\r\n\r\n" + strings.Repeat("c", 10000),
		"POST /d HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nodd\r\n0\r\n\r\n",
		"GET /e HTTP/1.1\r\nHost: e\r\n\r\n",
	}
	everyKind(t, requests)
	// Old clients send a line break behind the body of a POST.
	everyKind(t, []string{
		"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none\r\n",
		"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\ntwo\r\n\r\n",
		"GET /b HTTP/1.1\r\nHost: b\r\n\r\n",
	})
}

// everyKind compares the answers to requests over one connection with net/http's.
func everyKind(t *testing.T, requests []string) {
	t.Helper()
	all := func(c net.Conn) (answers []answer) {
		send(c, strings.Join(requests, ""))
		r := bufio.NewReader(c)
		for _, request := range requests {
			method, _, _ := strings.Cut(request, " ")
			answers = append(answers, read(r, method))
		}
		return answers
	}
	want := all(serveHTTP(t, tell).dial(t))
	if diff := cmp.Diff(want, all(serve(t, tell).dial(t))); diff != "" {
		t.Errorf("-net/http +here:\n%s", diff)
	}
}

// TestAnswersAreThoseOfNetHTTP has handlers answer in many ways, and compares what
// a client gets from both servers, and whether it may go on.
func TestAnswersAreThoseOfNetHTTP(t *testing.T) {
	write := func(w io.Writer, s string) {
		_, _ = io.WriteString(w, s)
	}
	for name, h := range map[string]http.HandlerFunc{
		"nothing": func(http.ResponseWriter, *http.Request) {},
		"no content": func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Stream-Next-Offset"] = []string{"1"}
			w.WriteHeader(http.StatusNoContent)
			if _, err := w.Write([]byte("x")); !errors.Is(err, http.ErrBodyNotAllowed) {
				panic(err)
			}
		},
		"not modified": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ETag", `"a"`)
			w.WriteHeader(http.StatusNotModified)
		},
		"status and body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusConflict)
			w.WriteHeader(http.StatusOK)
			w.Header().Set("X-Late", "1")
			write(w, `{"error":`)
			write(w, `"x"}`)
		},
		"sniffed": func(w http.ResponseWriter, _ *http.Request) { write(w, "<html>") },
		"known length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", "100000")
			for range 10 {
				write(w, strings.Repeat("y", 10000))
			}
		},
		"known length in large pieces": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", "200002")
			write(w, "[")
			write(w, strings.Repeat("y", 200000))
			write(w, "]")
		},
		"too much": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", "3")
			write(w, "abc")
			if _, err := w.Write([]byte("d")); !errors.Is(err, http.ErrContentLength) {
				panic(err)
			}
		},
		"too little": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", "3")
			write(w, "ab")
		},
		"unknown length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			for i := range 100 {
				write(w, strings.Repeat("z", i*10))
			}
		},
		"unknown length, one large piece": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			write(w, strings.Repeat("z", 200000))
		},
		"flushed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for range 3 {
				write(w, "data: x\n\n")
				if err := http.NewResponseController(w).Flush(); err != nil {
					panic(err)
				}
			}
		},
		"flushed without a body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_ = http.NewResponseController(w).Flush()
		},
		"line breaks in a value": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Value", "a\r\nX-Other: b")
			w.WriteHeader(http.StatusOK)
		},
		"closing": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusOK)
		},
		"unknown status": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(599) },
		"much, and the body not read": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", "1000000")
			write(w, strings.Repeat("y", 1_000_000))
		},
		"several values": func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Vary"] = []string{"a", "b"}
			w.WriteHeader(http.StatusTeapot)
		},
		"body not read": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
		"body read in part": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadFull(r.Body, make([]byte, 10))
			write(w, "enough")
		},
		"aborted": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusOK)
			panic(http.ErrAbortHandler)
		},
		"broken off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			write(w, "some")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
	} {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			t.Run(name+"/"+method, func(t *testing.T) {
				request := method + " / HTTP/1.1\r\nHost: a\r\n"
				if method == "POST" {
					request += "Content-Length: 20000\r\n"
				}
				request += "\r\n"
				if method == "POST" {
					request += strings.Repeat("b", 20000)
				}
				twice := func(c net.Conn) (answers []answer) {
					r := bufio.NewReader(c)
					for range 2 {
						send(c, request)
						answers = append(answers, read(r, method))
						if last := answers[len(answers)-1]; last.Err != "" {
							break
						}
					}
					return answers
				}
				want := twice(serveHTTP(t, h).dial(t))
				if diff := cmp.Diff(want, twice(serve(t, h).dial(t))); diff != "" {
					t.Errorf("-net/http +here:\n%s", diff)
				}
			})
		}
	}
}

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
	if got := s.logged.String(); !strings.Contains(got, "broken") || !strings.Contains(got, "wire_test.go") {
		t.Errorf("logged %q", got)
	}
}
