package subscription

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tailrace/backend/engine"
	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// world is a manager on a real log, with webhook receivers on a network of pipes:
// in a synctest bubble, time passes only when everybody waits.
type world struct {
	log    bytes.Buffer
	t      testing.TB
	dir    string
	db     *store.DB
	engine *engine.Engine
	m      *Manager
	hosts  map[string]*receiver
}

const testBase = "http://localhost:4437"

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), hosts: map[string]*receiver{}}
	w.open()
	t.Cleanup(w.close)
	return w
}

func (w *world) open() {
	w.t.Helper()
	var err error
	if w.db, err = store.Open(context.Background(), w.dir, store.Options{}); err != nil {
		w.t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(&w.log, nil))
	if w.engine, err = engine.Open(context.Background(), w.db, engine.Options{Log: log}); err != nil {
		w.t.Fatal(err)
	}
	d := &dialer{
		lookup: func(context.Context, string, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		},
		dial: func(ctx context.Context, _ *net.Dialer, _, address string) (net.Conn, error) {
			return w.connect(ctx, address)
		},
	}
	o := Options{Store: w.db, Engine: w.engine, Limits: protocol.DefaultLimits(), Port: 4437, Log: log}
	if w.m, err = openWith(context.Background(), o, newSender(d)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) close() {
	w.t.Helper()
	w.m.Close()
	w.engine.Close()
	if err := w.db.Close(); err != nil {
		w.t.Error(err)
	}
	for _, r := range w.hosts {
		r.server.Close()
	}
}

// reopen ends the program as a crash would, as far as the log is concerned:
// closing a manager stores nothing.
func (w *world) reopen() {
	w.t.Helper()
	w.m.Close()
	w.engine.Close()
	if err := w.db.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.open()
}

// received is a webhook request as a receiver saw it.
type received struct {
	At        time.Time
	Raw       []byte
	Signature string
	ID        string       `json:"subscription_id"`
	WakeID    string       `json:"wake_id"`
	Gen       int64        `json:"generation"`
	Streams   []streamInfo `json:"streams"`
	URL       string       `json:"callback_url"`
	Token     string       `json:"callback_token"`
}

func (r *received) stream(path string) streamInfo {
	for _, s := range r.Streams {
		if s.Path == path {
			return s
		}
	}
	return streamInfo{}
}

// receiver is a webhook receiver on the network of pipes.
type receiver struct {
	server *http.Server
	conns  chan net.Conn
	done   chan struct{}
	got    chan *received
	url    string
}

// receiver starts a receiver at port 1 upwards of localhost.
func (w *world) receiver(port string, answer http.HandlerFunc) *receiver {
	r := &receiver{
		conns: make(chan net.Conn), done: make(chan struct{}), got: make(chan *received, 1000), url: "http://localhost:" + port + "/hook",
	}
	r.server = &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		raw, err := io.ReadAll(req.Body)
		if err != nil {
			return // the sender has gone
		}
		in := &received{At: time.Now(), Raw: raw, Signature: req.Header.Get("Webhook-Signature")}
		if err := json.Unmarshal(raw, in); err != nil {
			w.t.Errorf("webhook body: %v", err)
		}
		r.got <- in
		req.Body = io.NopCloser(bytes.NewReader(raw))
		answer(rw, req)
	})}
	w.hosts["127.0.0.1:"+port] = r
	go func() { _ = r.server.Serve(r) }()
	return r
}

// next is the next request. In a bubble, within 0 means without any wait.
func (r *receiver) next(t *testing.T, within time.Duration) *received {
	t.Helper()
	select {
	case in := <-r.got:
		return in
	case <-time.After(within + 1):
		t.Fatalf("no webhook request within %v", within)
		return nil
	}
}

// none fails when there is a request within a time.
func (r *receiver) none(t *testing.T, within time.Duration) {
	t.Helper()
	select {
	case in := <-r.got:
		t.Fatalf("unexpected webhook request: %s", in.Raw)
	case <-time.After(within):
	}
}

func (r *receiver) Accept() (net.Conn, error) {
	select {
	case c := <-r.conns:
		return c, nil
	case <-r.done:
		return nil, net.ErrClosed
	}
}

func (r *receiver) Close() error   { close(r.done); return nil }
func (r *receiver) Addr() net.Addr { return &net.TCPAddr{} }

func (w *world) connect(ctx context.Context, address string) (net.Conn, error) {
	r := w.hosts[address]
	if r == nil {
		return nil, errors.New("connection refused")
	}
	client, server := net.Pipe()
	select {
	case r.conns <- server:
		return client, nil
	case <-r.done:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// done answers as a receiver that has processed everything.
func done(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"done":true}`) }

// later answers as a receiver that is going to call back.
func later(http.ResponseWriter, *http.Request) {}

// answer is what the API answers.
type answer struct {
	status int
	code   Code // of an error
	body   map[string]any
	raw    []byte
	header http.Header
}

// call sends a request to the API.
func (w *world) call(method, path, token, body string) answer {
	w.t.Helper()
	r := httptest.NewRequest(method, "/", nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	rec := httptest.NewRecorder()
	err := w.m.Serve(rec, r, Call{Path: path, Base: testBase, Body: func() ([]byte, error) { return []byte(body), nil }})
	var refused *Error
	if errors.As(err, &refused) {
		return answer{code: refused.Code, body: map[string]any{"message": refused.Message, "current_holder": refused.Holder}}
	}
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	a := answer{status: rec.Code, raw: rec.Body.Bytes(), header: rec.Header()}
	if len(a.raw) > 0 {
		if err := json.Unmarshal(a.raw, &a.body); err != nil {
			w.t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	return a
}

// must is call for what has to be answered with a status.
func (w *world) must(status int, method, path, token, body string) answer {
	w.t.Helper()
	a := w.call(method, path, token, body)
	if a.status != status {
		w.t.Fatalf("%s %s: %d %s %v, want %d", method, path, a.status, a.code, a.body, status)
	}
	return a
}

// refused is call for what has to be refused.
func (w *world) refused(code Code, method, path, token, body string) answer {
	w.t.Helper()
	a := w.call(method, path, token, body)
	if a.code != code {
		w.t.Fatalf("%s %s: %d %q %v, want %s", method, path, a.status, a.code, a.body, code)
	}
	return a
}

// subscribe creates a subscription.
func (w *world) subscribe(id, body string) {
	w.t.Helper()
	w.must(201, "PUT", "subscriptions/"+id, "", body)
}

// get is a subscription as clients see it.
func (w *world) get(id string) *description {
	w.t.Helper()
	var d description
	if err := json.Unmarshal(w.must(200, "GET", "subscriptions/"+id, "", "").raw, &d); err != nil {
		w.t.Fatal(err)
	}
	return &d
}

// cursors are the acked offsets of a subscription by path.
func (w *world) cursors(id string) map[string]string {
	w.t.Helper()
	out := map[string]string{}
	for _, s := range w.get(id).Streams {
		out[s.Path] = s.Acked
	}
	return out
}

// create creates a JSON stream with content, if any.
func (w *world) create(path string, messages ...string) {
	w.t.Helper()
	req := &engine.CreateRequest{ContentType: "application/json"}
	if len(messages) > 0 {
		req.Payload = payload(w.t, messages)
	}
	if _, err := w.engine.Create(path, req); err != nil {
		w.t.Fatal(err)
	}
}

// append appends to a JSON stream.
func (w *world) append(path string, messages ...string) {
	w.t.Helper()
	if _, err := w.engine.Append(path, &engine.AppendRequest{ContentType: "application/json", Payload: payload(w.t, messages)}); err != nil {
		w.t.Fatal(err)
	}
}

func payload(t testing.TB, messages []string) protocol.Payload {
	t.Helper()
	p, err := protocol.FramePayload(protocol.KindJSON, []byte("["+strings.Join(messages, ",")+"]"), false, protocol.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// events are the wake events in a wake stream.
func (w *world) events(path string) []wakeEvent {
	w.t.Helper()
	r, err := w.engine.OpenReader(path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Close()
	st, _, err := r.Current()
	if err != nil {
		w.t.Fatal(err)
	}
	pieces, err := r.Read(st, 0, 1<<20)
	if err != nil {
		w.t.Fatal(err)
	}
	var parts [][]byte
	for _, p := range pieces {
		parts = append(parts, p.Data)
	}
	var events []wakeEvent
	if err := json.Unmarshal([]byte("["+string(bytes.Join(parts, []byte{','}))+"]"), &events); err != nil {
		w.t.Fatal(err)
	}
	return events
}

// token of position n in the first stream at a path.
func at(n int64) string { return protocol.Offset{Position: n}.String() }

// ack is the body of a callback or ack.
func ack(wakeID string, generation int64, done bool, acks ...[2]string) string {
	list := []map[string]string{}
	for _, a := range acks {
		list = append(list, map[string]string{"stream": a[0], "offset": a[1]})
	}
	b, err := json.Marshal(map[string]any{"wake_id": wakeID, "generation": generation, "acks": list, "done": done})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// bubble runs a test in a synctest bubble with a world.
func bubble(t *testing.T, f func(*testing.T, *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newWorld(t)) })
}
