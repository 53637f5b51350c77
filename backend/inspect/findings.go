package inspect

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// Finding is something that a client does against the protocol's intention.
type Finding struct {
	Number  uint64 `json:"number" doc:"Counts up in the order in which they were found, since the server began."`
	Rule    string `json:"rule"`
	Section string `json:"section" doc:"Of the specification."`
	Words   string `json:"words" doc:"What the client does, and what it should do."`
	Stream  string `json:"stream"`
	Client  string `json:"client" doc:"Address and user agent; of two processes, the programs."`
	Request string `json:"request" doc:"The last one that showed it."`
	Count   int64  `json:"count" doc:"How often it was found."`
	First   int64  `json:"first" doc:"Unix milliseconds."`
	Last    int64  `json:"last" doc:"Unix milliseconds."`
}

type findingsOutput struct {
	Body struct {
		Findings []Finding `json:"findings" nullable:"false" doc:"The latest first."`
		Seen     uint64    `json:"seen" doc:"Up to which number the person has looked at them."`
		Watching bool      `json:"watching" doc:"False: the journal is off, so nobody watches."`
	}
}

type seenInput struct {
	Body struct {
		Number uint64 `json:"number" doc:"Of the newest finding that was shown."`
	}
}

func (s *Server) registerFindings(api huma.API) {
	huma.Register(api, operation(http.MethodGet, "/api/findings", "listFindings", "What clients do against the protocol's intention"),
		func(context.Context, *struct{}) (*findingsOutput, error) {
			out := &findingsOutput{}
			out.Body.Findings = []Finding{}
			if s.o.Lint == nil {
				return out, nil
			}
			out.Body.Seen, _ = s.o.Lint.Seen()
			out.Body.Watching = s.o.Journal.On()
			for _, f := range s.o.Lint.Findings() {
				out.Body.Findings = append(out.Body.Findings, Finding{
					Number: f.Number, Rule: string(f.Rule), Section: f.Section, Words: f.Words, Stream: f.Stream, Client: f.Client,
					Request: f.Request, Count: f.Count, First: f.First.UnixMilli(), Last: f.Last.UnixMilli(),
				})
			}
			return out, nil
		})
	huma.Register(api, operation(http.MethodPut, "/api/findings/seen", "seeFindings", "Note that the person has looked at the findings", status(http.StatusNoContent)),
		func(_ context.Context, in *seenInput) (*empty, error) {
			if s.o.Lint != nil {
				s.o.Lint.See(in.Body.Number)
			}
			return nil, nil
		})
	huma.Register(api, operation(http.MethodDelete, "/api/findings", "forgetFindings", "Forget all findings", status(http.StatusNoContent)),
		func(context.Context, *struct{}) (*struct{}, error) {
			if s.o.Lint != nil {
				s.o.Lint.Forget()
			}
			return nil, nil
		})
}
