package engine

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// modelStream says in the plainest way what a stream must do.
type modelStream struct {
	contentType string
	incarnation int64
	messages    []string
	closed      bool
	closedBy    *protocol.Producer
	streamSeq   string
	producers   map[string]protocol.Producer
}

func (m *modelStream) json() bool { return m.contentType == "application/json" }

func (m *modelStream) tail() (n int64) {
	if m.json() {
		return int64(len(m.messages))
	}
	return int64(len(m.wire(0)))
}

func (m *modelStream) wire(from int64) string {
	if m.json() {
		return strings.Join(m.messages[from:], ",")
	}
	return strings.Join(m.messages, "")[from:]
}

// append returns what must come of a request: "ok", "duplicate" or the refusal.
func (m *modelStream) append(messages []string, p *protocol.Producer, seq string, closes bool) string {
	if m.closed {
		switch {
		case p != nil && m.closedBy != nil && *p == *m.closedBy:
			return "duplicate"
		case p == nil && len(messages) == 0 && closes:
			return "duplicate"
		}
		return "closed"
	}
	if p != nil {
		last, known := m.producers[p.ID]
		switch {
		case !known && p.Seq != 0:
			return "gap"
		case known && p.Epoch < last.Epoch:
			return "stale"
		case known && p.Epoch > last.Epoch && p.Seq != 0:
			return "new epoch"
		case known && p.Epoch == last.Epoch && p.Seq <= last.Seq:
			return "duplicate"
		case known && p.Epoch == last.Epoch && p.Seq > last.Seq+1:
			return "gap"
		}
	}
	if seq != "" && seq <= m.streamSeq {
		return "stream seq"
	}
	m.messages = append(m.messages, messages...)
	if p != nil {
		m.producers[p.ID] = *p
	}
	if seq != "" {
		m.streamSeq = seq
	}
	if closes {
		m.closed, m.closedBy = true, p
	}
	return "ok"
}

func outcomeOf(a Appended, err error) string {
	var (
		closed *protocol.ClosedError
		stale  *protocol.StaleEpochError
		gap    *protocol.SeqGapError
		seq    *protocol.StreamSeqError
	)
	switch {
	case err == nil && a.Duplicate:
		return "duplicate"
	case err == nil:
		return "ok"
	case errors.As(err, &closed):
		return "closed"
	case errors.As(err, &stale):
		return "stale"
	case errors.As(err, &gap):
		return "gap"
	case errors.As(err, &seq):
		return "stream seq"
	case errors.Is(err, protocol.ErrNewEpochSeq):
		return "new epoch"
	case errors.Is(err, protocol.ErrNotFound):
		return "not found"
	}
	return err.Error()
}

// machine runs random operations on an engine and the model side by side.
type machine struct {
	e       *testEngine
	streams map[string]*modelStream
	created map[string]int64 // how often a path has been created
	events  []string
}

var modelPaths = []string{"json", "text", "bytes/deep"}

func (m *machine) path(t *rapid.T) string { return rapid.SampledFrom(modelPaths).Draw(t, "path") }

func (m *machine) create(t *rapid.T) {
	path := m.path(t)
	types := map[string]string{"json": "application/json", "text": "text/plain", "bytes/deep": "image/png"}
	r := &CreateRequest{ContentType: types[path], Closed: rapid.IntRange(0, 9).Draw(t, "closed") == 0}
	if rapid.Bool().Draw(t, "with content") {
		r.Payload, r.PayloadErr = frame(r.ContentType, `7`)
	}
	created, err := m.e.Create(path, r)
	have := m.streams[path]
	switch {
	case have == nil:
		if err != nil || !created.New {
			t.Fatalf("create %q: %+v, %v", path, created, err)
		}
		have = &modelStream{contentType: r.ContentType, closed: r.Closed, producers: map[string]protocol.Producer{}, incarnation: m.created[path]}
		if r.Payload.Messages() > 0 {
			have.messages = []string{"7"}
		}
		m.created[path]++
		m.streams[path] = have
		m.events = append(m.events, "insert "+path)
	case have.closed == r.Closed:
		if err != nil || created.New {
			t.Fatalf("create %q again: %+v, %v", path, created, err)
		}
	default:
		var conflict *protocol.ConflictError
		if !errors.As(err, &conflict) {
			t.Fatalf("create %q with another closure: %v", path, err)
		}
		return
	}
	if created.State.TailOffset() != (protocol.Offset{Incarnation: have.incarnation, Position: have.tail()}) {
		t.Fatalf("create %q: tail %v", path, created.State.TailOffset())
	}
}

func (m *machine) append(t *rapid.T) {
	path := m.path(t)
	contentType := map[string]string{"json": "application/json", "text": "text/plain", "bytes/deep": "image/png"}[path]
	var messages []string
	for range rapid.IntRange(0, 3).Draw(t, "messages") {
		messages = append(messages, fmt.Sprintf(`"%s"`, strings.Repeat("m", rapid.SampledFrom([]int{1, 30, 900}).Draw(t, "size"))))
	}
	body := strings.Join(messages, "")
	if path == "json" && len(messages) > 0 {
		body = "[" + strings.Join(messages, " , ") + "]"
	} else if len(messages) > 0 {
		messages = []string{body}
	}
	r := request(contentType, body)
	r.Close = len(messages) == 0 || rapid.IntRange(0, 19).Draw(t, "close") == 0
	if rapid.Bool().Draw(t, "producer") {
		r.Producer = &protocol.Producer{
			ID:    rapid.SampledFrom([]string{"p", "q"}).Draw(t, "id"),
			Epoch: rapid.Int64Range(0, 2).Draw(t, "epoch"),
			Seq:   rapid.Int64Range(0, 4).Draw(t, "seq"),
		}
	}
	if rapid.IntRange(0, 4).Draw(t, "has stream seq") == 0 {
		r.StreamSeq = rapid.SampledFrom([]string{"1", "10", "2", "a", "b", "z"}).Draw(t, "stream seq")
	}
	a, err := m.e.Append(path, r)
	have, want := m.streams[path], "not found"
	if have != nil {
		wasClosed := have.closed
		want = have.append(messages, r.Producer, r.StreamSeq, r.Close)
		if !wasClosed && have.closed {
			m.events = append(m.events, "update "+path)
		}
	}
	if got := outcomeOf(a, err); got != want {
		t.Fatalf("append to %q: got %s, want %s", path, got, want)
	}
	if err == nil && (a.Next != protocol.Offset{Incarnation: have.incarnation, Position: have.tail()} || a.Closed != have.closed) {
		t.Fatalf("append to %q: %+v, want tail %d, closed %v", path, a, have.tail(), have.closed)
	}
}

func (m *machine) delete(t *rapid.T) {
	path := m.path(t)
	err := m.e.Delete(path)
	if m.streams[path] == nil {
		if !errors.Is(err, protocol.ErrNotFound) {
			t.Fatalf("delete nothing: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatalf("delete %q: %v", path, err)
	}
	delete(m.streams, path)
	m.events = append(m.events, "delete "+path)
}

func (m *machine) read(t *rapid.T) {
	path := m.path(t)
	have := m.streams[path]
	if have == nil {
		if err := m.e.Exists(path); !errors.Is(err, protocol.ErrNotFound) {
			t.Fatalf("%q: %v", path, err)
		}
		return
	}
	from := rapid.Int64Range(0, have.tail()).Draw(t, "from")
	got, st := m.e.content(path, from)
	if got != have.wire(from) {
		t.Fatalf("%q from %d: got %.100q, want %.100q", path, from, got, have.wire(from))
	}
	if st.Closed != have.closed || st.Tail != have.tail() || st.Incarnation != have.incarnation || st.StreamSeq != have.streamSeq {
		t.Fatalf("%q: state %+v, want %+v", path, st, have)
	}
}

func TestRandomOperations(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		if err := flag.Set("rapid.checks", "25"); err != nil {
			t.Fatal(err)
		}
	}
	base := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(base, "")
		if err != nil {
			rt.Fatal(err)
		}
		e := &testEngine{t: t, dir: dir, options: Options{Log: slog.New(slog.DiscardHandler)}}
		small := func() {
			e.store = store.Options{
				SealAt:     rapid.SampledFrom([]int{1, 500, 5000, 0}).Draw(rt, "SealAt"),
				CacheBytes: rapid.SampledFrom([]int{1, 2000, 0}).Draw(rt, "CacheBytes"),
			}
		}
		small()
		e.open()
		defer e.close()
		m := &machine{e: e, streams: map[string]*modelStream{}, created: map[string]int64{}}
		rt.Repeat(map[string]func(*rapid.T){
			"create":  m.create,
			"append":  m.append,
			"append2": m.append,
			"append3": m.append,
			"delete":  m.delete,
			"read":    m.read,
			"reopen": func(*rapid.T) {
				small()
				e.reopen()
			},
		})
		for range 2 {
			for path, have := range m.streams {
				if got, _ := e.content(path, 0); got != have.wire(0) {
					rt.Fatalf("%q at the end: got %.100q, want %.100q", path, got, have.wire(0))
				}
			}
			if got := strings.Join(e.events(), ", "); got != strings.Join(m.events, ", ") {
				rt.Fatalf("registry\ngot  %s\nwant %s", got, strings.Join(m.events, ", "))
			}
			e.reopen()
		}
	})
}
