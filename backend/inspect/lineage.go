package inspect

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// maxFamily is how many streams of a family of forks are told of.
const maxFamily = 300

// Lineage is a family of forks: from the furthest source down, each stream
// followed by its forks.
type Lineage struct {
	Family []Kin `json:"family" nullable:"false"`
	Whole  bool  `json:"whole" doc:"False: the family is larger, and only the stream's own sources and descendants are here."`
}

// Kin is a stream of a family of forks.
type Kin struct {
	Stream    Stream     `json:"stream"`
	Depth     int        `json:"depth" doc:"0: the stream that all others descend from."`
	Inherited *Inherited `json:"inherited"`
}

// Inherited is what a fork reads from its source.
type Inherited struct {
	_        struct{} `nullable:"true"`
	Offset   string   `json:"offset" doc:"Token of the first position that is the fork's own."`
	Messages int64    `json:"messages"`
	Bytes    int64    `json:"bytes"`
}

type lineageOutput struct{ Body Lineage }

func (s *Server) registerLineage(api huma.API) {
	huma.Register(api, operation(http.MethodGet, "/api/streams/{path}/lineage", "getLineage", "What a stream was forked from, and what from it"), s.lineage)
}

func (s *Server) lineage(ctx context.Context, in *PathInput) (*lineageOutput, error) {
	st, _, err := s.o.Store.Load(ctx, in.Path)
	if err != nil {
		return nil, problem(err)
	}
	family, whole, err := s.o.Store.Lineage(ctx, st.ID, maxFamily)
	if err != nil {
		return nil, err
	}
	out := &lineageOutput{Body: Lineage{Family: []Kin{}, Whole: whole}}
	for _, member := range family {
		row, err := s.o.Store.Row(ctx, member.ID)
		if err != nil {
			return nil, err
		}
		if row == nil {
			continue // deleted since
		}
		k := Kin{Stream: s.newRow(row), Depth: member.Depth}
		if k.Inherited, err = s.inherited(ctx, row); err != nil {
			return nil, err
		}
		out.Body.Family = append(out.Body.Family, k)
	}
	return out, nil
}

// inherited is what a fork has from its source, nil when it is none.
func (s *Server) inherited(ctx context.Context, row *store.Row) (*Inherited, error) {
	if row.Fork == nil {
		return nil, nil
	}
	if err := s.o.Store.Trace(ctx, &row.Stream); err != nil {
		return nil, err
	}
	at, err := s.o.Store.PositionAt(ctx, &row.Stream, row.Fork.Base)
	if err != nil {
		return nil, err
	}
	return &Inherited{
		Offset:   protocol.Offset{Incarnation: row.Incarnation, Position: at.Tail}.String(),
		Messages: at.Messages, Bytes: at.Bytes,
	}, nil
}
