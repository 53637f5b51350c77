package engine

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// outcomeOf names what came of a request as the model does.
func outcomeOf(err error) string {
	var (
		closed   *protocol.ClosedError
		stale    *protocol.StaleEpochError
		gap      *protocol.SeqGapError
		seq      *protocol.StreamSeqError
		conflict *protocol.ConflictError
		bad      *protocol.BadRequestError
	)
	switch {
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
	case errors.As(err, &conflict):
		return "conflict"
	case errors.As(err, &bad):
		return "bad request"
	case errors.Is(err, protocol.ErrNewEpochSeq):
		return "new epoch"
	case errors.Is(err, protocol.ErrNotFound):
		return "not found"
	case errors.Is(err, protocol.ErrGone):
		return "gone"
	}
	return err.Error()
}

// machine runs random operations on an engine and the model side by side.
type machine struct {
	e     *testEngine
	w     *modelWorld
	steps int
}

var (
	modelPaths = []string{"a", "b", "c/deep", "d", "e", "f"}
	modelTypes = []string{"application/json", "text/plain", "image/png"}
)

func oneOf[T any](t *rapid.T, label string, values ...T) T {
	return rapid.SampledFrom(values).Draw(t, label)
}

// chance is true once in n.
func chance(t *rapid.T, n int, label string) bool {
	return rapid.IntRange(0, n-1).Draw(t, label) == n-1
}

func (m *machine) path(t *rapid.T) string { return oneOf(t, "path", modelPaths...) }

func now() int64 { return time.Now().UnixMilli() }

func drawExpiry(t *rapid.T) protocol.Expiry {
	switch oneOf(t, "expiry", "none", "none", "none", "TTL", "TTL", "instant") {
	case "TTL":
		return protocol.Expiry{HasTTL: true, TTL: oneOf[int64](t, "TTL", 10, 100, 10, 0)}
	case "instant":
		at := time.Now().Add(time.Duration(rapid.IntRange(-1, 30).Draw(t, "seconds left")) * time.Second)
		return protocol.Expiry{At: at, AtRaw: at.Format(time.RFC3339Nano)}
	}
	return protocol.Expiry{}
}

func (m *machine) create(t *rapid.T) {
	m.put(t, modelCreate{path: m.path(t), contentType: oneOf(t, "type", modelTypes...), expiry: drawExpiry(t)})
}

func (m *machine) fork(t *rapid.T) {
	r := modelCreate{path: m.path(t), from: m.path(t), expiry: drawExpiry(t)}
	var free, used, forks []string
	for _, path := range modelPaths {
		switch have := m.w.streams[path]; {
		case have == nil:
			free = append(free, path)
		case have.source != nil:
			forks = append(forks, path)
			used = append(used, path)
		default:
			used = append(used, path)
		}
	}
	if len(forks) > 0 && rapid.Bool().Draw(t, "of a fork") {
		used = forks
	}
	// Most are to succeed.
	if len(free) > 0 && len(used) > 0 && !chance(t, 5, "any paths") {
		r.path, r.from = oneOf(t, "target", free...), oneOf(t, "source", used...)
	}
	source := m.w.streams[r.from]
	if chance(t, 8, "has type") {
		r.contentType = oneOf(t, "type", modelTypes...)
	}
	if source != nil && !chance(t, 3, "without offset") {
		// Near what the source itself has inherited is where mistakes are made.
		at := protocol.Offset{Incarnation: source.incarnation}
		if at.Position = rapid.Int64Range(0, source.tail()).Draw(t, "offset"); rapid.Bool().Draw(t, "near base") {
			at.Position = max(0, min(source.base-1, source.tail()))
		}
		if chance(t, 15, "beyond") {
			at.Position = source.tail() + 1
		}
		if chance(t, 15, "other incarnation") {
			at.Incarnation++
		}
		r.offset = at.String()
		if !chance(t, 3, "without sub-offset") {
			room := source.room(at.Position)
			r.subOffset = oneOf(t, "sub-offset", 0, 1, room/2, room, room+1)
		}
	}
	m.put(t, r)
}

func (m *machine) put(t *rapid.T, r modelCreate) {
	if r.closed = chance(t, 10, "closed"); chance(t, 2, "with content") {
		r.content = "7"
	}
	req := &CreateRequest{ContentType: r.contentType, Closed: r.closed, Expiry: r.expiry}
	body := func(k protocol.Kind) (protocol.Payload, error) {
		return protocol.FramePayload(k, []byte(r.content), true, protocol.DefaultLimits())
	}
	if r.contentType != "" {
		req.Payload, req.PayloadErr = body(protocol.KindOf(r.contentType))
	} else {
		req.Frame = body
	}
	if r.from != "" {
		req.Fork = &ForkRequest{From: r.from, Offset: r.offset, SubOffset: r.subOffset}
	}
	created, err := m.e.Create(r.path, req)
	want := m.w.create(r, now())
	got := outcomeOf(err)
	if err == nil {
		got = map[bool]string{true: "new", false: "same"}[created.New]
	}
	if got != want {
		t.Fatalf("create %+v: got %s (%v), want %s", r, got, err, want)
	}
	if err != nil {
		return
	}
	have := m.w.streams[r.path]
	if created.State.TailOffset() != (protocol.Offset{Incarnation: have.incarnation, Position: have.tail()}) {
		t.Fatalf("create %+v: tail %v, want %d", r, created.State.TailOffset(), have.tail())
	}
	if !created.State.Expiry.Equal(have.expiry) || created.State.ContentType != have.contentType {
		t.Fatalf("create %+v: %+v", r, created.State)
	}
}

func (m *machine) append(t *rapid.T) {
	path := m.path(t)
	contentType := oneOf(t, "type", modelTypes...)
	have, want := m.w.usable(path)
	if have != nil && !chance(t, 20, "any type") {
		contentType = have.contentType
	}
	var messages []string
	for range rapid.IntRange(0, 3).Draw(t, "messages") {
		messages = append(messages, fmt.Sprintf(`"%s"`, strings.Repeat("m", oneOf(t, "size", 1, 30, 900))))
	}
	body := strings.Join(messages, "")
	if contentType == "application/json" && len(messages) > 0 {
		body = "[" + strings.Join(messages, " , ") + "]"
	} else if len(messages) > 0 {
		messages = []string{body}
	}
	r := request(contentType, body)
	r.Close = len(messages) == 0 || chance(t, 20, "close")
	if rapid.Bool().Draw(t, "producer") {
		r.Producer = &protocol.Producer{
			ID:    oneOf(t, "id", "p", "q"),
			Epoch: rapid.Int64Range(0, 2).Draw(t, "epoch"),
			Seq:   rapid.Int64Range(0, 4).Draw(t, "seq"),
		}
	}
	if chance(t, 5, "has stream seq") {
		r.StreamSeq = oneOf(t, "stream seq", "1", "10", "2", "a", "b", "z")
	}
	a, err := m.e.Append(path, r)
	if have != nil {
		wasClosed := have.closed
		want = have.append(messages, contentType, r.Producer, r.StreamSeq, r.Close)
		if !wasClosed && have.closed {
			m.w.announce(path, "close")
		}
	}
	got := outcomeOf(err)
	if a.Duplicate {
		got = "duplicate"
	}
	if got != want {
		t.Fatalf("append to %q: got %s (%v), want %s", path, got, err, want)
	}
	if err != nil {
		return
	}
	have.touched = now()
	if a.Next != (protocol.Offset{Incarnation: have.incarnation, Position: have.tail()}) || a.Closed != have.closed {
		t.Fatalf("append to %q: %+v, want tail %d, closed %v", path, a, have.tail(), have.closed)
	}
}

func (m *machine) delete(t *rapid.T) {
	path := m.path(t)
	have := m.w.streams[path]
	got := outcomeOf(m.e.Delete(path))
	if want := m.w.delete(path); got != want {
		t.Fatalf("delete %q: got %s, want %s", path, got, want)
	}
	if have != nil && have.source != nil {
		synctest.Wait() // until what it has freed is gone
	}
}

func (m *machine) read(t *rapid.T) {
	path := m.path(t)
	have, want := m.w.usable(path)
	r, err := m.e.OpenReader(path)
	if got := outcomeOf(err); got != want {
		t.Fatalf("open %q: got %s, want %s", path, got, want)
	}
	if have == nil {
		return
	}
	if chance(t, 2, "touch") {
		r.Touch()
		have.touched = now()
	}
	r.Close()
	m.compare(t, have, rapid.Int64Range(0, have.tail()).Draw(t, "from"))
}

// compare reads a stream and looks at its state.
func (m *machine) compare(t *rapid.T, have *modelStream, from int64) {
	got, st := m.e.content(have.path, from)
	if got != have.wire(from) {
		t.Fatalf("%q from %d: got %.100q, want %.100q", have.path, from, got, have.wire(from))
	}
	if messages := int64(len(slices.Concat(have.batches...))); st.Messages != messages {
		t.Fatalf("%q: %d messages, want %d", have.path, st.Messages, messages)
	}
	if st.Closed != have.closed || st.Tail != have.tail() || st.Incarnation != have.incarnation || st.StreamSeq != have.streamSeq {
		t.Fatalf("%q: state %+v, want %+v", have.path, st, have)
	}
}

// sleep lets time pass, sometimes so much that sequencers end.
func (m *machine) sleep(t *rapid.T) {
	time.Sleep(time.Duration(oneOf(t, "seconds", 6, 6, 60, 1, 90)) * time.Second)
}

// reopen is rarer than other steps: it takes as long as fifty of them.
func (m *machine) reopen(t *rapid.T) {
	if chance(t, 3, "really") {
		m.reopenNow(t)
	}
}

func (m *machine) reopenNow(t *rapid.T) {
	m.drawSizes(t)
	m.e.reopen()
}

func (m *machine) drawSizes(t *rapid.T) {
	m.e.store = store.Options{
		SealAt:      oneOf(t, "SealAt", 1, 500, 5000, 0),
		CacheBytes:  oneOf(t, "CacheBytes", 1, 2000, 0),
		DirectBytes: oneOf(t, "DirectBytes", 1, 20, 0),

		ExtentFileBytes: oneOf[int64](t, "ExtentFileBytes", 1, 100, 0),
	}
}

// settle carries out what is due, and checks what must always hold.
func (m *machine) settle(t *rapid.T) {
	m.steps++
	due := m.w.due(now())
	for _, s := range due {
		// Whoever comes first finds it expired: the sweeper, or this.
		if err := m.e.do(s.path, command{expire: true}).err; err != nil {
			t.Fatal(err)
		}
	}
	m.w.expire(due)
	if len(due) > 0 {
		synctest.Wait()
	}
	for path, s := range m.w.streams {
		if !s.expiry.HasTTL || s.deleted {
			continue
		}
		if err := m.e.Exists(path); err != nil {
			t.Fatalf("%q has expired too early: %v", path, err)
		}
	}
	if got := m.e.Totals().Streams.Load(); got != m.w.alive() {
		t.Fatalf("%d streams, want %d", got, m.w.alive())
	}
}

// checkAll compares everything.
func (m *machine) checkAll(t *rapid.T) {
	for _, path := range modelPaths {
		have, want := m.w.usable(path)
		if got := outcomeOf(m.e.Exists(path)); got != want {
			t.Fatalf("%q at the end: got %s, want %s", path, got, want)
		}
		if have != nil {
			m.compare(t, have, 0)
		}
	}
	m.checkEvents(t)
}

func (m *machine) checkEvents(t *rapid.T) {
	got := map[string][]string{}
	for _, ev := range m.e.registry() {
		name := ev.Headers.Operation
		switch {
		case ev.Value == nil:
		case ev.Value.Deleted:
			name = "soft"
		case ev.Value.Closed && name == opInsert:
			name = "insert closed"
		case ev.Value.Closed:
			name = "close"
		}
		got[ev.Key] = append(got[ev.Key], name)
	}
	for _, path := range modelPaths {
		if !sameEvents(got[path], m.w.events[path]) {
			t.Fatalf("events of %q\ngot  %q\nwant %q", path, got[path], m.w.events[path])
		}
	}
}

// end deletes what does not expire: in the end nothing may be left.
func (m *machine) end(t *rapid.T) {
	m.checkAll(t)
	m.reopenNow(t)
	m.checkAll(t)
	time.Sleep(5 * time.Minute) // the sweeper alone sees to what is due
	synctest.Wait()
	m.w.expire(m.w.due(now()))
	m.checkAll(t)
	for _, path := range slices.Backward(modelPaths) {
		if got, want := outcomeOf(m.e.Delete(path)), m.w.delete(path); got != want {
			t.Fatalf("delete %q at the end: got %s, want %s", path, got, want)
		}
		synctest.Wait()
	}
	if len(m.w.streams) > 0 {
		t.Fatalf("the model is wrong: %v is left", m.w.streams)
	}
	m.checkAll(t)
}

// setDefault sets a flag that nobody has set on the command line.
func setDefault(t *testing.T, name, value string) {
	t.Helper()
	if f := flag.Lookup(name); f.Value.String() == f.DefValue {
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRandomOperations compares the engine with the model, in a bubble where time
// passes only when a step lets it.
func TestRandomOperations(t *testing.T) {
	setDefault(t, "rapid.checks", "16")
	setDefault(t, "rapid.steps", "120")
	setDefault(t, "rapid.shrinktime", "1h") // of the bubble's time
	base, steps := t.TempDir(), 0
	synctest.Test(t, func(t *testing.T) {
		// A bubble has no deadline that rapid could ask for.
		rapid.Check(struct{ testing.TB }{t}, func(rt *rapid.T) {
			dir, err := os.MkdirTemp(base, "")
			if err != nil {
				rt.Fatal(err)
			}
			e := &testEngine{t: t, dir: dir, options: Options{Log: slog.New(slog.DiscardHandler)}}
			m := &machine{e: e, w: newModelWorld()}
			m.drawSizes(rt)
			e.open()
			defer e.close()
			rt.Repeat(map[string]func(*rapid.T){
				"":        m.settle,
				"create":  m.create,
				"fork":    m.fork,
				"fork2":   m.fork,
				"append":  m.append,
				"append2": m.append,
				"append3": m.append,
				"delete":  m.delete,
				"read":    m.read,
				"sleep":   m.sleep,
				"fork3":   m.fork,
				"reopen":  m.reopen,
			})
			m.end(rt)
			steps += m.steps
		})
	})
	t.Log(steps, "steps")
}
