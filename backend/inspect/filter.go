package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"tailrace/backend/filter"
	"tailrace/backend/store"
)

// progressInterval is the time between two lines of a filter's answer.
const progressInterval = 100 * time.Millisecond

type filterInput struct {
	PathInput
	By      string `query:"by" enum:"text,regex,path" required:"true" doc:"A substring, a regular expression (RE2), or a condition on JSON: $.user.name = \"Ada\"."`
	Pattern string `query:"pattern" required:"true" minLength:"1"`
	From    int64  `query:"from" minimum:"0" doc:"Ordinal of the first message to look at."`
}

// FilterProgress is a line of a filter's answer.
type FilterProgress struct {
	Read    int64   `json:"read" doc:"All messages before this ordinal have been looked at."`
	Total   int64   `json:"total" doc:"Messages of the stream when the filter began: it stops there."`
	Matches []int64 `json:"matches" nullable:"false" doc:"Ordinals that were found since the line before."`
	Done    bool    `json:"done" doc:"This is the last line."`
	Error   *string `json:"error" doc:"Why it ended early; null: it did not."`
}

func (s *Server) registerFilter(api huma.API) {
	op := operation(http.MethodGet, "/api/streams/{path}/filter", "filterMessages", "Which messages match: one JSON document a line, until all have been looked at or the client leaves")
	op.Responses = map[string]*huma.Response{"200": {
		Description: "What was found and how far it got, at most ten times a second.",
		Content: map[string]*huma.MediaType{"application/x-ndjson": {
			Schema: api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[FilterProgress](), true, ""),
		}},
	}}
	huma.Register(api, op, s.filter)
}

func (s *Server) filter(ctx context.Context, in *filterInput) (*huma.StreamResponse, error) {
	f, err := filter.Parse(in.By, in.Pattern)
	if err != nil {
		return nil, huma.Error400BadRequest(err.Error())
	}
	st, _, err := s.o.Store.Load(ctx, in.Path)
	if err != nil {
		return nil, problem(err)
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		c.SetHeader("Content-Type", "application/x-ndjson")
		_, w := humago.Unwrap(c)
		run := &filterRun{w: w, rc: http.NewResponseController(w), line: FilterProgress{Total: st.Messages, Read: in.From, Matches: []int64{}}}
		err := s.o.Store.Scan(c.Context(), &st, in.From, st.Messages, func(batches []*store.Batch) error {
			return run.look(c.Context(), f, batches)
		})
		if c.Context().Err() != nil {
			return // the client has left
		}
		run.end(s.outcome(err))
	}}, nil
}

// filterRun writes the answer of one filter.
type filterRun struct {
	w    http.ResponseWriter
	rc   *http.ResponseController
	line FilterProgress // what the next line will say
	sent time.Time
}

func (r *filterRun) look(ctx context.Context, f *filter.Filter, batches []*store.Batch) error {
	for _, b := range batches {
		start := 0
		for i, size := range b.Payload.Sizes {
			ordinal := b.First + int64(i)
			if ordinal >= r.line.Read && ordinal < r.line.Total && f.Matches(b.Payload.Data[start:start+size]) {
				r.line.Matches = append(r.line.Matches, ordinal)
			}
			start += size + 1 // the comma between JSON messages
		}
		r.line.Read = max(r.line.Read, min(r.line.Total, b.First+int64(len(b.Payload.Sizes))))
		if time.Since(r.sent) < progressInterval {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.send(); err != nil {
			return err
		}
	}
	return nil
}

func (r *filterRun) send() error {
	line, err := json.Marshal(r.line)
	if err != nil {
		return err
	}
	r.line.Matches = []int64{}
	r.sent = time.Now()
	// Without support for deadlines the server's own limits apply.
	_ = r.rc.SetWriteDeadline(r.sent.Add(sendDeadline))
	if _, err := r.w.Write(append(line, '\n')); err != nil {
		return err
	}
	return r.rc.Flush()
}

// end writes the last line.
func (r *filterRun) end(problem *string) {
	r.line.Done, r.line.Error = true, problem
	_ = r.send() // a client that has left
}

// outcome says in words why a scan ended early; nil: it did not.
func (s *Server) outcome(err error) *string {
	if err == nil {
		return nil
	}
	text := "the stream was deleted meanwhile"
	var cold *store.ColdError
	if errors.As(err, &cold) {
		text = cold.Error()
	} else if !errors.Is(err, store.ErrMissing) {
		s.o.Log.Error("reading messages failed", "error", err)
		text = "the messages could not be read"
	}
	return &text
}
