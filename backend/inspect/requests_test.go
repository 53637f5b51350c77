package inspect

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tailrace/backend/engine"
	"tailrace/backend/journal"
	"tailrace/backend/protocol"
)

// sent puts an append of a producer into the journal, as the server would.
func (p *page) sent(stream string, epoch, seq, status int, o journal.Outcome) {
	r := httptest.NewRequest("POST", "http://localhost:4437/v1/stream/"+stream+"?offset=-1&key=hidden", nil)
	r.Header.Set(protocol.HeaderProducerID, "w")
	r.Header.Set(protocol.HeaderProducerEpoch, fmt.Sprint(epoch))
	r.Header.Set(protocol.HeaderProducerSeq, fmt.Sprint(seq))
	r.Header.Set("Authorization", "Bearer hidden")
	x := p.journal.Begin(httptest.NewRecorder(), r)
	x.About(stream)
	x.Decide(o)
	x.WriteHeader(status)
	x.End()
}

func TestRequests(t *testing.T) {
	p := newPage(t)
	p.sent("a", 0, 0, 200, journal.Outcome{Decision: journal.Stored, Count: 1})
	p.sent("a", 0, 0, 204, journal.Outcome{Decision: journal.Duplicate})
	p.sent("b", 0, 7, 409, journal.Outcome{Decision: journal.Gap, Code: "SEQUENCE_GAP", Reason: "expected seq 0, got 7"})
	type row struct {
		ID                         uint64
		Method, Query, Decision    string
		Words, Code, Remote, Agent string
		Stream                     *string
		Status                     int
	}
	var list struct {
		On                           bool
		Last                         uint64
		Kept, All, Rejected, Matched int
		Within                       int
		Journal                      int64
		Decisions                    []DecisionCount
		Requests                     []row
	}
	p.call("GET", "/api/requests?stream=b", "", 200, &list)
	b := "b"
	want := []row{{
		ID: 3, Method: "POST", Query: "offset=-1&key=…", Decision: "gap", Words: "w: expected seq 0, got 7", Code: "SEQUENCE_GAP",
		Remote: "192.0.2.1:1234", Stream: &b, Status: 409,
	}}
	if diff := cmp.Diff(want, list.Requests); diff != "" || !list.On || list.Last != 3 || list.Kept != 3 || list.All != 1 || list.Rejected != 1 || list.Matched != 1 {
		t.Errorf("%+v: %s", list, diff)
	}
	for query, n := range map[string]int{
		"": 3, "rejected=true": 1, "decision=duplicate": 1, "status=2": 2, "status=204": 1, "method=GET": 0, "text=" + url.QueryEscape("GOT 7"): 1,
		"after=1": 2, "before=2": 1, "limit=1": 1,
	} {
		if p.call("GET", "/api/requests?"+query, "", 200, &list); len(list.Requests) != n {
			t.Errorf("%q: %d requests, want %d", query, len(list.Requests), n)
		}
	}
	p.call("GET", "/api/requests?limit=0", "", 200, &list)
	if diff := cmp.Diff([]DecisionCount{{"stored", 1}, {"duplicate", 1}, {"gap", 1}}, list.Decisions); diff != "" {
		t.Error(diff)
	}
	if p.call("GET", "/api/requests?after=1&before=3&limit=0", "", 200, &list); list.Within != 1 || list.Matched != 3 {
		t.Errorf("%d within the bounds of %d", list.Within, list.Matched)
	}
	if p.call("GET", "/api/requests?after=1&limit=1", "", 200, &list); list.Within != 2 || len(list.Requests) != 1 {
		t.Errorf("%d within the bounds, %d of them given", list.Within, len(list.Requests))
	}
	p.call("GET", "/api/requests?decision=nothing", "", 400, nil)
	var one RequestDetail
	p.call("GET", "/api/requests/1", "", 200, &one)
	headers := []Header{{"Authorization", "", true}, {"Producer-Epoch", "0", false}, {"Producer-Id", "w", false}, {"Producer-Seq", "0", false}}
	if diff := cmp.Diff(headers, one.RequestHeaders); diff != "" || one.Count != 1 || one.Host != "localhost:4437" {
		t.Errorf("%+v: %s", one, diff)
	}
	p.call("GET", "/api/requests/4", "", 404, nil)
	p.call("GET", fmt.Sprintf("/api/requests/1?journal=%d", list.Journal), "", 200, nil)
	p.call("GET", fmt.Sprintf("/api/requests/1?journal=%d", list.Journal+1), "", 404, nil)
}

func TestProducersAsSeen(t *testing.T) {
	p := newPage(t)
	p.call("PUT", of("a", ""), `{"content_type":"text/plain"}`, 201, nil)
	for _, id := range []string{"w", "quiet"} {
		if _, err := p.engine.Append("a", &engine.AppendRequest{
			ContentType: "text/plain", Payload: protocol.Payload{Data: []byte("x"), Sizes: []int{1}}, Producer: &protocol.Producer{ID: id, Epoch: 4},
		}); err != nil {
			t.Fatal(err)
		}
	}
	p.sent("a", 3, 5, 200, journal.Outcome{Decision: journal.Stored})
	p.sent("a", 4, 0, 200, journal.Outcome{Decision: journal.Stored})
	p.sent("a", 3, 6, 403, journal.Outcome{Decision: journal.Fenced})
	var list struct{ Producers []ProducerState }
	p.call("GET", of("a", "/producers"), "", 200, &list)
	for _, got := range list.Producers {
		if (got.Seen == nil) != (got.ID == "quiet") {
			t.Errorf("%s: %+v", got.ID, got.Seen)
		}
		if s := got.Seen; s != nil && (s.Accepted != 2 || s.Fenced != 1 || s.Began == nil || s.Began.Epoch != 4 || *s.Began.Before != 3 || s.Began.Request != 2) {
			t.Errorf("%+v, began %+v", s, s.Began)
		}
	}
}

func TestEventsTellOfRequests(t *testing.T) {
	p := newPage(t)
	p.sent("s", 0, 0, 409, journal.Outcome{Decision: journal.Gap})
	f := p.events("s")
	if e := f.next("requests"); e["last"] != 1.0 || e["rejected"] != 1.0 || e["stream_all"] != 1.0 {
		t.Errorf("at first %v", e)
	}
	p.sent("s", 0, 0, 200, journal.Outcome{Decision: journal.Stored})
	if e := f.next("requests"); e["last"] != 2.0 || e["stream_all"] != 2.0 || e["stream_rejected"] != 1.0 || e["on"] != true {
		t.Errorf("then %v", e)
	}
}

func TestLanes(t *testing.T) {
	p := newPage(t)
	p.call("PUT", of("a", ""), `{"content_type":"text/plain"}`, 201, nil)
	p.sent("a", 3, 5, 200, journal.Outcome{Decision: journal.Stored})
	p.sent("a", 4, 0, 200, journal.Outcome{Decision: journal.Stored})
	p.sent("a", 3, 6, 403, journal.Outcome{Decision: journal.Fenced})
	p.sent("a", 4, 9, 409, journal.Outcome{Decision: journal.Gap, Incarnation: 7}) // of another stream
	p.sent("b", 4, 9, 409, journal.Outcome{Decision: journal.Gap})
	// A live read that began before the time that is shown ends last.
	x := p.journal.Begin(httptest.NewRecorder(), httptest.NewRequest("GET", "http://localhost:4437/v1/stream/a?offset=now&live=sse", nil))
	x.Began = x.Began.Add(-2 * time.Hour)
	x.About("a")
	x.Decide(journal.Outcome{Decision: journal.Live})
	x.End()
	var list LaneList
	p.call("GET", of("a", "/lanes?seconds=3600"), "", 200, &list)
	for i := range list.Lanes {
		for k := range list.Lanes[i].Marks {
			if at := list.Lanes[i].Marks[k].At; at < list.From || at > list.To {
				t.Errorf("a mark at %d, not between %d and %d", at, list.From, list.To)
			}
			list.Lanes[i].Marks[k].At = 0
		}
	}
	// One step is 15 seconds long here.
	want := []Lane{
		{"w", 3, []LaneMark{{0, "fenced", 1, 6, 6}, {0, "stored", 1, 5, 5}}},
		{"w", 4, []LaneMark{{0, "stored", 1, 0, 0}}},
	}
	slices.SortFunc(list.Lanes[0].Marks, func(a, b LaneMark) int { return strings.Compare(a.Decision, b.Decision) })
	if diff := cmp.Diff(want, list.Lanes); diff != "" || list.Whole {
		t.Errorf("%+v: %s", list, diff)
	}
	p.call("GET", of("none", "/lanes"), "", 404, nil)
	p.call("GET", of("a", "/lanes?q=W"), "", 200, &list)
	if len(list.Lanes) != 2 || list.Producers != 1 {
		t.Errorf("of w: %+v", list)
	}
	p.call("GET", of("a", "/lanes?q=x"), "", 200, &list)
	if len(list.Lanes) != 0 || list.Producers != 0 {
		t.Errorf("of x: %+v", list)
	}
}

func TestOrigin(t *testing.T) {
	p := newPage(t)
	p.call("PUT", of("a", ""), `{"content_type":"application/json","body":"[1,2,3]"}`, 201, nil)
	p.sent("a", 0, 0, 200, journal.Outcome{Decision: journal.Stored, First: 1, Count: 2})
	p.sent("a", 0, 1, 200, journal.Outcome{Decision: journal.Stored, First: 0, Count: 1, Incarnation: 1})
	for ordinal, request := range map[int]uint64{0: 0, 1: 1, 2: 1} {
		var got MessageOrigin
		p.call("GET", of("a", fmt.Sprintf("/messages/%d/origin", ordinal)), "", 200, &got)
		if (got.Request == nil) != (request == 0) || (got.Request != nil && got.Request.ID != request) || got.Readers != 0 {
			t.Errorf("message %d: %+v", ordinal, got)
		}
	}
	p.call("GET", of("a", "/messages/3/origin"), "", 404, nil)
}
