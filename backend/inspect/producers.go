package inspect

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"tailrace/backend/store"
)

type producersInput struct {
	PathInput
	Q     string `query:"q" doc:"In the id, whatever the case."`
	With  string `query:"with" doc:"Id of a producer that is listed in any case, behind the others if it is none of them."`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"200"`
}

// ProducerList is the producers of a stream that have written last.
type ProducerList struct {
	Producers []ProducerState `json:"producers" nullable:"false" doc:"Those that appended last first."`
	Matched   int             `json:"matched" doc:"Those that q selects, listed or not."`
	Total     int             `json:"total" doc:"All of the stream."`
}

type producersOutput struct{ Body ProducerList }

func (s *Server) registerProducers(api huma.API) {
	huma.Register(api, operation(http.MethodGet, "/api/streams/{path}/producers", "listProducers", "A stream's producers"), s.producers)
}

func (s *Server) producers(ctx context.Context, in *producersInput) (*producersOutput, error) {
	st, _, err := s.o.Store.Load(ctx, in.Path)
	if err != nil {
		return nil, problem(err)
	}
	all, err := s.o.Store.Producers(ctx, st.ID)
	if err != nil {
		return nil, problem(err)
	}
	selected := make([]store.Producer, 0, len(all))
	q := strings.ToLower(in.Q)
	for i := range all {
		if strings.Contains(strings.ToLower(all[i].ID), q) {
			selected = append(selected, all[i])
		}
	}
	slices.SortFunc(selected, func(a, b store.Producer) int {
		return cmp.Or(cmp.Compare(b.LastAppendAt, a.LastAppendAt), strings.Compare(a.ID, b.ID))
	})
	out := &producersOutput{Body: ProducerList{Producers: []ProducerState{}, Matched: len(selected), Total: len(all)}}
	listed := selected[:min(in.Limit, len(selected))]
	named := func(p store.Producer) bool { return p.ID == in.With }
	if !slices.ContainsFunc(listed, named) {
		if i := slices.IndexFunc(all, named); i >= 0 {
			listed = append(slices.Clip(listed), all[i])
		}
	}
	var remotes []string
	for _, p := range listed {
		state := ProducerState{ID: p.ID, Epoch: p.Epoch, LastSeq: p.Seq, LastAppendAt: p.LastAppendAt}
		if t, ok := s.o.Journal.Tally(in.Path, p.ID, st.Incarnation); ok {
			state.Seen = newSeen(t)
			if began := state.Seen.Began; began != nil {
				remotes = append(remotes, began.Remote)
			}
		}
		out.Body.Producers = append(out.Body.Producers, state)
	}
	programs := s.peers.Find(remotes...) // one look finds all of them
	for _, p := range out.Body.Producers {
		if p.Seen != nil && p.Seen.Began != nil {
			p.Seen.Began.Process = newProcess(programs, p.Seen.Began.Remote)
		}
	}
	return out, nil
}
