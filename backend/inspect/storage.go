package inspect

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"tailrace/backend/protocol"
	"tailrace/backend/snapshot"
	"tailrace/backend/store"
)

// StreamStorage is where the parts of a stream lie, from its beginning on: what it
// inherits, what snapshots hold, and what the log holds itself.
type StreamStorage struct {
	Inherited []InheritedRun `json:"inherited" nullable:"false"`
	Cold      []ColdRun      `json:"cold" nullable:"false"`
	Hot       HotRun         `json:"hot"`
	Cached    int64          `json:"cached" doc:"Bytes of sealed messages that are in memory as well."`
	Leaving   int64          `json:"leaving" doc:"Bytes of the log that have gone cold and are about to be freed."`
	Frees     int64          `json:"frees" doc:"Bytes on disk that compaction would free, and deletion unless forks need them."`
}

// InheritedRun is a part of a fork that another stream holds.
type InheritedRun struct {
	Stream    string `json:"stream"`
	EndOffset string `json:"end_offset"`
	Messages  int64  `json:"messages"`
}

// ColdRun is a part of a stream that is read from a snapshot.
type ColdRun struct {
	EndOffset string  `json:"end_offset"`
	Messages  int64   `json:"messages"`
	LastAt    int64   `json:"last_at" doc:"When its last message was written."`
	Snapshot  int64   `json:"snapshot" doc:"Number of the recorded snapshot."`
	Location  string  `json:"location"`
	Target    *string `json:"target"`
	Size      int64   `json:"size" doc:"Bytes of the file, which may hold more than this."`
}

// HotRun is the part of a stream that the log holds itself.
type HotRun struct {
	StartOffset string      `json:"start_offset"`
	Messages    int64       `json:"messages"`
	Unsealed    HotShare    `json:"unsealed" doc:"Appends in the order of their arrival, on disk and in memory."`
	Segments    HotShare    `json:"segments" doc:"Sealed segments in the database."`
	Files       []FileShare `json:"files" nullable:"false" doc:"Large segments, in files beside it."`
}

// HotShare is what a place holds of a stream.
type HotShare struct {
	Pieces int64 `json:"pieces" doc:"Appends or segments."`
	Bytes  int64 `json:"bytes"`
}

// FileShare is what a file holds of a stream.
type FileShare struct {
	Name string `json:"name" doc:"In the data folder."`
	HotShare
}

type storageOutput struct{ Body StreamStorage }

func (s *Server) registerStorage(api huma.API) {
	huma.Register(api, operation(http.MethodGet, "/api/streams/{path}/storage", "getStorage", "Where the parts of a stream lie"), s.storage)
}

func (s *Server) storage(ctx context.Context, in *PathInput) (*storageOutput, error) {
	st, _, err := s.o.Store.Load(ctx, in.Path)
	if err != nil {
		return nil, problem(err)
	}
	l, err := s.o.Store.Layout(ctx, &st)
	if err != nil {
		return nil, err
	}
	token := func(at int64) string {
		return protocol.Offset{Incarnation: st.Incarnation, Position: at}.String()
	}
	out := &storageOutput{Body: StreamStorage{
		Inherited: []InheritedRun{}, Cold: []ColdRun{}, Cached: l.Cached, Leaving: l.Leaving,
		Hot: HotRun{
			StartOffset: token(l.Start), Messages: st.Messages - l.First,
			Unsealed: newShare(l.Unsealed), Segments: newShare(l.Rows), Files: []FileShare{},
		},
		Frees: l.Unsealed.Bytes + l.Rows.Bytes,
	}}
	before := int64(0)
	for _, run := range l.Inherited {
		row, err := s.o.Store.Row(ctx, run.Stream)
		if err != nil {
			return nil, err
		}
		inherited := InheritedRun{EndOffset: token(run.End), Messages: run.Messages - before}
		if row != nil {
			inherited.Stream = row.Path
		}
		out.Body.Inherited = append(out.Body.Inherited, inherited)
		before = run.Messages
	}
	for i := range l.Cold {
		end := l.First
		if i+1 < len(l.Cold) {
			end = l.Cold[i+1].First
		}
		out.Body.Cold = append(out.Body.Cold, newColdRun(&l.Cold[i], end, token))
	}
	for _, f := range l.Files {
		out.Body.Hot.Files = append(out.Body.Hot.Files, FileShare{f.File, newShare(f)})
		out.Body.Frees += f.Bytes
	}
	return out, nil
}

func newShare(s store.Share) HotShare { return HotShare{s.Pieces, s.Bytes} }

// newColdRun is a run whose messages end before an ordinal.
func newColdRun(c *store.Cold, end int64, token func(int64) string) ColdRun {
	run := ColdRun{
		EndOffset: token(c.End), Messages: end - c.First, LastAt: c.LastAt,
		Snapshot: c.Snapshot.ID, Location: snapshot.Location(&c.Snapshot), Size: c.Snapshot.Size,
	}
	if c.Snapshot.Target != "" {
		run.Target = &c.Snapshot.Target
	}
	return run
}
