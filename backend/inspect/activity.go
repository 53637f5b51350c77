package inspect

import (
	"context"
	"math"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tailrace/backend/activity"
)

type activityInput struct {
	Stream string `query:"stream" doc:"Only this stream; empty: all together."`
}

// ActivitySeries is what happened in the last minutes: one value a step, the
// oldest first.
type ActivitySeries struct {
	At      int64     `json:"at" doc:"Unix milliseconds: when the last step ended."`
	Step    int64     `json:"step" doc:"Milliseconds."`
	Appends []float64 `json:"appends" nullable:"false" doc:"Appends a second; for one stream messages a second."`
	Bytes   []float64 `json:"bytes" nullable:"false" doc:"Bytes a second."`
	Readers []int64   `json:"readers" nullable:"false"`
	P50     []float64 `json:"p50" nullable:"false" doc:"Milliseconds that half of the commits took, for one stream as its appends waited for them; 0: there was none."`
	P99     []float64 `json:"p99" nullable:"false" doc:"Milliseconds that 99 % of the commits took."`
}

type activityOutput struct{ Body ActivitySeries }

func (s *Server) registerActivity(api huma.API) {
	huma.Register(api, operation(http.MethodGet, "/api/activity", "getActivity", "What happened in the last fifteen minutes"),
		func(ctx context.Context, in *activityInput) (*activityOutput, error) {
			if s.o.Activity == nil {
				return nil, huma.Error404NotFound("this server does not record its activity")
			}
			at, samples, step := time.Time{}, []activity.Sample(nil), activity.Step
			if in.Stream == "" {
				at, samples = s.o.Activity.All()
			} else {
				st, _, err := s.o.Store.Load(ctx, in.Stream)
				if err != nil {
					return nil, problem(err)
				}
				step = activity.StreamStep
				at, samples = s.o.Activity.Stream(st.ID)
			}
			return &activityOutput{Body: newSeries(at, step, samples)}, nil
		})
}

func newSeries(at time.Time, step time.Duration, samples []activity.Sample) ActivitySeries {
	out := ActivitySeries{
		At: at.UnixMilli(), Step: step.Milliseconds(),
		Appends: []float64{}, Bytes: []float64{}, Readers: []int64{}, P50: []float64{}, P99: []float64{},
	}
	for _, s := range samples {
		out.Appends = append(out.Appends, tenths(s.Appends))
		out.Bytes = append(out.Bytes, math.Round(s.Bytes))
		out.Readers = append(out.Readers, s.Readers)
		out.P50 = append(out.P50, milliseconds(s.P50))
		out.P99 = append(out.P99, milliseconds(s.P99))
	}
	return out
}

func milliseconds(d time.Duration) float64 { return math.Round(float64(d)/1e3) / 1e3 }

func tenths(v float64) float64 { return math.Round(v*10) / 10 }
