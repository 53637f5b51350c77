package inspect

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tailrace/backend/protocol"
	"tailrace/backend/snapshot"
)

// CompactOptions say which streams shall be read from snapshots, and where these
// lie.
type CompactOptions struct {
	Place
	Streams      string `json:"streams" minLength:"1" doc:"A path or a glob."`
	OlderSeconds int64  `json:"older_seconds,omitempty" minimum:"0" maximum:"3153600000" doc:"Only what was written so long ago."`
	LargerBytes  int64  `json:"larger_bytes,omitempty" minimum:"0" doc:"Only where so much is freed."`
	Compress     bool   `json:"compress,omitempty" doc:"Compress snapshots that have to be taken, with zstd."`
}

func (o *CompactOptions) request() snapshot.CompactRequest {
	return snapshot.CompactRequest{
		Streams: o.Streams, Older: time.Duration(o.OlderSeconds) * time.Second, Larger: o.LargerBytes, To: o.where(), Compress: o.Compress,
	}
}

// Compaction is what becomes of a stream, or would.
type Compaction struct {
	Stream      string   `json:"stream"`
	StartOffset string   `json:"start_offset"`
	EndOffset   string   `json:"end_offset" doc:"What lies between leaves the log and is read from snapshots."`
	Bytes       int64    `json:"bytes" doc:"Freed in the data folder."`
	Snapshots   []string `json:"snapshots" nullable:"false" doc:"Locations of the files that hold it; none in a plan: one is taken first."`
	Error       *string  `json:"error" doc:"Why the stream stays as it is."`
}

func newCompactions(all []snapshot.Compaction) []Compaction {
	out := make([]Compaction, 0, len(all))
	for i := range all {
		c := &all[i]
		n := Compaction{
			Stream:      c.Path,
			StartOffset: protocol.Offset{Incarnation: c.Incarnation, Position: c.Start}.String(),
			EndOffset:   protocol.Offset{Incarnation: c.Incarnation, Position: c.End}.String(),
			Bytes:       c.Bytes, Snapshots: append([]string{}, c.Locations...),
		}
		if c.Reason != "" {
			n.Error = &c.Reason
		}
		out = append(out, n)
	}
	return out
}

type compactInput struct{ Body CompactOptions }

type planOutput struct {
	Body struct {
		Streams []Compaction `json:"streams" nullable:"false"`
		Bytes   int64        `json:"bytes" doc:"Freed in the data folder, all in all."`
	}
}

func (s *Server) registerCompaction(api huma.API) {
	huma.Register(api, operation(http.MethodPost, "/api/snapshots/compact", "compact",
		"Read streams from snapshots and let the log go of them, as a job", status(http.StatusAccepted)),
		func(_ context.Context, in *compactInput) (*jobOutput, error) {
			return newJobOutput(s.o.Snapshots.Compact(in.Body.request()))
		})
	huma.Register(api, operation(http.MethodPost, "/api/snapshots/compact/plan", "planCompact", "What a compaction would free"),
		func(ctx context.Context, in *compactInput) (*planOutput, error) {
			plan, err := s.o.Snapshots.PlanCompact(ctx, in.Body.request())
			if err != nil {
				return nil, snapshotProblem(err)
			}
			out := &planOutput{}
			out.Body.Streams = newCompactions(plan)
			for _, c := range plan {
				if c.Reason == "" {
					out.Body.Bytes += c.Bytes
				}
			}
			return out, nil
		})
}
