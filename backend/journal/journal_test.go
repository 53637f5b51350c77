package journal

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// request is one for the journal; headers are "Name: value".
func request(method, target string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, "http://localhost:4437"+target, nil)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// record writes one exchange.
func (j *Journal) record(r *http.Request, stream string, status int, o Outcome) {
	x := j.Begin(httptest.NewRecorder(), r)
	x.About(stream)
	x.Decide(o)
	x.WriteHeader(status)
	x.End()
}

func TestEntry(t *testing.T) {
	j := New(Options{Bytes: 1 << 20})
	r := request("POST", "/v1/stream/a%2Fb?x=1&offset=-1", "Content-Type: text/plain", "Producer-Id: p", "Producer-Epoch: 1", "Producer-Seq: 7")
	w := httptest.NewRecorder()
	x := j.Begin(w, r)
	if Of(x) != x || Of(w) != nil {
		t.Fatal("the exchange cannot be found")
	}
	x.About("a/b")
	x.Got(12)
	x.Decide(Outcome{Decision: Stored, Incarnation: 2, First: 40, Count: 2, Next: 99})
	x.Fault = "delayed by 2s"
	x.Header()["Stream-Next-Offset"] = []string{"0_99"}
	x.Header()["Content-Security-Policy"] = []string{"sandbox"}
	x.WriteHeader(http.StatusOK)
	if _, err := x.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	x.End()
	e := j.Entry(1)
	if e == nil {
		t.Fatal("there is no entry")
	}
	if age := time.Since(e.At); age < 0 || age > time.Minute || e.Took < 0 {
		t.Errorf("at %v, took %v", e.At, e.Took)
	}
	e.At, e.Took = time.Time{}, 0
	want := &Entry{
		ID: 1, Method: "POST", Stream: "a/b", Target: "/v1/stream/a%2Fb", Query: "x=…&offset=-1", Host: "localhost:4437", Proto: "HTTP/1.1",
		Remote: "192.0.2.1:1234", Status: 200, Received: 12, Sent: 5, Fault: "delayed by 2s",
		Outcome:  Outcome{Decision: Stored, Incarnation: 2, First: 40, Count: 2, Next: 99},
		Response: []Header{{Name: "Stream-Next-Offset", Value: "0_99"}},
		Request:  e.Request,
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Error(diff)
	}
	if got := e.Words(); got != "p: messages 40 to 41, epoch 1 seq 7" {
		t.Errorf("in words: %q", got)
	}
	if w.Body.String() != "hello" || w.Code != 200 {
		t.Errorf("the client got %d %q", w.Code, w.Body)
	}
}

// What may be secret is nowhere in the memory of the journal.
func TestSecretsAreNotKept(t *testing.T) {
	const secret = "s3cr3t"
	j := New(Options{Bytes: 1 << 20})
	r := request("GET", "/v1/stream/a?offset=-1&token="+secret+"&"+secret+"&access_token="+secret+"&off%73et=-1&%zz="+secret,
		"Authorization: Bearer "+secret, "Cookie: "+secret, "X-Api-Key: "+secret, "Proxy-Authorization: "+secret, "Referer: http://a/?"+secret,
		"Stream-Forked-From: http://u:"+secret+"@localhost/v1/stream/b?k="+secret, "Accept: */*")
	x := j.Begin(httptest.NewRecorder(), r)
	x.Header().Set("Set-Cookie", secret)
	x.Header().Set("Location", "http://localhost/v1/stream/a?"+secret)
	x.WriteHeader(201)
	x.End()
	for _, b := range j.blocks {
		if strings.Contains(string(b.data[:cap(b.data)]), secret) {
			t.Errorf("the journal holds %q", b.data)
		}
	}
	e := j.Entry(1)
	if want := "offset=-1&token=…&=…&access_token=…&off%73et=-1&%zz=…"; e.Query != want {
		t.Errorf("the query is %q, want %q", e.Query, want)
	}
	hidden := 0
	for _, h := range append(e.Request, e.Response...) {
		if h.Hidden {
			hidden++
		}
		if h.Hidden != (h.Value == "") {
			t.Errorf("%+v", h)
		}
	}
	if hidden != 6 || e.Header("Accept") != "*/*" || e.Header("Stream-Forked-From") != "http://localhost/v1/stream/b" {
		t.Errorf("%d are hidden, %+v", hidden, e.Request)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	const limit = 256 << 10
	j := New(Options{Bytes: limit})
	var mem int64
	for i := range 5000 {
		j.record(request("GET", "/v1/stream/s", fmt.Sprintf("User-Agent: %0*d", i%1500, 0)), "s", 200, Outcome{Decision: Read})
		if got := j.Extent().Bytes; got > limit {
			t.Fatalf("%d bytes after %d requests", got, i)
		} else {
			mem = max(mem, got)
		}
	}
	e := j.Extent()
	if e.Last != 5000 || e.First <= 1 || e.Count != int(e.Last-e.First)+1 || mem < limit/2 {
		t.Errorf("%+v, at most %d bytes", e, mem)
	}
	if j.Entry(e.First-1) != nil || j.Entry(e.First).ID != e.First || j.Entry(e.Last).ID != e.Last || j.Entry(e.Last+1) != nil {
		t.Error("entries are not where they belong")
	}
	j.SetLimit(128 << 10)
	if e := j.Extent(); e.Bytes > 128<<10 || e.Last != 5000 {
		t.Errorf("with half the room: %+v", e)
	}
	j.SetLimit(0)
	j.record(request("GET", "/"), "", 200, Outcome{})
	if e := j.Extent(); j.On() || e.Bytes != 0 || e.Count != 0 {
		t.Errorf("off: %+v", e)
	}
	// One request that is larger than all the room is kept alone.
	j.SetLimit(4 << 10)
	big := request("GET", "/v1/stream/big")
	for i := range 30 {
		big.Header.Add("Accept", fmt.Sprintf("%d%0*d", i, 1020, 0))
	}
	j.record(big, "big", 200, Outcome{Decision: Read})
	j.record(request("GET", "/v1/stream/s"), "s", 200, Outcome{Decision: Read})
	if e := j.Extent(); e.Count != 1 || j.Entry(e.Last).Stream != "s" {
		t.Errorf("behind a large one: %+v", e)
	}
}

func TestFind(t *testing.T) {
	j := New(Options{Bytes: 1 << 20})
	gap := Gap
	for i := range 10 {
		j.record(request("POST", "/v1/stream/a", "Producer-Id: Worker-1"), "a", 204, Outcome{Decision: Stored, First: int64(i), Count: 1})
		j.record(request("GET", "/v1/stream/b"), "b", 200, Outcome{Decision: Read})
	}
	j.record(request("POST", "/v1/stream/a", "Producer-Id: Worker-2"), "a", 409, Outcome{Decision: Gap, Code: "SEQUENCE_GAP", Reason: "expected seq 5, got 9"})
	j.record(request("GET", "/v1/stream/none"), "none", 404, Outcome{Decision: Missing})
	for name, tt := range map[string]struct {
		q       Query
		matched int
		ids     []uint64
	}{
		"all, newest first":    {Query{Limit: 3}, 22, []uint64{22, 21, 20}},
		"of a stream":          {Query{Stream: "b", Limit: 2}, 10, []uint64{20, 18}},
		"behind an id":         {Query{Limit: 9, After: 19}, 22, []uint64{22, 21, 20}},
		"before an id":         {Query{Limit: 2, Before: 20}, 22, []uint64{19, 18}},
		"rejected":             {Query{Limit: 9, Rejected: true}, 2, []uint64{22, 21}},
		"by status":            {Query{Limit: 9, Status: 409}, 1, []uint64{21}},
		"by class of status":   {Query{Limit: 1, Status: 2}, 20, []uint64{20}},
		"by method":            {Query{Limit: 1, Method: "POST"}, 11, []uint64{21}},
		"by decision":          {Query{Limit: 9, Decision: &gap}, 1, []uint64{21}},
		"producer, any case":   {Query{Limit: 9, Text: "WORKER-2"}, 1, []uint64{21}},
		"words of the refusal": {Query{Limit: 9, Text: "got 9"}, 1, []uint64{21}},
		"status as text":       {Query{Limit: 9, Text: "404"}, 1, []uint64{22}},
		"decision as text":     {Query{Limit: 9, Text: "missing"}, 1, []uint64{22}},
		"nothing":              {Query{Limit: 9, Text: "nowhere"}, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := j.Find(tt.q)
			var ids []uint64
			for _, e := range f.Entries {
				ids = append(ids, e.ID)
			}
			if diff := cmp.Diff(tt.ids, ids); diff != "" || f.Matched != tt.matched {
				t.Errorf("%d matched: %s", f.Matched, diff)
			}
		})
	}
	f := j.Find(Query{Stream: "a"})
	if f.All != 11 || f.Rejected != 1 || f.Decisions[Stored] != 10 || f.Decisions[Gap] != 1 {
		t.Errorf("of a: %+v", f)
	}
	c := Counter{Stream: "a"}
	for range 2 {
		if c.Count(j); c.All != 11 || c.Rejected != 1 {
			t.Errorf("counted %d and %d", c.All, c.Rejected)
		}
	}
}

func TestTally(t *testing.T) {
	j := New(Options{Bytes: 1 << 20})
	send := func(epoch, seq int, d Decision, incarnation int64) {
		j.record(request("POST", "/v1/stream/a", "Producer-Id: p", fmt.Sprintf("Producer-Epoch: %d", epoch), fmt.Sprintf("Producer-Seq: %d", seq)),
			"a", 200, Outcome{Decision: d, Incarnation: incarnation})
	}
	send(3, 8, Stored, 0)
	send(3, 8, Duplicate, 0)
	send(3, 20, Gap, 0)
	if p, ok := j.Tally("a", "p", 0); !ok || p.Accepted != 1 || p.Duplicates != 1 || p.Gaps != 1 || p.Epoch != 3 || p.Entry != 0 {
		t.Errorf("an epoch whose beginning was not seen: %+v, %v", p, ok)
	}
	send(4, 0, Stored, 0)
	send(3, 9, Fenced, 0)
	send(4, 1, Stored, 0)
	if p, _ := j.Tally("a", "p", 0); p.Accepted != 3 || p.Fenced != 1 || p.Epoch != 4 || p.Before != 3 || p.Entry != 4 || p.By != "192.0.2.1:1234" {
		t.Errorf("a raised epoch: %+v", p)
	}
	// Another stream at the path begins anew.
	send(0, 0, Stored, 1)
	if p, _ := j.Tally("a", "p", 1); p.Accepted != 1 || p.Before != -1 || p.Entry != 7 {
		t.Errorf("another stream: %+v", p)
	}
	if _, ok := j.Tally("a", "p", 0); ok {
		t.Error("the stream before is still known")
	}
	for i := range maxTallies + 1 {
		j.record(request("POST", "/v1/stream/a", fmt.Sprintf("Producer-Id: %d", i)), "a", 200, Outcome{Decision: Stored})
	}
	if n := len(j.tallies.all); n > maxTallies || n < maxTallies/2 {
		t.Errorf("%d producers are counted", n)
	}
	if _, ok := j.Tally("a", fmt.Sprint(maxTallies), 0); !ok {
		t.Error("the newest is forgotten")
	}
}

// Readers see whole entries while others are written and forgotten.
func TestReadingWhileWriting(t *testing.T) {
	j := New(Options{Bytes: 128 << 10})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 2000 {
				j.record(request("GET", "/v1/stream/s", "Accept: x"), "s", 200, Outcome{Decision: Read})
			}
		})
	}
	wg.Go(func() {
		for range 200 {
			for _, e := range j.Find(Query{Limit: 50}).Entries {
				if e.Stream != "s" || e.Header("Accept") != "x" {
					t.Errorf("read %+v", e)
				}
			}
		}
	})
	wg.Wait()
	if last := j.Extent().Last; last != 8000 {
		t.Errorf("%d were written", last)
	}
}

func TestObserver(t *testing.T) {
	var seen []int
	j := New(Options{Bytes: 1 << 20, Observe: func(x *Exchange) { seen = append(seen, x.Status) }})
	j.record(request("GET", "/"), "", 200, Outcome{})
	j.SetLimit(0)
	j.record(request("GET", "/"), "", 404, Outcome{})
	if diff := cmp.Diff([]int{200}, seen); diff != "" {
		t.Error(diff)
	}
}

// A request that nobody answered is one whose client left.
func TestLeft(t *testing.T) {
	j := New(Options{Bytes: 1 << 20})
	j.Begin(httptest.NewRecorder(), request("GET", "/")).End()
	if e := j.Entry(1); e.Decision != Left || e.Words() == "" {
		t.Errorf("%+v", e)
	}
	var none *Exchange
	none.Decide(Outcome{})
	none.Refuse(Gap, "", "")
	none.About("a")
	none.Got(1)
}

func BenchmarkRecord(b *testing.B) {
	j := New(Options{Bytes: 16 << 20})
	r := request("POST", "/v1/stream/orders/eu", "Content-Type: application/json", "Producer-Id: worker", "Producer-Epoch: 1", "Producer-Seq: 12345",
		"User-Agent: bench/1.0", "Accept-Encoding: gzip", "Content-Length: 100")
	w := httptest.NewRecorder()
	w.Header()["Stream-Next-Offset"] = []string{"0000000000000000_0000000000128640"}
	b.ReportAllocs()
	for b.Loop() {
		x := j.Begin(w, r)
		x.About("orders/eu")
		x.Decide(Outcome{Decision: Stored, First: 12, Count: 1})
		x.Status = 200
		x.End()
	}
	b.ReportMetric(float64(j.Extent().Bytes)/float64(max(j.Extent().Count, 1)), "B/entry")
}
