package inspect

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// Update is what is known of newer versions.
type Update struct {
	Asked     bool   `json:"asked" doc:"The settings name an address to ask."`
	Newer     string `json:"newer" doc:"A version that is newer than this one; empty: none is known."`
	URL       string `json:"url" doc:"Where to read about it; empty: nowhere."`
	CheckedAt *int64 `json:"checked_at" doc:"Unix milliseconds of the last answer; null: none yet."`
	Problem   string `json:"problem" doc:"Why the last question was not answered."`
}

type updateOutput struct{ Body Update }

func (s *Server) registerUpdate(api huma.API) {
	huma.Register(api, operation(http.MethodGet, "/api/update", "getUpdate", "Whether there is a newer version"),
		func(context.Context, *empty) (*updateOutput, error) {
			state := s.o.Update.State()
			out := Update{Asked: s.o.Update != nil, Newer: state.Newer, URL: state.URL, Problem: state.Problem}
			if state.CheckedAt != 0 {
				out.CheckedAt = &state.CheckedAt
			}
			return &updateOutput{Body: out}, nil
		})
}
