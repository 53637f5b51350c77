package server

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tailrace/backend/engine"
	"tailrace/backend/protocol"
	"tailrace/backend/store"
	"tailrace/backend/subscription"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testServer is a server with an engine and a log of its own.
type testServer struct {
	*Server
	t  testing.TB
	db *store.DB
}

func newTestServer(t testing.TB, change ...func(*Options)) *testServer {
	t.Helper()
	return newTestServerOn(t, store.Options{}, change...)
}

// newTestServerOn is newTestServer with a log of other sizes.
func newTestServerOn(t testing.TB, s store.Options, change ...func(*Options)) *testServer {
	t.Helper()
	db, err := store.Open(t.Context(), t.TempDir(), s)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	eng, err := engine.Open(t.Context(), db, engine.Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	subs, err := subscription.Open(t.Context(), subscription.Options{
		Store: db, Engine: eng, Limits: protocol.DefaultLimits(), Now: time.Now, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		subs.Close()
		eng.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	o := Options{
		Engine:          eng,
		Subscriptions:   subs,
		Metrics:         http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }),
		Limits:          protocol.DefaultLimits(),
		LongPollTimeout: 20 * time.Second,
		BodyTimeout:     30 * time.Second,
		MaxReaders:      100, MaxReadersPerClient: 100,
		SSEMaxAge:    60 * time.Second,
		CacheControl: "no-store",
		Version:      "1.2.3",
		Now:          time.Now,
		Log:          log,
	}
	for _, c := range change {
		c(&o)
	}
	return &testServer{Server: New(o), t: t, db: db}
}

// newRequest makes a request with headers given as "Name: value".
func newRequest(method, path, body string, headers ...string) *http.Request {
	target := path
	if !strings.HasPrefix(path, "/") {
		target = "/v1/stream/" + path
	}
	r := httptest.NewRequest(method, "http://localhost:4437"+target, strings.NewReader(body))
	if body == "" {
		r = httptest.NewRequest(method, "http://localhost:4437"+target, http.NoBody)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	return r
}

func (s *testServer) do(method, path, body string, headers ...string) *http.Response {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, newRequest(method, path, body, headers...))
	return w.Result()
}

// must sends a request that has to succeed.
func (s *testServer) must(method, path, body string, headers ...string) *http.Response {
	s.t.Helper()
	resp := s.do(method, path, body, headers...)
	if resp.StatusCode >= 300 {
		s.t.Fatalf("%s %s: %s %s", method, path, resp.Status, bodyOf(resp))
	}
	return resp
}

func (s *testServer) create(path, contentType string, headers ...string) {
	s.t.Helper()
	s.must("PUT", path, "", append(headers, "Content-Type: "+contentType)...)
}

func (s *testServer) post(path, contentType, body string, headers ...string) *http.Response {
	s.t.Helper()
	return s.must("POST", path, body, append(headers, "Content-Type: "+contentType)...)
}

func bodyOf(resp *http.Response) string {
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// header returns a header by its exact spelling on the wire; "-" stands for an
// absent one.
func header(h http.Header, name string) string {
	values, ok := h[name]
	if !ok {
		values, ok = h[http.CanonicalHeaderKey(name)]
	}
	if !ok {
		return "-"
	}
	return strings.Join(values, "|")
}

// exchange is a request and what must be answered.
type exchange struct {
	method, path, body string
	headers            []string
	status             int
	want               []string // "Name: value"; "Name: -" for a header that must be absent
	content            string   // of the answer; for errors what the message must contain
}

func (s *testServer) run(t *testing.T, exchanges []exchange) {
	t.Helper()
	for i, x := range exchanges {
		resp := s.do(x.method, x.path, x.body, x.headers...)
		body := bodyOf(resp)
		where := fmt.Sprintf("%d: %s %s", i, x.method, x.path)
		if resp.StatusCode != x.status {
			t.Fatalf("%s: status %d, want %d: %s", where, resp.StatusCode, x.status, body)
		}
		for _, h := range x.want {
			name, want, _ := strings.Cut(h, ": ")
			if got := header(resp.Header, name); got != want {
				t.Errorf("%s: %s is %q, want %q", where, name, got, want)
			}
		}
		checkAlways(t, where, resp)
		switch {
		case resp.StatusCode >= 400 && x.method != "HEAD":
			if msg := errorMessage(t, where, resp, body); !strings.Contains(msg, x.content) {
				t.Errorf("%s: the message %q does not say %q", where, msg, x.content)
			}
		case x.method == "HEAD" && body != "":
			t.Errorf("%s: has a body: %q", where, body)
		case x.method != "HEAD" && body != x.content:
			t.Errorf("%s: body %q, want %q", where, body, x.content)
		}
	}
}

// checkAlways checks what every response has.
func checkAlways(t *testing.T, where string, resp *http.Response) {
	t.Helper()
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-site"} {
		if got := header(resp.Header, name); got != want {
			t.Errorf("%s: %s is %q", where, name, got)
		}
	}
}

// errorMessage checks the form of an error's body and returns its message.
func errorMessage(t *testing.T, where string, resp *http.Response, body string) string {
	t.Helper()
	var e struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil || e.Error.Code == "" || e.Error.Message == "" {
		t.Errorf("%s: the error's body is %q", where, body)
	}
	if ct := header(resp.Header, "Content-Type"); ct != "application/json" {
		t.Errorf("%s: the error has type %s", where, ct)
	}
	if cc := header(resp.Header, "Cache-Control"); cc != "no-store" {
		t.Errorf("%s: the error has Cache-Control %s", where, cc)
	}
	return e.Error.Message
}

// token is the offset of a position in the first stream at a path.
func token(position int64) string { return protocol.Offset{Position: position}.String() }
