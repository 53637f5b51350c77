package inspect

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"tailrace/backend/protocol"
	"tailrace/backend/server"
	"tailrace/backend/store"
)

// ListFilter says which streams are listed.
type ListFilter struct {
	Filter string `query:"filter" doc:"A glob when it contains *, else words that the path contains, separated by blanks."`
	Kind   string `query:"kind" enum:"json,text,bytes"`
	State  string `query:"state" enum:"open,closed,fork,deleted"`
	System bool   `query:"system" doc:"Include system streams."`
	Find   string `query:"find" doc:"Path of a stream: tell where it is."`
}

func (in *ListFilter) selection() selection {
	return selection{filter: in.Filter, kind: in.Kind, state: in.State, system: in.System}
}

type listInput struct {
	ListFilter
	Sort  string `query:"sort" enum:"path,messages,bytes,created,last" default:"path"`
	Desc  bool   `query:"desc" doc:"The largest first."`
	From  int    `query:"from" minimum:"0" doc:"Index of the first stream, among those selected."`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"200"`
}

// StreamList is a page of streams.
type StreamList struct {
	From    int      `json:"from"`
	Streams []Stream `json:"streams" nullable:"false"`
	Counts
}

// Counts are what is said of all streams beside a page of them.
type Counts struct {
	Matched int    `json:"matched" doc:"Streams that the filter selects, on all pages."`
	Total   int    `json:"total" doc:"Application streams."`
	Facets  Facets `json:"facets"`
	Found   *Found `json:"found" doc:"Null: there was nothing to find, or the filter does not select it."`
}

// Found is where a stream is.
type Found struct {
	_      struct{} `nullable:"true"`
	Index  int      `json:"index" doc:"Of its row; -1: it is in a folder that is closed."`
	Stream Stream   `json:"stream"`
}

// Facets count application streams by kind and state.
type Facets struct {
	Kind struct {
		JSON  int `json:"json"`
		Text  int `json:"text"`
		Bytes int `json:"bytes"`
	} `json:"kind"`
	State struct {
		Open    int `json:"open"`
		Closed  int `json:"closed"`
		Fork    int `json:"fork"`
		Deleted int `json:"deleted"`
	} `json:"state"`
}

type listOutput struct{ Body StreamList }

// PathInput names a stream in the URL.
type PathInput struct {
	Path string `path:"path" doc:"Stream path, percent-encoded as one segment."`
}

type streamOutput struct{ Body Stream }

func (s *Server) registerStreams(api huma.API) {
	huma.Register(api, operation(http.MethodGet, "/api/streams", "listStreams", "List streams"), s.list)
	s.registerTree(api)
	huma.Register(api, operation(http.MethodGet, "/api/streams/{path}", "getStream", "One stream"),
		func(ctx context.Context, in *PathInput) (*streamOutput, error) {
			row, err := s.row(ctx, in.Path)
			if err != nil {
				return nil, problem(err)
			}
			return &streamOutput{Body: row}, nil
		})
}

func (s *Server) list(ctx context.Context, in *listInput) (*listOutput, error) {
	all, err := s.streams.all(ctx, s.o.Store)
	if err != nil {
		return nil, problem(err)
	}
	q := in.selection()
	q.sort, q.desc = in.Sort, in.Desc
	selected := q.of(all, s.o.Engine.Active())
	out := &listOutput{Body: StreamList{From: in.From, Streams: []Stream{}, Counts: count(all)}}
	out.Body.Matched = len(selected)
	if i := slices.IndexFunc(selected, func(b *store.Brief) bool { return b.Path == in.Find }); i >= 0 {
		if out.Body.Found, err = s.foundAt(ctx, i, selected[i].ID); err != nil {
			return nil, problem(err)
		}
	}
	for _, b := range selected[min(in.From, len(selected)):min(in.From+in.Limit, len(selected))] {
		row, err := s.o.Store.Row(ctx, b.ID)
		if err != nil {
			return nil, problem(err)
		}
		if row != nil { // else deleted since
			out.Body.Streams = append(out.Body.Streams, s.newRow(row))
		}
	}
	return out, nil
}

// count counts streams, whether they are selected or not.
func count(all []store.Brief) Counts {
	var c Counts
	for i := range all {
		if !all[i].System {
			c.Total++
			c.Facets.count(&all[i])
		}
	}
	return c
}

// foundAt is a stream with the index of its row.
func (s *Server) foundAt(ctx context.Context, index int, id int64) (*Found, error) {
	row, err := s.o.Store.Row(ctx, id)
	if err != nil || row == nil {
		return nil, err
	}
	return &Found{Index: index, Stream: s.newRow(row)}, nil
}

// row returns the stream at a path as a list shows it.
func (s *Server) row(ctx context.Context, path string) (Stream, error) {
	st, _, err := s.o.Store.Load(ctx, path)
	if err != nil {
		return Stream{}, err
	}
	row, err := s.o.Store.Row(ctx, st.ID)
	if err != nil {
		return Stream{}, err
	}
	if row == nil {
		return Stream{}, protocol.ErrNotFound
	}
	return s.newRow(row), nil
}

// problem turns an error into what the API answers: the protocol's status and
// the sentence behind it. Other errors stay as they are and become a 500.
func problem(err error) error {
	if code, known := server.StatusOf(err); known {
		return huma.NewError(code, err.Error())
	}
	if errors.Is(err, context.Canceled) {
		return huma.NewError(499, "the client has left")
	}
	return err
}
