package inspect

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tailrace/backend/demo"
	"tailrace/backend/protocol"
)

// DemoState is what there is of the demo traffic.
type DemoState struct {
	Until   *int64 `json:"until" doc:"Unix milliseconds when the traffic ends; null: there is none."`
	Streams int    `json:"streams" doc:"Streams of the demo traffic that are there."`
}

type demoOutput struct{ Body DemoState }

type demoInput struct {
	Body struct {
		Seconds int `json:"seconds" minimum:"1" maximum:"86400" doc:"How long the traffic goes on, from now."`
	}
}

type demoRemoved struct {
	Body struct {
		Removed int `json:"removed" doc:"Streams that were deleted."`
	}
}

func (s *Server) registerDemo(api huma.API) {
	huma.Register(api, operation(http.MethodGet, "/api/demo", "getDemo", "What there is of the demo traffic"),
		func(ctx context.Context, _ *struct{}) (*demoOutput, error) { return s.demo(ctx) })
	huma.Register(api, operation(http.MethodPost, "/api/demo", "startDemo", "Let applications write into streams below demo/ for a while"),
		func(ctx context.Context, in *demoInput) (*demoOutput, error) {
			if s.o.Demo == nil {
				return nil, errNoDemo
			}
			if err := s.o.Demo.Start(time.Duration(in.Body.Seconds) * time.Second); err != nil {
				return nil, huma.Error503ServiceUnavailable(err.Error())
			}
			return s.demo(ctx)
		})
	huma.Register(api, operation(http.MethodPost, "/api/demo/stop", "stopDemo", "End the demo traffic; what it wrote stays"),
		func(ctx context.Context, _ *struct{}) (*demoOutput, error) {
			if s.o.Demo == nil {
				return nil, errNoDemo
			}
			s.o.Demo.Stop()
			return s.demo(ctx)
		})
	huma.Register(api, operation(http.MethodDelete, "/api/demo", "removeDemo", "End the demo traffic and delete its streams and subscriptions"),
		func(ctx context.Context, _ *struct{}) (*demoRemoved, error) {
			if s.o.Demo == nil {
				return nil, errNoDemo
			}
			out := &demoRemoved{}
			var err error
			out.Body.Removed, err = s.o.Demo.Remove(ctx)
			return out, err
		})
}

var errNoDemo = huma.Error404NotFound("no server runs here that demo traffic could use")

func (s *Server) demo(ctx context.Context) (*demoOutput, error) {
	out := &demoOutput{Body: DemoState{Until: s.demoUntil()}}
	for _, path := range demo.Streams() {
		st, _, err := s.o.Store.Load(ctx, path)
		switch {
		case err == nil && !st.Deleted:
			out.Body.Streams++
		case err != nil && !errors.Is(err, protocol.ErrNotFound):
			return nil, problem(err)
		}
	}
	return out, nil
}

// demoUntil is when the demo traffic ends, nil when there is none.
func (s *Server) demoUntil() *int64 {
	if s.o.Demo == nil {
		return nil
	}
	until, playing := s.o.Demo.Until()
	if !playing {
		return nil
	}
	at := until.UnixMilli()
	return &at
}
