package engine

import (
	"errors"
	"slices"
	"testing"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

const text = "text/plain"

// step is one request of a history and what must come of it.
type step struct {
	req  *AppendRequest
	want error // nil: accepted
	dup  bool
	seq  int64 // of the producer in the answer; -1: none
}

func ok(r *AppendRequest) step {
	s := step{req: r, seq: -1}
	if r.Producer != nil {
		s.seq = r.Producer.Seq
	}
	return s
}

func dup(r *AppendRequest, seq int64) step { return step{req: r, dup: true, seq: seq} }

func refused(r *AppendRequest, want error) step { return step{req: r, want: want} }

func gap(expected, received int64) error {
	return &protocol.SeqGapError{Expected: expected, Received: received}
}

func stale(epoch, current int64) error {
	return &protocol.StaleEpochError{Epoch: epoch, Current: current}
}

func closedAt(tail int64) error { return &protocol.ClosedError{Tail: protocol.Offset{Position: tail}} }

func seqErr(last, received string) error {
	return &protocol.StreamSeqError{Last: last, Received: received}
}

func p(body string, epoch, seq int64, change ...func(*AppendRequest)) *AppendRequest {
	return request(text, body, append(change, by("p", epoch, seq))...)
}

var histories = []struct {
	name  string
	steps []step
	want  string // content at the end
}{
	{"without producer", []step{ok(request(text, "a")), ok(request(text, "b"))}, "ab"},
	{"empty body", []step{refused(request(text, ""), protocol.ErrEmptyBody)}, ""},
	{"no content type", []step{refused(request("", "a"), protocol.ErrNoContentType)}, ""},
	{"other content type", []step{refused(request("text/html", "a"), &protocol.ConflictError{Field: "Content-Type", Have: "text/plain", Want: "text/html"})}, ""},
	{"same type, other spelling", []step{ok(request("Text/PLAIN; charset=utf-8", "a"))}, "a"},

	// §5.2.1, row by row.
	{"first of a producer", []step{ok(p("a", 0, 0))}, "a"},
	{"first of a producer in a late epoch", []step{ok(p("a", 7, 0))}, "a"},
	{"unknown producer in the middle", []step{refused(p("a", 0, 3), gap(0, 3))}, ""},
	{"in sequence", []step{ok(p("a", 0, 0)), ok(p("b", 0, 1)), ok(p("c", 0, 2))}, "abc"},
	{"repeated at once", []step{ok(p("a", 0, 0)), dup(p("a", 0, 0), 0)}, "a"},
	{"repeated with another body", []step{ok(p("a", 0, 0)), dup(p("X", 0, 0), 0)}, "a"},
	{"repeated later answers the highest number", []step{ok(p("a", 0, 0)), ok(p("b", 0, 1)), ok(p("c", 0, 2)), dup(p("a", 0, 0), 2)}, "abc"},
	{"gap", []step{ok(p("a", 0, 0)), refused(p("c", 0, 2), gap(1, 2)), ok(p("b", 0, 1)), ok(p("c", 0, 2))}, "abc"},
	{"new epoch", []step{ok(p("a", 0, 0)), ok(p("b", 1, 0)), ok(p("c", 1, 1))}, "abc"},
	{"new epoch in the middle", []step{ok(p("a", 0, 0)), refused(p("b", 1, 1), protocol.ErrNewEpochSeq), ok(p("b", 0, 1))}, "ab"},
	{"stale epoch", []step{ok(p("a", 1, 0)), refused(p("b", 0, 0), stale(0, 1)), refused(p("b", 0, 1), stale(0, 1)), ok(p("c", 1, 1))}, "ac"},
	{"fenced process does not come back", []step{ok(p("a", 0, 0)), ok(p("b", 5, 0)), refused(p("c", 0, 1), stale(0, 5)), refused(p("c", 4, 0), stale(4, 5))}, "ab"},
	{"two producers", []step{ok(p("a", 0, 0)), ok(request(text, "b", by("q", 0, 0))), ok(p("c", 0, 1)), dup(request(text, "b", by("q", 0, 0)), 0)}, "abc"},
	{"greatest numbers", []step{ok(p("a", 1<<53-1, 0)), refused(p("b", 1<<53-1, 1<<53-1), gap(1, 1<<53-1))}, "a"},
	{"a refused append does not count", []step{
		refused(request("text/html", "a", by("p", 0, 0)), &protocol.ConflictError{Field: "Content-Type", Have: "text/plain", Want: "text/html"}),
		refused(p("b", 0, 1), gap(0, 1)), ok(p("a", 0, 0)),
	}, "a"},

	// Stream-Seq.
	{"stream seq is byte-wise", []step{ok(request(text, "a", streamSeq("2"))), refused(request(text, "b", streamSeq("10")), seqErr("2", "10")), ok(request(text, "c", streamSeq("a"))), refused(request(text, "d", streamSeq("B")), seqErr("a", "B"))}, "ac"},
	{"stream seq must increase", []step{ok(request(text, "a", streamSeq("5"))), refused(request(text, "b", streamSeq("5")), seqErr("5", "5")), ok(request(text, "c")), refused(request(text, "d", streamSeq("5")), seqErr("5", "5")), ok(request(text, "e", streamSeq("5!")))}, "ace"},
	{"a duplicate does not look at stream seq", []step{ok(p("a", 0, 0, streamSeq("5"))), dup(p("a", 0, 0, streamSeq("5")), 0), dup(p("a", 0, 0, streamSeq("1")), 0)}, "a"},
	{"a stream seq regression does not use up the producer's number", []step{ok(p("a", 0, 0, streamSeq("5"))), refused(p("b", 0, 1, streamSeq("4")), seqErr("5", "4")), ok(p("b", 0, 1, streamSeq("6")))}, "ab"},
	{"a gap does not use up the stream seq", []step{ok(p("a", 0, 0, streamSeq("1"))), refused(p("c", 0, 2, streamSeq("3")), gap(1, 2)), ok(p("b", 0, 1, streamSeq("2")))}, "ab"},

	// Closure.
	{"close", []step{ok(request(text, "a")), ok(request("", "", closing)), ok2(request("", "", closing)), refused(request(text, "b"), closedAt(1))}, "a"},
	{"close ignores the content type", []step{ok(request("nonsense", "", closing))}, ""},
	{"append and close", []step{ok(request(text, "a", closing)), refused(request(text, "a", closing), closedAt(1)), ok2(request("", "", closing))}, "a"},
	{"closed comes before the content type", []step{ok(request("", "", closing)), refused(request("text/html", "b"), closedAt(0))}, ""},
	{"closed comes before producer checks", []step{ok(p("a", 1, 0)), ok(request("", "", closing)), refused(p("b", 0, 0), closedAt(1)), refused(p("a", 1, 0), closedAt(1)), refused(p("b", 1, 7), closedAt(1))}, "a"},
	{"closed comes before stream seq", []step{ok(request(text, "a", streamSeq("5"))), ok(request("", "", closing)), refused(request(text, "b", streamSeq("1")), closedAt(1))}, "a"},
	{"close by a producer, repeated", []step{ok(p("a", 0, 0)), ok(p("", 0, 1, closing)), dup(p("", 0, 1, closing), 1), dup(p("", 0, 1, closing), 1)}, "a"},
	{"append and close by a producer, repeated", []step{ok(p("a", 0, 0, closing)), dup(p("a", 0, 0, closing), 0), dup(p("X", 0, 0, closing), 0), dup(p("X", 0, 0), 0)}, "a"},
	{"close-only of the one who closed with data", []step{ok(p("a", 0, 0, closing)), dup(p("", 0, 0, closing), 0)}, "a"},
	{"close by another tuple", []step{ok(p("a", 0, 0, closing)), refused(p("", 0, 1, closing), closedAt(1)), refused(request(text, "", by("q", 0, 0), closing), closedAt(1))}, "a"},
	{"close without producer after a producer closed", []step{ok(p("a", 0, 0, closing)), ok2(request("", "", closing))}, "a"},
	{"close by a producer in a gap", []step{refused(p("", 0, 1, closing), gap(0, 1)), ok(request(text, "still open"))}, "still open"},
	{"close by a fenced producer", []step{ok(p("a", 1, 0)), refused(p("", 0, 0, closing), stale(0, 1)), ok(p("b", 1, 1))}, "ab"},
	{"a duplicate cannot close", []step{ok(p("a", 0, 0)), dup(p("a", 0, 0, closing), 0), ok(p("b", 0, 1))}, "ab"},
	{"a stream seq regression cannot close", []step{ok(request(text, "a", streamSeq("5"))), refused(request("", "", closing, streamSeq("4")), seqErr("5", "4")), ok(request(text, "b"))}, "ab"},
}

// ok2 is closing a closed stream again: accepted, nothing written.
func ok2(r *AppendRequest) step { return step{req: r, dup: true, seq: -1} }

// TestAppend runs every history three times: one request after the other, with a
// restart between any two of them, and with all of them in one batch.
func TestAppend(t *testing.T) {
	e := newTestEngine(t, Options{}, store.Options{SealAt: 1, CacheBytes: 1})
	path := func(mode string, i int) string { return mode + "/" + histories[i].name }
	for i, h := range histories {
		for _, mode := range []string{"one by one", "reopened", "in one batch"} {
			e.mustCreate(path(mode, i), text)
		}
		t.Run("one by one/"+h.name, func(t *testing.T) {
			for n, s := range h.steps {
				a, err := e.Append(path("one by one", i), s.req)
				checkStep(t, n, s, a, err)
			}
			e.wantContent(path("one by one", i), h.want)
		})
		t.Run("in one batch/"+h.name, func(t *testing.T) {
			// The batch reaches the sequencer as a whole.
			s, err := e.acquire(path("in one batch", i))
			if err != nil {
				t.Fatal(err)
			}
			defer e.release(s)
			results := inOneBatch(s, h.steps)
			for n, r := range results {
				checkStep(t, n, h.steps[n], r.appended, r.err)
			}
			e.wantContent(path("in one batch", i), h.want)
		})
	}
	longest := 0
	for _, h := range histories {
		longest = max(longest, len(h.steps))
	}
	for n := range longest {
		for i, h := range histories {
			if n < len(h.steps) {
				a, err := e.Append(path("reopened", i), h.steps[n].req)
				t.Run("reopened/"+h.name, func(t *testing.T) { checkStep(t, n, h.steps[n], a, err) })
			}
		}
		e.reopen()
	}
	for i, h := range histories {
		e.wantContent(path("reopened", i), h.want)
	}
}

// inOneBatch makes a sequencer decide all steps against one another before it
// commits anything.
func inOneBatch(s *sequencer, steps []step) []result {
	var batch []command
	for _, st := range steps {
		batch = append(batch, command{append: st.req, reply: make(chan result, 1)})
	}
	// As if they had come while another command was carried out.
	s.mu.Lock()
	s.busy, s.waiting = true, slices.Clone(batch)
	s.mu.Unlock()
	s.drain()
	var out []result
	for _, c := range batch {
		out = append(out, <-c.reply)
	}
	return out
}

func checkStep(t *testing.T, n int, s step, got Appended, err error) {
	t.Helper()
	if s.want != nil {
		if err == nil {
			t.Fatalf("step %d was accepted, want %v", n, s.want)
		}
		if !errors.Is(err, s.want) && err.Error() != s.want.Error() {
			t.Fatalf("step %d: got %v, want %v", n, err, s.want)
		}
		return
	}
	if err != nil {
		t.Fatalf("step %d: %v", n, err)
	}
	if got.Duplicate != s.dup {
		t.Errorf("step %d: duplicate is %v", n, got.Duplicate)
	}
	want := int64(-1)
	if got.Producer != nil {
		want = got.Producer.Seq
	}
	if want != s.seq {
		t.Errorf("step %d: the answer has producer %+v, want sequence number %d", n, got.Producer, s.seq)
	}
	if s.req.Producer != nil && got.Producer.Epoch != s.req.Producer.Epoch {
		t.Errorf("step %d: the answer has epoch %d", n, got.Producer.Epoch)
	}
	if s.req.Close && !got.Closed && !(s.dup && s.req.Producer != nil) {
		t.Errorf("step %d: not closed", n)
	}
}

func TestAppendJSON(t *testing.T) {
	e := newTestEngine(t, Options{}, store.Options{})
	const json = "application/json"
	e.mustCreate("a", json)
	a := e.mustAppend("a", json, `[1, {"a": 2}]`)
	if want := (protocol.Offset{Position: 2}); a.Next != want {
		t.Errorf("next %v, want %v", a.Next, want)
	}
	for _, body := range []string{`{`, `[]`, "\xff"} {
		_, err := e.Append("a", request(json, body, by("p", 0, 0)))
		var bad *protocol.BadRequestError
		if !errors.As(err, &bad) {
			t.Errorf("%q: %v", body, err)
		}
	}
	e.mustAppend("a", json, `"x"`, by("p", 0, 0)) // the number was not used up
	e.wantContent("a", `1,{"a": 2},"x"`)
	// Other refusals come before the content.
	if _, err := e.Append("a", request(json, `{`, by("p", 0, 9))); err == nil || err.Error() != gap(1, 9).Error() {
		t.Errorf("gap and bad JSON: %v", err)
	}
}

func TestAppendToNothing(t *testing.T) {
	e := newTestEngine(t, Options{}, store.Options{})
	for name, err := range map[string]error{
		"append": second(e.Append("none", request(text, "x"))),
		"close":  second(e.Append("none", request("", "", closing))),
		"delete": e.Delete("none"),
		"exists": e.Exists("none"),
	} {
		if !errors.Is(err, protocol.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"create": second(e.Create(protocol.RegistryPath, &CreateRequest{ContentType: "application/json"})),
		"append": second(e.Append(protocol.RegistryPath, request("application/json", "1"))),
		"delete": e.Delete(protocol.RegistryPath),
	} {
		if !errors.Is(err, protocol.ErrReadOnly) {
			t.Errorf("registry, %s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
