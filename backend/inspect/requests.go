package inspect

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tailrace/backend/journal"
)

type requestsInput struct {
	Stream   string `query:"stream" doc:"Only those about this stream."`
	Rejected bool   `query:"rejected" doc:"Only refusals."`
	Method   string `query:"method" doc:"Only those of this method."`
	Status   int    `query:"status" minimum:"0" maximum:"599" doc:"Only this status; 4 is all of 400 to 499."`
	Decision string `query:"decision" doc:"Only this decision."`
	Text     string `query:"text" doc:"In path, address, headers that are kept, decision or status, whatever the case."`
	After    uint64 `query:"after" doc:"Only those with a higher id."`
	Before   uint64 `query:"before" doc:"Only those with a lower id; 0: no bound."`
	Limit    int    `query:"limit" minimum:"0" maximum:"1000" default:"200"`
}

// RequestList is what the journal holds, and the newest of the requests that were
// asked for.
type RequestList struct {
	On        bool            `json:"on" doc:"Requests are recorded."`
	Journal   int64           `json:"journal" doc:"Which journal it is: another one counts its ids from 1 again."`
	Last      uint64          `json:"last" doc:"Id of the newest request of all."`
	Since     int64           `json:"since" doc:"Unix milliseconds: when the oldest one began that is kept; 0: there is none."`
	Bytes     int64           `json:"bytes" doc:"Memory that the journal takes."`
	Limit     int64           `json:"limit" doc:"Memory that it may take."`
	Kept      int             `json:"kept"`
	All       int             `json:"all" doc:"Of the stream, else of all."`
	Rejected  int             `json:"rejected" doc:"Refusals among those."`
	Matched   int             `json:"matched" doc:"Those that the filter selects, whatever the bounds."`
	Within    int             `json:"within" doc:"How many of those are within the bounds, whatever the limit."`
	Decisions []DecisionCount `json:"decisions" nullable:"false" doc:"How the filter's other parts divide them."`
	Requests  []Request       `json:"requests" nullable:"false" doc:"The newest first."`
}

// DecisionCount is how many requests had a decision.
type DecisionCount struct {
	Decision string `json:"decision"`
	Count    int    `json:"count"`
}

// Request is a request of the data port that is over.
type Request struct {
	ID       uint64  `json:"id"`
	At       int64   `json:"at" doc:"Unix milliseconds: when it began."`
	Took     int64   `json:"took" doc:"Microseconds."`
	Method   string  `json:"method"`
	Stream   *string `json:"stream" doc:"Path; null: it is about none."`
	Target   string  `json:"target" doc:"Path of the URL as it was sent."`
	Query    string  `json:"query" doc:"Without the values of parameters that are none of the protocol."`
	Status   int     `json:"status" doc:"0: it was not answered."`
	Decision string  `json:"decision"`
	Words    string  `json:"words" doc:"The decision in words."`
	Code     string  `json:"code" doc:"Of a refusal, as its body has it."`
	Fault    string  `json:"fault" doc:"What was done to it on purpose; empty: nothing."`
	Received int64   `json:"received" doc:"Bytes of its body."`
	Sent     int64   `json:"sent" doc:"Bytes of the answer's body."`
	Remote   string  `json:"remote" doc:"Address of the client."`
	Agent    string  `json:"agent" doc:"Its User-Agent."`
}

// RequestDetail is a request with all that is kept of it.
type RequestDetail struct {
	Request
	Host            string   `json:"host"`
	Proto           string   `json:"proto"`
	TLS             bool     `json:"tls"`
	RequestHeaders  []Header `json:"request_headers" nullable:"false"`
	ResponseHeaders []Header `json:"response_headers" nullable:"false"`
	First           int64    `json:"first" doc:"Ordinal of the first message that it wrote."`
	Count           int64    `json:"count" doc:"How many it wrote."`
	Current         bool     `json:"current" doc:"The stream at the path is still the one that it was about."`
	Process         *Process `json:"process" doc:"The local program at that address now; null: not known."`
}

// Header is a line of a request or an answer.
type Header struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Hidden bool   `json:"hidden" doc:"The value is not kept: it may be secret."`
}

type requestsOutput struct{ Body RequestList }

type requestInput struct {
	ID      uint64 `path:"id"`
	Journal int64  `query:"journal" doc:"Only of this journal; 0: of the one there is."`
}

type requestOutput struct{ Body RequestDetail }

func (s *Server) registerRequests(api huma.API) {
	huma.Register(api, operation(http.MethodGet, "/api/requests", "listRequests", "The latest requests of the data port"), s.requests)
	huma.Register(api, operation(http.MethodGet, "/api/requests/{id}", "getRequest", "One request with its headers"), s.request)
}

func (s *Server) requests(_ context.Context, in *requestsInput) (*requestsOutput, error) {
	q := journal.Query{
		Stream: in.Stream, Rejected: in.Rejected, Method: in.Method, Status: in.Status, Text: in.Text,
		After: in.After, Before: in.Before, Limit: in.Limit,
	}
	if in.Decision != "" {
		d, ok := journal.ParseDecision(in.Decision)
		if !ok {
			return nil, huma.Error400BadRequest("decision: expected one of " + strings.Join(journal.Words(), ", "))
		}
		q.Decision = &d
	}
	f := s.o.Journal.Find(q)
	out := RequestList{
		On: f.Extent.On, Journal: s.journal(), Last: f.Extent.Last, Since: orZero(f.Extent.Since), Bytes: f.Extent.Bytes, Limit: f.Extent.Limit,
		Kept: f.Extent.Count, All: f.All, Rejected: f.Rejected, Matched: f.Matched, Within: f.Within,
		Decisions: []DecisionCount{}, Requests: []Request{},
	}
	for d, word := range journal.Words() {
		if n := f.Decisions[d]; n > 0 {
			out.Decisions = append(out.Decisions, DecisionCount{Decision: word, Count: n})
		}
	}
	for _, e := range f.Entries {
		out.Requests = append(out.Requests, newRequest(e))
	}
	return &requestsOutput{Body: out}, nil
}

// journal tells the journal of this start from those before, which had the same
// ids.
func (s *Server) journal() int64 { return s.o.Info.StartedAt }

func orZero(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func newRequest(e *journal.Entry) Request {
	out := Request{
		ID: e.ID, At: e.At.UnixMilli(), Took: e.Took.Microseconds(), Method: e.Method, Target: e.Target, Query: e.Query,
		Status: e.Status, Decision: e.Decision.String(), Words: e.Words(), Code: e.Code, Fault: e.Fault,
		Received: e.Received, Sent: e.Sent, Remote: e.Remote, Agent: e.Header("User-Agent"),
	}
	if e.Stream != "" {
		out.Stream = &e.Stream
	}
	return out
}

func (s *Server) request(ctx context.Context, in *requestInput) (*requestOutput, error) {
	e := s.o.Journal.Entry(in.ID)
	if e == nil || (in.Journal != 0 && in.Journal != s.journal()) {
		return nil, huma.Error404NotFound("the journal does not hold this request, or not any more")
	}
	out := RequestDetail{
		Request: newRequest(e), Host: e.Host, Proto: e.Proto, TLS: e.TLS, First: e.First, Count: e.Count,
		RequestHeaders: newHeaders(e.Request), ResponseHeaders: newHeaders(e.Response),
	}
	out.Process = newProcess(s.peers.Find(e.Remote), e.Remote)
	if e.Stream != "" {
		st, _, err := s.o.Store.Load(ctx, e.Stream)
		out.Current = err == nil && st.Incarnation == e.Incarnation
	}
	return &requestOutput{Body: out}, nil
}

func newHeaders(list []journal.Header) []Header {
	out := make([]Header, 0, len(list))
	for _, h := range list {
		out = append(out, Header{Name: h.Name, Value: h.Value, Hidden: h.Hidden})
	}
	slices.SortFunc(out, func(a, b Header) int { return strings.Compare(a.Name, b.Name) })
	return out
}
