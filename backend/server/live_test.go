package server

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// tape is the answer to a live request, readable while it is being written.
type tape struct {
	mu     sync.Mutex
	header http.Header
	status int
	body   bytes.Buffer
	shown  int // how much of the body has been flushed
	done   chan struct{}
	cancel context.CancelFunc
}

func (w *tape) Header() http.Header { return w.header }

func (w *tape) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status = status
}

func (w *tape) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.body.Write(p)
}

func (w *tape) Flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shown = w.body.Len()
}

// text returns what the client has received.
func (w *tape) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.body.String()[:w.shown]
}

func (w *tape) isDone() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// start begins a request on a goroutine of its own.
func (s *testServer) start(path string) *tape {
	ctx, cancel := context.WithCancel(context.Background())
	w := &tape{header: http.Header{}, done: make(chan struct{}), cancel: cancel}
	go func() {
		defer close(w.done)
		s.ServeHTTP(w, newRequest("GET", path, "").WithContext(ctx))
	}()
	return w
}

// inBubble runs a test with a server whose clock and timers are those of a
// synctest bubble.
func inBubble(t *testing.T, test func(t *testing.T, s *testServer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newTestServer(t)) })
}

func TestLongPoll(t *testing.T) {
	type check struct {
		status  int
		body    string
		headers map[string]string
	}
	closed := map[string]string{"Stream-Closed": "true", "Stream-Up-To-Date": "true"}
	upToDate := map[string]string{"Stream-Up-To-Date": "true", "Stream-Closed": "-"}
	for _, tt := range []struct {
		name, offset string
		before       func(s *testServer)
		wake         func(s *testServer)
		after        time.Duration // when it must have been answered
		want         check
	}{
		{"data is there", "-1", func(s *testServer) { s.post("a", "text/plain", "x") }, nil, 0, check{200, "x", upToDate}},
		{"an append", "-1", nil, func(s *testServer) { s.post("a", "text/plain", "x") }, 0, check{200, "x", upToDate}},
		{"an append behind now", "now", func(s *testServer) { s.post("a", "text/plain", "old") }, func(s *testServer) { s.post("a", "text/plain", "x") }, 0, check{200, "x", upToDate}},
		{"append and close", "now", nil, func(s *testServer) { s.post("a", "text/plain", "x", closes) }, 0, check{200, "x", closed}},
		{"closing", "-1", nil, func(s *testServer) { s.must("POST", "a", "", closes) }, 0, check{204, "", closed}},
		{"closed before", "now", func(s *testServer) { s.post("a", "text/plain", "x", closes) }, nil, 0, check{204, "", closed}},
		{"deletion", "-1", nil, func(s *testServer) { s.must("DELETE", "a", "") }, 0, check{404, "", nil}},
		{"a duplicate does not wake", "now", func(s *testServer) { s.must("POST", "a", "x", by("p", "0", "0")...) }, func(s *testServer) { s.must("POST", "a", "x", by("p", "0", "0")...) }, 20 * time.Second, check{204, "", upToDate}},
		{"the timeout", "-1", nil, nil, 20 * time.Second, check{204, "", upToDate}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *testServer) {
				s.create("a", "text/plain")
				if tt.before != nil {
					tt.before(s)
				}
				w := s.start("a?live=long-poll&offset=" + tt.offset)
				synctest.Wait()
				if tt.wake != nil {
					if w.isDone() {
						t.Fatalf("answered %d at once", w.status)
					}
					tt.wake(s)
					synctest.Wait()
				}
				if tt.after > 0 {
					time.Sleep(tt.after - time.Millisecond)
					if w.isDone() {
						t.Fatalf("answered %d before the timeout", w.status)
					}
					time.Sleep(time.Millisecond)
					synctest.Wait()
				}
				if !w.isDone() {
					t.Fatal("no answer")
				}
				if w.status != tt.want.status || (w.status < 400 && w.body.String() != tt.want.body) {
					t.Errorf("got %d %q", w.status, w.body.String())
				}
				for name, want := range tt.want.headers {
					if got := header(w.header, name); got != want {
						t.Errorf("%s is %q, want %q", name, got, want)
					}
				}
				if w.status < 300 {
					cursor := header(w.header, "Stream-Cursor")
					if isClosed := header(w.header, "Stream-Closed") == "true"; (cursor == "-") && !isClosed {
						t.Error("no cursor")
					}
					if header(w.header, "Stream-Next-Offset") != header(s.do("HEAD", "a", "").Header, "Stream-Next-Offset") {
						t.Errorf("next offset %s", header(w.header, "Stream-Next-Offset"))
					}
				}
			})
		})
	}
}

func TestLongPollCursorMovesOn(t *testing.T) {
	inBubble(t, func(t *testing.T, s *testServer) {
		s.create("a", "text/plain")
		s.post("a", "text/plain", "x")
		cursor := header(s.must("GET", "a?live=long-poll&offset=-1", "").Header, "Stream-Cursor")
		for range 5 {
			next := header(s.must("GET", "a?live=long-poll&offset=-1&cursor="+cursor, "").Header, "Stream-Cursor")
			if len(next) < len(cursor) || (len(next) == len(cursor) && next <= cursor) {
				t.Fatalf("cursor %s after %s", next, cursor)
			}
			cursor = next
		}
	})
}

// A stream with a short TTL stays as long as somebody follows it.
func TestLiveReadersKeepTheStream(t *testing.T) {
	for _, mode := range []string{"sse", "long-poll"} {
		t.Run(mode, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *testServer) {
				s.create("a", "text/plain", "Stream-TTL: 2")
				w := s.start("a?live=" + mode + "&offset=-1")
				time.Sleep(15 * time.Second)
				s.post("a", "text/plain", "x") // it is there
				w.cancel()
				<-w.done
				time.Sleep(3 * time.Second)
				if resp := s.do("HEAD", "a", ""); resp.StatusCode != 404 {
					t.Errorf("%d three seconds later", resp.StatusCode)
				}
			})
		})
	}
}

func TestTTLOverHTTP(t *testing.T) {
	for _, tt := range []struct {
		name   string
		use    func(s *testServer)
		slides bool
	}{
		{"GET", func(s *testServer) { s.must("GET", "a", "") }, true},
		{"GET now", func(s *testServer) { s.must("GET", "a?offset=now", "") }, true},
		{"GET 304", func(s *testServer) { s.do("GET", "a", "", "If-None-Match: *") }, true},
		{"long-poll", func(s *testServer) { s.must("GET", "a?offset=-1&live=long-poll", "") }, true},
		{"POST", func(s *testServer) { s.post("a", "text/plain", "x") }, true},
		{"close", func(s *testServer) { s.must("POST", "a", "", closes) }, true},
		{"HEAD", func(s *testServer) { s.must("HEAD", "a", "") }, false},
		{"OPTIONS", func(s *testServer) { s.must("OPTIONS", "a", "") }, false},
		{"a refused POST", func(s *testServer) { s.do("POST", "a", "", asText) }, false},
		{"a refused GET", func(s *testServer) { s.do("GET", "a?offset=x", "") }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *testServer) {
				s.must("PUT", "a", "content", asText, "Stream-TTL: 10")
				time.Sleep(6 * time.Second)
				tt.use(s)
				time.Sleep(6 * time.Second)
				if slid := s.do("HEAD", "a", "").StatusCode == 200; slid != tt.slides {
					t.Errorf("there after 12 s: %v", slid)
				}
			})
		})
	}
}
