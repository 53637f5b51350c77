package engine

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

func TestMain(m *testing.M) {
	if dir := crashDir(); dir != "" {
		crashChild(dir) // never returns
	}
	goleak.VerifyTestMain(m)
}

// testEngine is an engine on a log of its own.
type testEngine struct {
	*Engine
	t       testing.TB
	dir     string
	db      *store.DB
	options Options
	store   store.Options
	isOpen  bool
}

// newTestEngine opens an engine on a new log and closes it when the test ends.
func newTestEngine(t testing.TB, o Options, s store.Options) *testEngine {
	t.Helper()
	e := &testEngine{t: t, dir: t.TempDir(), options: o, store: s}
	if e.options.Log == nil {
		e.options.Log = slog.New(slog.DiscardHandler)
	}
	e.open()
	t.Cleanup(e.close)
	return e
}

func (e *testEngine) open() {
	e.t.Helper()
	db, err := store.Open(context.Background(), e.dir, e.store)
	if err != nil {
		e.t.Fatal(err)
	}
	eng, err := Open(context.Background(), db, e.options)
	if err != nil {
		e.t.Fatal(err)
	}
	e.db, e.Engine, e.isOpen = db, eng, true
}

func (e *testEngine) close() {
	if !e.isOpen {
		return
	}
	e.isOpen = false
	e.Engine.Close()
	if err := e.db.Close(); err != nil {
		e.t.Error(err)
	}
}

func (e *testEngine) reopen() {
	e.t.Helper()
	e.close()
	e.open()
}

// Exists returns nil when there is a stream at path that takes requests, else why
// not.
func (e *testEngine) Exists(path string) error {
	r, err := e.OpenReader(path)
	if err != nil {
		return err
	}
	r.Close()
	return nil
}

// frame is what the server does with a body.
func frame(contentType, body string) (protocol.Payload, error) {
	media, err := protocol.ParseContentType(contentType)
	if err != nil {
		return protocol.Payload{}, nil
	}
	return protocol.FramePayload(protocol.KindOf(media), []byte(body), false, protocol.DefaultLimits())
}

// request is an append as a client would send it.
func request(contentType, body string, change ...func(*AppendRequest)) *AppendRequest {
	r := &AppendRequest{ContentType: contentType, Empty: body == ""}
	r.Payload, r.PayloadErr = frame(contentType, body)
	for _, c := range change {
		c(r)
	}
	return r
}

func closing(r *AppendRequest) { r.Close = true }

func by(id string, epoch, seq int64) func(*AppendRequest) {
	return func(r *AppendRequest) { r.Producer = &protocol.Producer{ID: id, Epoch: epoch, Seq: seq} }
}

func streamSeq(s string) func(*AppendRequest) {
	return func(r *AppendRequest) { r.StreamSeq = s }
}

func (e *testEngine) mustCreate(path, contentType string, change ...func(*CreateRequest)) *State {
	e.t.Helper()
	r := &CreateRequest{ContentType: contentType}
	for _, c := range change {
		c(r)
	}
	created, err := e.Create(path, r)
	if err != nil || !created.New {
		e.t.Fatalf("create %q: %+v, %v", path, created, err)
	}
	return created.State
}

func (e *testEngine) mustAppend(path, contentType, body string, change ...func(*AppendRequest)) Appended {
	e.t.Helper()
	a, err := e.Append(path, request(contentType, body, change...))
	if err != nil {
		e.t.Fatalf("append to %q: %v", path, err)
	}
	return a
}

// content reads a stream from a position to its tail in small steps.
func (e *testEngine) content(path string, from int64) (string, *State) {
	e.t.Helper()
	r, err := e.OpenReader(path)
	if err != nil {
		e.t.Fatalf("open %q: %v", path, err)
	}
	defer r.Close()
	st, _, err := r.Current()
	if err != nil {
		e.t.Fatalf("current %q: %v", path, err)
	}
	var parts []string
	for at := from; at < st.Tail; {
		pieces, err := r.Read(st, at, 1000)
		if err != nil {
			e.t.Fatalf("read %q at %d: %v", path, at, err)
		}
		for _, p := range pieces {
			parts = append(parts, string(p.Data))
			at = p.End
		}
	}
	sep := ""
	if st.Kind == protocol.KindJSON {
		sep = ","
	}
	return strings.Join(parts, sep), st
}

func (e *testEngine) wantContent(path, want string) {
	e.t.Helper()
	if got, _ := e.content(path, 0); got != want {
		e.t.Errorf("%q holds %q, want %q", path, got, want)
	}
}

func (e *testEngine) wantGone(path string) {
	e.t.Helper()
	if err := e.Exists(path); !errors.Is(err, protocol.ErrNotFound) {
		e.t.Errorf("%q: got %v, want not found", path, err)
	}
}

// ttl gives a stream a sliding TTL.
func ttl(d time.Duration) func(*CreateRequest) {
	return func(r *CreateRequest) { r.Expiry = protocol.Expiry{HasTTL: true, TTL: int64(d / time.Second)} }
}

func withBody(body string) func(*CreateRequest) {
	return func(r *CreateRequest) { r.Payload, r.PayloadErr = frame(r.ContentType, body) }
}

func closed(r *CreateRequest) { r.Closed = true }
