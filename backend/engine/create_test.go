package engine

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

func TestCreateAgain(t *testing.T) {
	instant := func(s string) func(*CreateRequest) {
		return func(r *CreateRequest) {
			var err error
			if r.Expiry, err = protocol.ParseExpiry("", false, s, true); err != nil {
				t.Fatal(err)
			}
		}
	}
	far, farElsewhere, farther := instant("2100-01-01T00:00:00Z"), instant("2100-01-01T01:00:00+01:00"), instant("2100-01-01T00:00:01Z")
	type change = func(*CreateRequest)
	as := func(contentType string) change { return func(r *CreateRequest) { r.ContentType = contentType } }
	for _, tt := range []struct {
		name          string
		first, second []change
		field         string // of the conflict; empty: 200
	}{
		{"same", nil, nil, ""},
		{"type in another spelling", []change{as("text/plain")}, []change{as("TEXT/plain;charset=x")}, ""},
		{"other type", []change{as("text/plain")}, []change{as("text/html")}, "Content-Type"},
		{"default type", []change{as("")}, []change{as("application/octet-stream")}, ""},
		{"no type is the default type", []change{as("text/plain")}, []change{as("")}, "Content-Type"},
		{"same TTL", []change{ttl(time.Hour)}, []change{ttl(time.Hour)}, ""},
		{"other TTL", []change{ttl(time.Hour)}, []change{ttl(time.Minute)}, "Stream-TTL or Stream-Expires-At"},
		{"TTL and none", []change{ttl(time.Hour)}, nil, "Stream-TTL or Stream-Expires-At"},
		{"none and TTL", nil, []change{ttl(time.Hour)}, "Stream-TTL or Stream-Expires-At"},
		{"same instant", []change{far}, []change{farElsewhere}, ""},
		{"other instant", []change{far}, []change{farther}, "Stream-TTL or Stream-Expires-At"},
		{"closed and closed", []change{closed}, []change{closed}, ""},
		{"closed and open", []change{closed}, nil, "Stream-Closed"},
		{"open and closed", nil, []change{closed}, "Stream-Closed"},
		{"content of the second is ignored", []change{withBody("a")}, []change{withBody("b")}, ""},
		{"bad content of the second is ignored", []change{as("application/json"), withBody("1")}, []change{as("application/json"), withBody("{")}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newTestEngine(t, Options{}, store.Options{})
			first := e.mustCreate("a", text, tt.first...)
			for range 2 {
				r := &CreateRequest{ContentType: text}
				for _, c := range tt.second {
					c(r)
				}
				c, err := e.Create("a", r)
				var conflict *protocol.ConflictError
				switch {
				case tt.field == "" && (err != nil || c.New || c.State.ID != first.ID):
					t.Errorf("got %+v, %v", c, err)
				case tt.field != "" && (!errors.As(err, &conflict) || conflict.Field != tt.field):
					t.Errorf("got %v, want a conflict about %s", err, tt.field)
				}
				e.reopen()
			}
			if len(e.events()) != 1 {
				t.Errorf("events %v", e.events())
			}
		})
	}
}

func TestCreateWithBadContentCreatesNothing(t *testing.T) {
	e := newTestEngine(t, Options{}, store.Options{})
	r := &CreateRequest{ContentType: "application/json"}
	withBody(`{`)(r)
	var bad *protocol.BadRequestError
	if _, err := e.Create("a", r); !errors.As(err, &bad) {
		t.Errorf("got %v", err)
	}
	e.wantGone("a")
	if n := len(e.events()); n != 0 {
		t.Errorf("%d events", n)
	}
}

func TestRecreatedStreamStartsAnew(t *testing.T) {
	e := newTestEngine(t, Options{}, store.Options{SealAt: 1, CacheBytes: 1})
	e.mustCreate("a", text)
	e.mustAppend("a", text, "old", by("p", 3, 0), streamSeq("z"), closing)
	if err := e.Delete("a"); err != nil {
		t.Fatal(err)
	}
	if st := e.mustCreate("a", "text/html"); st.Incarnation != 1 || st.Tail != 0 || st.Closed {
		t.Errorf("got %+v", st)
	}
	e.mustAppend("a", "text/html", "new", by("p", 0, 0), streamSeq("a"))
	e.wantContent("a", "new")
}

// failWrites makes inserts into ops fail until the returned function is called.
func (e *testEngine) failWrites() (restore func()) {
	exec := func(query string) {
		db, err := sql.Open("sqlite", "file:"+filepath.Join(e.dir, store.FileName))
		if err != nil {
			e.t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec(query); err != nil {
			e.t.Fatal(err)
		}
	}
	exec("CREATE TRIGGER fail BEFORE INSERT ON ops BEGIN SELECT RAISE(ROLLBACK, 'on purpose'); END")
	return func() { exec("DROP TRIGGER fail") }
}

// While the disk refuses writes every request fails and changes nothing, not even
// what a producer may send next. After that all goes on.
func TestWritesFail(t *testing.T) {
	e := newTestEngine(t, Options{}, store.Options{SealAt: 1, CacheBytes: 1})
	e.mustCreate("a", text)
	e.mustAppend("a", text, "a", by("p", 0, 0), streamSeq("1"))
	r, err := e.OpenReader("a")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	_, changed, _ := r.Current()
	restore := e.failWrites()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for what, err := range map[string]error{
				"append":    second(e.Append("a", request(text, "b", by("p", 0, 1), streamSeq("2")))),
				"close":     second(e.Append("a", request("", "", closing))),
				"new epoch": second(e.Append("a", request(text, "c", by("p", 9, 0)))),
				"delete":    e.Delete("a"),
				"create":    second(e.Create("b", &CreateRequest{ContentType: text})),
			} {
				if err == nil || !strings.Contains(err.Error(), "on purpose") {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
	wg.Wait()
	select {
	case <-changed:
		t.Error("readers were told of something")
	default:
	}
	restore()
	e.wantGone("b")
	e.wantContent("a", "a")
	e.mustAppend("a", text, "b", by("p", 0, 1), streamSeq("2"))
	e.wantContent("a", "ab")
	<-changed
	e.reopen()
	e.wantContent("a", "ab")
	if got := fmt.Sprint(e.events()); got != "[insert a]" {
		t.Errorf("events %s", got)
	}
	if e.Totals().Appends.Load() != 0 { // counts since the reopening
		t.Errorf("%d appends", e.Totals().Appends.Load())
	}
}

func TestDeletionWakesReaders(t *testing.T) {
	e := newTestEngine(t, Options{}, store.Options{})
	e.mustCreate("a", text, withBody("old"))
	r, err := e.OpenReader("a")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	st, changed, err := r.Current()
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Delete("a"); err != nil {
		t.Fatal(err)
	}
	<-changed
	e.mustCreate("a", text, withBody("new"))
	if _, _, err := r.Current(); !errors.Is(err, protocol.ErrNotFound) {
		t.Errorf("current: %v", err)
	}
	if pieces, err := r.Read(st, 0, 100); !errors.Is(err, protocol.ErrNotFound) && (err != nil || string(pieces[0].Data) != "old") {
		t.Errorf("read: %v, %v", pieces, err)
	}
}

func TestClosedEngineRefuses(t *testing.T) {
	e := newTestEngine(t, Options{}, store.Options{})
	e.mustCreate("a", text)
	e.Engine.Close()
	defer func() {
		e.isOpen = false
		if err := e.db.Close(); err != nil {
			t.Error(err)
		}
	}()
	for name, err := range map[string]error{
		"create": second(e.Create("b", &CreateRequest{})),
		"append": second(e.Append("a", request(text, "x"))),
		"delete": e.Delete("a"),
		"read":   e.Exists("a"),
	} {
		if !errors.Is(err, protocol.ErrShuttingDown) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestActivity(t *testing.T) {
	var seconds atomic.Int64
	seconds.Store(1_000_000)
	clock := func() time.Time { return time.Unix(seconds.Load(), 0) }
	e := newTestEngine(t, Options{Now: clock}, store.Options{})
	e.mustCreate("a", "application/json", ttl(time.Hour))
	e.mustAppend("a", "application/json", `[1,2,3]`)
	seconds.Add(2)
	e.mustAppend("a", "application/json", `4`)
	r, err := e.OpenReader("a")
	if err != nil {
		t.Fatal(err)
	}
	r.Follow()
	a, ok := e.Activity("a")
	if !ok || a.Readers != 1 || a.State.Tail != 4 || a.Deadline != clock().Add(time.Hour).UnixMilli() {
		t.Errorf("got %+v", a)
	}
	if c := a.Rate.Counts; len(c) != 60 || c[59] != 1 || c[58] != 0 || c[57] != 3 || a.Rate.At != clock().Unix() {
		t.Errorf("rate %+v", a.Rate)
	}
	r.Close()
	seconds.Add(60)
	if a, _ := e.Activity("a"); a.Rate != nil || a.Readers != 0 {
		t.Errorf("a minute later: %+v", a)
	}
	if _, ok := e.Activity("none"); ok {
		t.Error("a stream that is not there is active")
	}
	if n := len(e.Active()); n != 2 { // and the registry
		t.Errorf("%d active", n)
	}
	if e.Totals().Readers.Load() != 0 || e.Totals().Appends.Load() != 2 || e.Totals().Bytes.Load() != 6 {
		t.Errorf("totals: %d readers, %d appends, %d bytes", e.Totals().Readers.Load(), e.Totals().Appends.Load(), e.Totals().Bytes.Load())
	}
}

// BenchmarkAppend64Streams measures durable appends of 100 B to 64 streams, each
// with one client that waits for its answer.
func BenchmarkAppend64Streams(b *testing.B) {
	e := newTestEngine(b, Options{}, store.Options{})
	const streams = 64
	body := strings.Repeat("x", 100)
	for i := range streams {
		e.mustCreate(fmt.Sprint("s", i), text)
	}
	work := make(chan struct{}, b.N)
	for range b.N {
		work <- struct{}{}
	}
	close(work)
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for i := range streams {
		wg.Go(func() {
			path := fmt.Sprint("s", i)
			for range work {
				if _, err := e.Append(path, request(text, body)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
}
