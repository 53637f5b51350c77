package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tailrace/backend/engine"
)

func TestEncodedBodiesAreRefused(t *testing.T) {
	s := newTestServer(t)
	s.create("a", "text/plain")
	for _, method := range []string{"POST", "PUT"} {
		s.run(t, []exchange{{method, "b/" + method, "x", []string{"Content-Type: text/plain", "Content-Encoding: gzip"}, map[string]int{"POST": 404, "PUT": 415}[method], nil, ""}})
	}
	s.run(t, []exchange{
		{"POST", "a", "x", []string{"Content-Type: text/plain", "Content-Encoding: gzip"}, 415, nil, "Content-Encoding"},
		{"POST", "a", "x", []string{"Content-Type: text/plain", "Content-Encoding: identity", "Content-Encoding: gzip"}, 415, nil, "Content-Encoding"},
		{"POST", "a", "x", []string{"Content-Type: text/plain", "Content-Encoding: identity"}, 204, nil, ""},
	})
}

// A body that pauses is given up, whatever its framing, and nothing is written.
func TestPausingBodyTimesOut(t *testing.T) {
	s := newTestServer(t, func(o *Options) { o.BodyTimeout = 100 * time.Millisecond })
	s.create("a", "text/plain")
	h := httptest.NewServer(s)
	defer h.Close()
	for name, request := range map[string]string{
		"with a length": "Content-Length: 10\r\n\r\nabc",
		"in chunks":     "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", h.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "POST /v1/stream/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n%s", request)
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(body), "BODY_TIMEOUT") {
				t.Errorf("%s %s, %v", res.Status, body, err)
			}
		})
	}
	// Nor may a body hold a connection that nobody reads from.
	conn, err := net.Dial("tcp", h.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "POST /v1/stream/none HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc")
	if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || res.StatusCode != http.StatusNotFound {
		t.Errorf("a refused body: %v, %v", res, err)
	}
	if got := bodyOf(s.must("GET", "a", "")); got != "" {
		t.Errorf("something was written: %q", got)
	}
}

func TestLiveReadersAreBounded(t *testing.T) {
	for name, tt := range map[string]struct {
		all, perClient, status int
		limit                  string
	}{
		"in all":          {1, 5, http.StatusServiceUnavailable, "max_live_readers"},
		"from one client": {5, 1, http.StatusTooManyRequests, "max_live_readers_per_client"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestServer(t, func(o *Options) {
				o.MaxReaders, o.MaxReadersPerClient, o.LongPollTimeout = tt.all, tt.perClient, time.Millisecond
			})
			s.create("a", "text/plain")
			held, _, err := s.readers.enter(httptest.NewRecorder(), newRequest("GET", "a", ""), &engine.State{}, 0, true)
			if err != nil {
				t.Fatal(err)
			}
			for _, live := range []string{"long-poll", "sse"} {
				s.run(t, []exchange{{"GET", "a?offset=now&live=" + live, "", nil, tt.status, []string{"Retry-After: 1"}, tt.limit}})
			}
			s.readers.leave(held)
			s.run(t, []exchange{{"GET", "a?offset=now&live=long-poll", "", nil, 204, nil, ""}})
		})
	}
}

// A clock that is set back must not take cursors back.
func TestCursorsNeverGoBack(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	s := newTestServer(t, func(o *Options) {
		o.LongPollTimeout = time.Millisecond
		o.Now = func() time.Time { return now }
	})
	s.create("a", "text/plain")
	cursor := func() string {
		return header(s.must("GET", "a?offset=now&live=long-poll", "").Header, "Stream-Cursor")
	}
	first := cursor()
	now = now.Add(-24 * time.Hour)
	if second := cursor(); second != first {
		t.Errorf("%s, then %s", first, second)
	}
	now = now.Add(48 * time.Hour)
	if third := cursor(); third <= first {
		t.Errorf("%s, then %s a day later", first, third)
	}
}
