package inspect

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"tailrace/backend/journal"
)

type originInput struct {
	PathInput
	Ordinal int64 `path:"ordinal" minimum:"0"`
}

// MessageOrigin is where a message came from and who has it.
type MessageOrigin struct {
	Request   *Origin `json:"request" doc:"The request that wrote it; null: the journal does not hold it, or not any more."`
	Readers   int     `json:"readers" doc:"Open live readers of the stream."`
	Delivered int     `json:"delivered" doc:"How many of them have been sent it, or began behind it."`
}

// Origin is the request that wrote a message.
type Origin struct {
	_       struct{} `nullable:"true"`
	ID      uint64   `json:"id"`
	Journal int64    `json:"journal" doc:"Which journal the id is of."`
	Method  string   `json:"method"`
	Remote  string   `json:"remote"`
	Agent   string   `json:"agent"`
	Took    int64    `json:"took" doc:"Microseconds."`
	Process *Process `json:"process" doc:"The local program at that address now; null: not known."`
}

type originOutput struct{ Body MessageOrigin }

func (s *Server) registerOrigin(api huma.API) {
	huma.Register(api, operation(http.MethodGet, "/api/streams/{path}/messages/{ordinal}/origin", "getMessageOrigin",
		"Which request wrote a message, and how many readers have it"), s.origin)
}

func (s *Server) origin(ctx context.Context, in *originInput) (*originOutput, error) {
	st, end, err := s.messageEnd(ctx, in)
	if err != nil {
		return nil, err
	}
	out := MessageOrigin{}
	for _, rd := range s.readersOf(&st) {
		out.Readers++
		if rd.At() >= end {
			out.Delivered++
		}
	}
	s.o.Journal.Each(in.Path, func(e *journal.Entry) bool {
		if e.Incarnation != st.Incarnation || in.Ordinal < e.First || in.Ordinal >= e.First+e.Count {
			return true
		}
		out.Request = &Origin{
			ID: e.ID, Journal: s.journal(), Method: e.Method, Remote: e.Remote, Agent: e.Header("User-Agent"), Took: e.Took.Microseconds(),
			Process: newProcess(s.peers.Find(e.Remote), e.Remote),
		}
		return false
	})
	return &originOutput{Body: out}, nil
}
