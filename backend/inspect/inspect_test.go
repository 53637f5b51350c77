package inspect

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"tailrace/backend/engine"
	"tailrace/backend/journal"
	"tailrace/backend/lint"
	"tailrace/backend/mirror"
	"tailrace/backend/protocol"
	"tailrace/backend/server"
	"tailrace/backend/store"
	"tailrace/backend/subscription"
)

// page is an inspector on a log of its own, and a client with its token.
type page struct {
	t       *testing.T
	engine  *engine.Engine
	data    *server.Server // the protocol over HTTP
	journal *journal.Journal
	gate    *Gate
	url     string
	window  *testWindow
}

// testWindow is a window that chooses places in a folder.
type testWindow struct {
	shown  chan struct{}
	choose string   // the folder; "": the person wants no file
	at     []string // what it was to reveal
}

func (w *testWindow) Show() { w.shown <- struct{}{} }

func (w *testWindow) ChooseFile(_ context.Context, name string) (string, error) {
	if w.choose == "" {
		return "", nil
	}
	return filepath.Join(w.choose, name), nil
}

func (w *testWindow) Reveal(_ context.Context, path string) error {
	w.at = append(w.at, path)
	return nil
}

func newPage(t *testing.T) *page {
	t.Helper()
	w := &testWindow{shown: make(chan struct{}, 1), choose: t.TempDir()}
	p := newPageIn(t, NewWindows(w))
	p.window = w
	return p
}

func newPageIn(t *testing.T, windows *Windows) *page {
	t.Helper()
	dir := t.TempDir()
	db, err := store.Open(context.Background(), dir, store.Options{SealAt: 256, CacheBytes: 512})
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(context.Background(), db, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	subs, err := subscription.Open(t.Context(), subscription.Options{
		Store: db, Engine: e, Limits: protocol.DefaultLimits(), Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	mirrors, err := mirror.Open(mirror.Options{Store: db, Engine: e, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	gate, err := OpenGate(dir)
	if err != nil {
		t.Fatal(err)
	}
	data := server.New(server.Options{
		Engine: e, Limits: protocol.DefaultLimits(), LongPollTimeout: time.Second, SSEMaxAge: time.Hour, BodyTimeout: time.Second,
		MaxReaders: 100, MaxReadersPerClient: 100, CacheControl: "no-store", Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	linter := new(lint.Linter)
	p := &page{
		t: t, engine: e, data: data, gate: gate,
		journal: journal.New(journal.Options{Bytes: 1 << 20, Observe: linter.Observe}),
	}
	s := httptest.NewServer(New(Options{
		Engine: e, Store: db, Subscriptions: subs, Mirrors: mirrors, Limits: protocol.DefaultLimits(), Gate: gate,
		Journal: p.journal,
		Lint:    linter,
		Readers: data.Readers(),
		Info:    Info{Version: "1.2.3", InspectorURL: "http://inspector", StartedAt: 7},
		Assets:  fstest.MapFS{"index.html": {Data: []byte("<title>Tailrace</title>")}, "assets/a-1.js": {Data: []byte("1")}},
		Windows: windows,
		Now:     time.Now, Log: slog.New(slog.DiscardHandler),
	}))
	p.url = s.URL
	t.Cleanup(func() {
		s.Close()
		linter.Close()
		mirrors.Close()
		subs.Close()
		e.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// send makes a request with the token; headers override.
func (p *page) send(method, path, body string, headers ...string) *http.Response {
	p.t.Helper()
	req, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.gate.Token())
	req.Header.Set("Content-Type", "application/json")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { res.Body.Close() })
	return res
}

// call makes a request that must have a status, and decodes its answer.
func (p *page) call(method, path, body string, status int, into any) {
	p.t.Helper()
	res := p.send(method, path, body)
	b, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	if res.StatusCode != status {
		p.t.Fatalf("%s %s: %s, want %d\n%s", method, path, res.Status, status, b)
	}
	if into != nil {
		if err := json.Unmarshal(b, into); err != nil {
			p.t.Fatalf("%s %s: %v\n%s", method, path, err, b)
		}
	}
}

func of(path, rest string) string { return "/api/streams/" + url.PathEscape(path) + rest }

func TestWhoGetsIn(t *testing.T) {
	p := newPage(t)
	for name, tt := range map[string]struct {
		method, path string
		headers      []string
		status       int
	}{
		"with the token":              {"GET", "/api/info", nil, 200},
		"from its own page":           {"GET", "/api/info", []string{"Sec-Fetch-Site: same-origin"}, 200},
		"without a token":             {"GET", "/api/info", []string{"Authorization: "}, 401},
		"with another token":          {"GET", "/api/info", []string{"Authorization: Bearer x"}, 401},
		"with the token as basic":     {"GET", "/api/info", []string{"Authorization: Basic " + p.gate.Token()}, 401},
		"a page as a window":          {"GET", "/api/window", []string{"Sec-Fetch-Site: same-origin"}, 403},
		"a page for a window":         {"POST", "/api/window/answers", []string{"Sec-Fetch-Site: same-origin"}, 403},
		"from another site":           {"GET", "/api/info", []string{"Sec-Fetch-Site: cross-site"}, 403},
		"from another local port":     {"GET", "/api/info", []string{"Sec-Fetch-Site: same-site"}, 403},
		"with its own origin":         {"GET", "/api/info", []string{"Host: localhost:4438", "Origin: http://localhost:4438"}, 200},
		"with another origin":         {"GET", "/api/info", []string{"Host: localhost:4438", "Origin: http://localhost:4437"}, 403},
		"with a hidden origin":        {"GET", "/api/info", []string{"Origin: null"}, 403},
		"by a rebound name":           {"GET", "/api/info", []string{"Host: evil.example"}, 403},
		"by a name of this machine":   {"GET", "/api/info", []string{"Host: inspector.localhost:1"}, 200},
		"the description":             {"GET", "/api/openapi.json", []string{"Authorization: "}, 200},
		"the page":                    {"GET", "/", []string{"Authorization: "}, 200},
		"the page by a link":          {"GET", "/", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"}, 200},
		"a script by another site":    {"GET", "/assets/a-1.js", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"}, 403},
		"the page by a rebound name":  {"GET", "/", []string{"Host: evil.example"}, 403},
		"writing to the page":         {"POST", "/", nil, 405},
		"an operation that is no one": {"GET", "/api/none", nil, 404},
	} {
		t.Run(name, func(t *testing.T) {
			res := p.send(tt.method, tt.path, "", tt.headers...)
			if res.StatusCode != tt.status {
				t.Errorf("%s, want %d", res.Status, tt.status)
			}
			if res.Header.Get("Access-Control-Allow-Origin") != "" || !strings.Contains(res.Header.Get("Content-Security-Policy"), "default-src 'none'") {
				t.Errorf("headers %v", res.Header)
			}
		})
	}
}

func TestLinksWorkOnce(t *testing.T) {
	p := newPage(t)
	var link struct{ Link string }
	p.call("POST", "/api/codes", "", 200, &link)
	base, code, ok := strings.Cut(link.Link, "/#code=")
	if !ok || base != "http://inspector" {
		t.Fatalf("link %q", link.Link)
	}
	body := fmt.Sprintf(`{"code":%q}`, code)
	var session struct{ Token string }
	p.call("POST", "/api/session", body, 200, &session)
	if session.Token != p.gate.Token() {
		t.Errorf("token %q", session.Token)
	}
	p.call("POST", "/api/session", body, 401, nil)
	p.call("POST", "/api/session", `{"code":""}`, 401, nil)
}

func TestTokenSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	first, err := OpenGate(dir)
	if err != nil {
		t.Fatal(err)
	}
	second, err := OpenGate(dir)
	if err != nil {
		t.Fatal(err)
	}
	if first.Token() != second.Token() || len(first.Token()) < 32 {
		t.Errorf("tokens %q and %q", first.Token(), second.Token())
	}
}

func TestWebhookKeyRotates(t *testing.T) {
	p := newPage(t)
	var first, second struct{ KID string }
	p.call("POST", "/api/webhook-keys", "", 200, &first)
	p.call("POST", "/api/webhook-keys", "", 200, &second)
	if !strings.HasPrefix(first.KID, "ds_") || first == second {
		t.Errorf("keys %q and %q", first.KID, second.KID)
	}
}

func TestWindow(t *testing.T) {
	p := newPage(t)
	p.call("POST", "/api/window/show", "", 204, nil)
	<-p.window.shown
}

// The window of another process is raised like the server's own, as long as it is
// attached.
func TestWindowOfAnotherProcess(t *testing.T) {
	p := newPageIn(t, NewWindows(nil))
	p.call("POST", "/api/window/show", "", 404, nil)
	res := p.send("GET", "/api/window", "")
	lines := bufio.NewScanner(res.Body)
	if !lines.Scan() || lines.Text() != "attached" {
		t.Fatalf("attaching was answered %q, %v", lines.Text(), lines.Err())
	}
	p.call("POST", "/api/window/show", "", 204, nil)
	if !lines.Scan() || lines.Text() != "show" {
		t.Errorf("the window was told %q, %v", lines.Text(), lines.Err())
	}
	// It is asked where to save a file, and answers.
	p.call("PUT", of("a b", ""), `{"content_type":"text/plain","body":"hello"}`, 201, nil)
	dir := t.TempDir()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		if !lines.Scan() {
			return
		}
		verb, rest, _ := strings.Cut(lines.Text(), " ")
		id, name, _ := strings.Cut(rest, " ")
		if verb != "save" || name != `"a_b-0.txt"` {
			t.Errorf("it was told %s", lines.Text())
		}
		p.call("POST", "/api/window/answers", fmt.Sprintf(`{"id":%q,"path":%q}`, id, filepath.Join(dir, "chosen")), 204, nil)
		p.call("POST", "/api/window/answers", fmt.Sprintf(`{"id":%q}`, id), 404, nil)
	}()
	p.call("POST", of("a b", "/messages/0/save"), "", 200, nil)
	<-answered
	if data, err := os.ReadFile(filepath.Join(dir, "chosen")); string(data) != "hello" {
		t.Errorf("saved %q, %v", data, err)
	}
	_ = res.Body.Close()
}

func TestStreamFromBirthToDeath(t *testing.T) {
	p := newPage(t)
	path := "a/b c/ü"
	var created struct {
		Created bool
		Stream  Stream
	}
	p.call("PUT", of(path, ""), `{"content_type":"application/json","body":"[1,2]","ttl_seconds":60}`, 201, &created)
	if s := created.Stream; !created.Created || s.Path != path || s.Messages != 2 || s.Kind != "json" || *s.TTLSeconds != 60 || s.Deadline == nil {
		t.Errorf("created %+v", created)
	}
	p.call("PUT", of(path, ""), `{"content_type":"application/json","ttl_seconds":60}`, 200, &created)
	if created.Created {
		t.Error("created twice")
	}
	p.call("PUT", of(path, ""), `{"content_type":"text/plain"}`, 409, nil)
	var appended AppendResult
	p.call("POST", of(path, "/messages"), `{"body":"{\"n\":3}","producer":{"id":"p","epoch":0,"seq":0}}`, 200, &appended)
	if appended.Messages != 1 || appended.Duplicate || appended.NextOffset != "0000000000000000_0000000000000003" {
		t.Errorf("appended %+v", appended)
	}
	p.call("POST", of(path, "/messages"), `{"body":"{\"n\":3}","producer":{"id":"p","epoch":0,"seq":0}}`, 200, &appended)
	if !appended.Duplicate {
		t.Errorf("a duplicate was %+v", appended)
	}
	p.call("POST", of(path, "/messages"), `{"body":"{\"n\":3}","producer":{"id":"p","epoch":0,"seq":7}}`, 409, nil)
	p.call("POST", of(path, "/messages"), `{"body":"{nope"}`, 400, nil)
	p.call("POST", of(path, "/messages"), `{"body":"1","body_base64":"MQ=="}`, 400, nil)
	p.call("POST", of(path, "/close"), "", 200, &appended)
	if !appended.Closed {
		t.Errorf("closed: %+v", appended)
	}
	p.call("POST", of(path, "/messages"), `{"body":"4"}`, 409, nil)
	var producers struct{ Producers []ProducerState }
	p.call("GET", of(path, "/producers"), "", 200, &producers)
	if len(producers.Producers) != 1 || producers.Producers[0].ID != "p" || producers.Producers[0].LastSeq != 0 {
		t.Errorf("producers %+v", producers)
	}
	p.call("DELETE", of(path, ""), "", 204, nil)
	p.call("DELETE", of(path, ""), "", 404, nil)
	p.call("GET", of(path, "/messages"), "", 404, nil)
	p.call("PUT", of("__ds/x", ""), `{}`, 400, nil)
	p.call("PUT", of("__registry__", ""), `{}`, 403, nil)
}

func TestMessages(t *testing.T) {
	p := newPage(t)
	p.call("PUT", of("text", ""), `{"content_type":"text/plain"}`, 201, nil)
	bodies := []string{"first", strings.Repeat("é", 300), "\xff\xfe", "last"}
	for i, body := range bodies {
		_, err := p.engine.Append("text", &engine.AppendRequest{
			ContentType: "text/plain", Payload: protocol.Payload{Data: []byte(body), Sizes: []int{len(body)}},
			Producer: &protocol.Producer{ID: "p", Epoch: 1, Seq: int64(i)},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var list MessageList
	p.call("GET", of("text", "/messages?from=1&limit=2"), "", 200, &list)
	if list.From != 1 || list.Total != 4 || len(list.Messages) != 2 {
		t.Fatalf("list %+v", list)
	}
	if m := list.Messages[0]; m.Size != 600 || !m.Truncated || m.Preview != strings.Repeat("é", 256) || m.Encoding != "utf8" ||
		m.Offset != "0000000000000000_0000000000000005" || m.Producer.Seq != 1 {
		t.Errorf("long message %+v", m)
	}
	if m := list.Messages[1]; m.Encoding != "base64" || m.Preview != "//4=" {
		t.Errorf("binary message %+v", m)
	}
	p.call("GET", of("text", "/messages?from=9"), "", 200, &list)
	if len(list.Messages) != 0 {
		t.Errorf("beyond the end: %+v", list)
	}
	for i, body := range bodies {
		res := p.send("GET", of("text", fmt.Sprintf("/messages/%d/body?max=7", i)), "")
		got, err := io.ReadAll(res.Body)
		if err != nil || string(got) != body[:min(7, len(body))] || res.Header.Get("Tailrace-Size") != fmt.Sprint(len(body)) ||
			res.Header.Get("Content-Type") != "application/octet-stream" {
			t.Errorf("body %d: %q, %v, %v", i, got, res.Header, err)
		}
	}
	p.call("GET", of("text", "/messages/4/body"), "", 404, nil)
	for query, want := range map[string]int64{
		"offset=0000000000000000_0000000000000004": 0,
		"offset=0000000000000000_0000000000000005": 1,
		"offset=-1":           0,
		"offset=now":          4,
		"time=1":              0,
		"time=99999999999999": 4,
	} {
		var seek struct{ Ordinal int64 }
		p.call("GET", of("text", "/seek?"+query), "", 200, &seek)
		if seek.Ordinal != want {
			t.Errorf("seek %s: %d, want %d", query, seek.Ordinal, want)
		}
	}
	p.call("GET", of("text", "/seek?offset=x"), "", 400, nil)
}

// Looking must leave a stream's time to live alone and not count as a reader.
func TestLookingHasNoSideEffects(t *testing.T) {
	p := newPage(t)
	p.call("PUT", of("s", ""), `{"content_type":"text/plain","body":"x","ttl_seconds":60}`, 201, nil)
	before, _ := p.engine.Activity("s")
	events := p.events("s")
	for _, path := range []string{"", "/messages", "/messages/0/body", "/producers", "/seek?time=1"} {
		p.send("GET", of("s", path), "")
	}
	events.next("tail")
	after, _ := p.engine.Activity("s")
	if after.Deadline != before.Deadline || after.Readers != 0 {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

// feedReader reads an event stream line by line.
type feedReader struct {
	t     *testing.T
	lines *bufio.Scanner
}

func (p *page) events(watch string) *feedReader {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	p.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", p.url+"/api/events?stream="+url.QueryEscape(watch), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.gate.Token())
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { res.Body.Close() })
	if got := res.Header.Get("Content-Type"); got != "application/x-ndjson" {
		p.t.Fatalf("content type %q", got)
	}
	return &feedReader{t: p.t, lines: bufio.NewScanner(res.Body)}
}

// next returns the next event of a type.
func (f *feedReader) next(kind string) map[string]any {
	f.t.Helper()
	for f.lines.Scan() {
		var e map[string]any
		if err := json.Unmarshal(f.lines.Bytes(), &e); err != nil {
			f.t.Fatal(err)
		}
		if e["type"] == kind {
			return e
		}
	}
	f.t.Fatalf("the events ended before %s: %v", kind, f.lines.Err())
	return nil
}

func TestEvents(t *testing.T) {
	p := newPage(t)
	f := p.events("s")
	if e := f.next("hello"); e["info"].(map[string]any)["version"] != "1.2.3" {
		t.Errorf("hello %v", e)
	}
	if e := f.next("tail"); e["deleted"] != true {
		t.Errorf("tail of no stream %v", e)
	}
	p.call("PUT", of("s", ""), `{"content_type":"application/json","body":"[1,2,3]"}`, 201, nil)
	if e := f.next("streams"); len(e["changed"].([]any)) == 0 {
		t.Errorf("after a creation %v", e)
	}
	if e := f.next("tail"); e["messages"] != 3.0 || e["deleted"] != false {
		t.Errorf("tail %v", e)
	}
	p.call("DELETE", of("s", ""), "", 204, nil)
	for {
		e := f.next("streams")
		if removed := e["removed"].([]any); len(removed) == 1 && removed[0] == "s" {
			break
		}
	}
	if e := f.next("stats"); e["streams"] != 0.0 {
		t.Errorf("stats %v", e)
	}
}
