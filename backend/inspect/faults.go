package inspect

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tailrace/backend/fault"
)

// FaultSpec is a fault to arm.
type FaultSpec struct {
	Kind        string   `json:"kind" enum:"status,delay,drop-before,drop-after,cut,timeout,kill" doc:"What happens: an answer with a status; a delay; the connection closed before or after the request took effect, or in the middle of the answer; the wait of a live read ended early; the connection closed after a while."`
	Streams     string   `json:"streams,omitempty" doc:"A path or glob; empty: every stream."`
	Methods     []string `json:"methods,omitempty" nullable:"false" doc:"GET, HEAD, POST, PUT, DELETE; none: every method."`
	Status      int      `json:"status,omitempty" doc:"For kind status: between 400 and 599."`
	RetryAfter  int      `json:"retry_after,omitempty" doc:"For kind status: seconds in Retry-After; 0: no such header."`
	AfterMS     int64    `json:"after_ms,omitempty" doc:"For kinds delay, timeout and kill: how long to wait."`
	JitterMS    int64    `json:"jitter_ms,omitempty" doc:"Up to this much is added to it at random."`
	Bytes       int64    `json:"bytes,omitempty" doc:"For kind cut: how much of the body passes; 0: half of its first piece."`
	Probability float64  `json:"probability,omitempty" doc:"Between 0 and 1; 0: always."`
	Count       int64    `json:"count,omitempty" doc:"How often in all; 0: without end."`
	Seconds     int64    `json:"seconds,omitempty" doc:"How long it is armed, at most an hour; 0: five minutes."`
}

// Fault is one that is armed.
type Fault struct {
	FaultSpec
	ID    int64  `json:"id"`
	Ends  int64  `json:"ends" doc:"Unix milliseconds."`
	Hits  int64  `json:"hits" doc:"How often it has happened."`
	Words string `json:"words" doc:"What it does, as the journal says it."`
}

type faultsOutput struct {
	Body struct {
		Faults []Fault `json:"faults" nullable:"false"`
	}
}

type armInput struct{ Body FaultSpec }

type armOutput struct{ Body Fault }

func (s *Server) registerFaults(api huma.API) {
	huma.Register(api, operation(http.MethodGet, "/api/faults", "listFaults", "What is armed to go wrong"),
		func(context.Context, *struct{}) (*faultsOutput, error) {
			out := &faultsOutput{}
			out.Body.Faults = []Fault{}
			for _, a := range s.o.Faults.List() {
				out.Body.Faults = append(out.Body.Faults, newFault(a))
			}
			return out, nil
		})
	huma.Register(api, operation(http.MethodPost, "/api/faults", "armFault", "Let requests go wrong for a while"),
		func(_ context.Context, in *armInput) (*armOutput, error) {
			if s.o.Faults == nil {
				return nil, errNoFaults
			}
			a, err := s.o.Faults.Arm(in.Body.fault())
			var wrong *fault.Error
			switch {
			case errors.As(err, &wrong):
				return nil, huma.Error422UnprocessableEntity(err.Error())
			case err != nil:
				return nil, huma.Error403Forbidden(err.Error())
			}
			return &armOutput{Body: newFault(a)}, nil
		})
	huma.Register(api, operation(http.MethodDelete, "/api/faults", "disarmFaults", "Disarm all faults", status(http.StatusNoContent)),
		func(context.Context, *struct{}) (*struct{}, error) {
			if s.o.Faults == nil {
				return nil, errNoFaults
			}
			s.o.Faults.Clear()
			return nil, nil
		})
	huma.Register(api, operation(http.MethodDelete, "/api/faults/{id}", "disarmFault", "Disarm a fault", status(http.StatusNoContent)),
		func(_ context.Context, in *struct {
			ID int64 `path:"id"`
		},
		) (*struct{}, error) {
			if s.o.Faults == nil {
				return nil, errNoFaults
			}
			if !s.o.Faults.Disarm(in.ID) {
				return nil, huma.Error404NotFound("it is not armed: its time is up, it has happened as often as it should, or somebody disarmed it")
			}
			return nil, nil
		})
}

var errNoFaults = huma.Error404NotFound("no server runs here that could fail")

func (f *FaultSpec) fault() fault.Fault {
	return fault.Fault{
		Kind: fault.Kind(f.Kind), Streams: f.Streams, Methods: f.Methods, Status: f.Status, RetryAfter: f.RetryAfter,
		After: time.Duration(f.AfterMS) * time.Millisecond, Jitter: time.Duration(f.JitterMS) * time.Millisecond,
		Bytes: f.Bytes, Probability: f.Probability, Count: f.Count, For: time.Duration(f.Seconds) * time.Second,
	}
}

func newFault(a *fault.Armed) Fault {
	return Fault{
		FaultSpec: FaultSpec{
			Kind: string(a.Kind), Streams: a.Streams, Methods: a.Methods, Status: a.Status, RetryAfter: a.RetryAfter,
			AfterMS: a.After.Milliseconds(), JitterMS: a.Jitter.Milliseconds(), Bytes: a.Bytes, Probability: a.Probability,
			Count: a.Count, Seconds: int64(a.For / time.Second),
		},
		ID: a.ID, Ends: a.Ends.UnixMilli(), Hits: a.Hits(), Words: a.String(),
	}
}
