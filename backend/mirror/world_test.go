package mirror

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tailrace/backend/engine"
	"tailrace/backend/protocol"
	"tailrace/backend/server"
	"tailrace/backend/store"
	"tailrace/backend/subscription"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// host is a Durable Streams server on a log of its own. What wraps it can fail.
type host struct {
	t      testing.TB
	dir    string
	db     *store.DB
	engine *engine.Engine
	subs   *subscription.Manager
	http   *httptest.Server
	// around, if set, answers instead of the server.
	around atomic.Pointer[func(w http.ResponseWriter, r *http.Request, next http.Handler)]

	mirrors *Manager
	log     lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newHost(t testing.TB) *host {
	t.Helper()
	h := &host{t: t, dir: t.TempDir()}
	h.open()
	h.http = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next := server.New(server.Options{
			Engine: h.engine, Subscriptions: h.subs, Limits: protocol.DefaultLimits(), LongPollTimeout: 20 * time.Second,
			BodyTimeout: 30 * time.Second, SSEMaxAge: time.Minute, MaxReaders: 100, MaxReadersPerClient: 100, CacheControl: "no-store",
			Now: time.Now, Log: slog.New(slog.DiscardHandler),
		})
		if around := h.around.Load(); around != nil {
			(*around)(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	}))
	h.http.Start()
	t.Cleanup(func() {
		if h.mirrors != nil {
			h.mirrors.Close()
		}
		h.http.CloseClientConnections()
		h.http.Close()
		h.close()
	})
	return h
}

func (h *host) open() {
	h.t.Helper()
	var err error
	if h.db, err = store.Open(context.Background(), h.dir, store.Options{SealAt: 4096}); err != nil {
		h.t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	if h.engine, err = engine.Open(context.Background(), h.db, engine.Options{Log: log}); err != nil {
		h.t.Fatal(err)
	}
	h.subs, err = subscription.Open(context.Background(), subscription.Options{
		Store: h.db, Engine: h.engine, Limits: protocol.DefaultLimits(), Now: time.Now, Log: log,
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) close() {
	h.t.Helper()
	h.subs.Close()
	h.engine.Close()
	if err := h.db.Close(); err != nil {
		h.t.Error(err)
	}
}

// mirror opens the mirrors of the host, again if they were.
func (h *host) mirror(change ...func(*Options)) *Manager {
	h.t.Helper()
	if h.mirrors != nil {
		h.mirrors.Close()
	}
	o := Options{Store: h.db, Engine: h.engine, Backoff: time.Millisecond, Log: slog.New(slog.NewTextHandler(&h.log, nil))}
	for _, c := range change {
		c(&o)
	}
	var err error
	if h.mirrors, err = Open(o); err != nil {
		h.t.Fatal(err)
	}
	return h.mirrors
}

func (h *host) root() string { return h.http.URL + "/v1/stream/" }

// fail has requests answered by f.
func (h *host) fail(f func(w http.ResponseWriter, r *http.Request, next http.Handler)) {
	if f == nil {
		h.around.Store(nil)
		return
	}
	h.around.Store(&f)
}

func (h *host) create(path, contentType string) {
	h.t.Helper()
	if _, err := h.engine.Create(path, &engine.CreateRequest{ContentType: contentType}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) append(path, body string, closing ...bool) {
	h.t.Helper()
	_, err := h.engine.Append(path, &engine.AppendRequest{
		Empty: body == "", Close: len(closing) > 0,
		Frame: func(k protocol.Kind) (protocol.Payload, error) {
			return protocol.FramePayload(k, []byte(body), false, protocol.DefaultLimits())
		},
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// content is what a stream holds, as a read returns it; "closed" is marked.
func (h *host) content(path string) string {
	rd, err := h.engine.OpenReader(path)
	if err != nil {
		return "error: " + err.Error()
	}
	defer rd.Close()
	st, err := rd.State()
	if err != nil {
		return "error: " + err.Error()
	}
	data, err := cut(rd, st, 0, st.Tail)
	if err != nil {
		return "error: " + err.Error()
	}
	if st.Closed {
		return string(data) + " (closed)"
	}
	return string(data)
}

func (h *host) state(path string) *engine.State {
	h.t.Helper()
	st, err := stateOf(h.engine, path)
	if err != nil {
		h.t.Fatal(err)
	}
	return st
}

// add makes a mirror.
func (h *host) add(direction, glob string, to *host, change ...func(*Request)) {
	h.t.Helper()
	r := Request{Name: "m", Direction: direction, Glob: glob, Remote: Remote{URL: to.root()}}
	for _, c := range change {
		c(&r)
	}
	if _, err := h.mirrors.Add(h.t.Context(), r); err != nil {
		h.t.Fatal(err)
	}
}

// await waits until something is so.
func await(t testing.TB, what string, f func() (ok bool, have string)) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		ok, have := f()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: never; it is %s", what, have)
		}
		<-time.After(time.Millisecond)
	}
}

// until waits until a stream is in a state, for reasons that contain these.
func (h *host) until(path string, want State, reasons ...string) StreamSight {
	h.t.Helper()
	var got StreamSight
	await(h.t, fmt.Sprintf("%s is %s %q", path, want, reasons), func() (bool, string) {
		sight, err := h.mirrors.Look("m")
		if err != nil {
			return false, err.Error()
		}
		for _, s := range sight.Streams {
			if s.Path == path && s.State == want && !slices.ContainsFunc(reasons, func(r string) bool { return !strings.Contains(s.Error, r) }) {
				got = s
				return true, ""
			}
		}
		return false, fmt.Sprintf("%+v", sight)
	})
	return got
}

// holds waits until a stream holds something.
func (h *host) holds(path, want string) {
	h.t.Helper()
	await(h.t, path+" holds it", func() (bool, string) {
		have := h.content(path)
		return have == want, have[:min(len(have), 200)]
	})
}

// once runs a mirror to its end.
func (h *host) once(direction, glob string, to *host, change ...func(*Request)) Sight {
	h.t.Helper()
	h.add(direction, glob, to, append(change, func(r *Request) { r.Once = true })...)
	var got Sight
	await(h.t, "the mirror ends", func() (bool, string) {
		var err error
		got, err = h.mirrors.Look("m")
		return err == nil && got.State != Running && got.Once != OnceRunning, fmt.Sprintf("%+v %v", got, err)
	})
	return got
}

func (h *host) delete(path string) {
	h.t.Helper()
	if err := h.engine.Delete(path); err != nil {
		h.t.Fatal(err)
	}
}

// both runs a test for each direction: source and copy are hosts, and the mirrors
// are those of the one that at returns.
func both(t *testing.T, f func(t *testing.T, direction string, source, copied, at *host)) {
	for _, direction := range []string{store.MirrorPush, store.MirrorPull} {
		t.Run(direction, func(t *testing.T) {
			source, copied := newHost(t), newHost(t)
			at := source
			if direction == store.MirrorPull {
				at = copied
			}
			at.mirror()
			f(t, direction, source, copied, at)
		})
	}
}

func other(at, a, b *host) *host {
	if at == a {
		return b
	}
	return a
}
