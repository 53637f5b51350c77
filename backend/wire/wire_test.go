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
