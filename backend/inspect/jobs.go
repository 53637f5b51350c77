package inspect

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tailrace/backend/engine"
	"tailrace/backend/protocol"
	"tailrace/backend/snapshot"
	"tailrace/backend/snapshot/backup"
	"tailrace/backend/snapshot/bucket"
	"tailrace/backend/snapshot/segfile"
	"tailrace/backend/store"
)

// Job is work with snapshots and backups that goes on by itself.
type Job struct {
	ID        int64           `json:"id"`
	Kind      string          `json:"kind" enum:"create,verify,restore,compact,backup,verify_backup"`
	Subject   string          `json:"subject" doc:"The stream or streams, or the file."`
	State     string          `json:"state" enum:"running,done,failed,canceled"`
	Bytes     int64           `json:"bytes" doc:"Read or written so far."`
	Total     *int64          `json:"total"`
	Rate      int64           `json:"rate" doc:"Bytes a second, on average."`
	StartedAt int64           `json:"started_at"`
	EndedAt   *int64          `json:"ended_at"`
	Error     *string         `json:"error"`
	Again     bool            `json:"again" doc:"It has ended, and can be begun again as it was asked for."`
	Problem   *string         `json:"problem" doc:"What kind of failure: damaged, no_snapshot (nor backup), version, path_taken, not_found, request, or that of a target."`
	Snapshot  *Snapshot       `json:"snapshot" doc:"What create has made."`
	Verified  *VerifiedFile   `json:"verified" doc:"What verify has found."`
	Restored  *RestoredStream `json:"restored" doc:"What restore has made."`
	Compacted []Compaction    `json:"compacted" doc:"What compact has done, also when it failed for some streams."`
	Backup    *Backup         `json:"backup" doc:"What backup has made, or verify_backup has found right."`
}

// SnapshotContent is what a snapshot file holds.
type SnapshotContent struct {
	Stream      string  `json:"stream"`
	ContentType string  `json:"content_type"`
	StartOffset string  `json:"start_offset"`
	EndOffset   string  `json:"end_offset"`
	Messages    int64   `json:"messages"`
	Bytes       int64   `json:"bytes"`
	Size        int64   `json:"size"`
	SHA256      string  `json:"sha256"`
	Closed      bool    `json:"closed"`
	Producers   int     `json:"producers"`
	ForkOf      *string `json:"fork_of"`
	TakenAt     int64   `json:"taken_at"`
}

// VerifiedFile is a snapshot that was found right.
type VerifiedFile struct {
	_ struct{} `nullable:"true"`
	SnapshotContent
	Location string  `json:"location"`
	Log      string  `json:"log" enum:"same,absent,differs" doc:"What the log holds of it."`
	Reason   *string `json:"reason" doc:"How the log differs."`
	Recorded bool    `json:"recorded" doc:"The server has a record of the file, with the same checksum."`
}

// RestoredStream is a stream that was brought back.
type RestoredStream struct {
	_ struct{} `nullable:"true"`
	SnapshotContent
	Path       string `json:"path" doc:"Where it is now."`
	NewOffsets bool   `json:"new_offsets" doc:"Whether its offsets are others than those in the file: readers of the path hold offsets of another stream, or of more than was restored, and get 410."`
}

type jobOutput struct{ Body Job }

// JobInput names a job in the URL.
type JobInput struct {
	ID int64 `path:"id"`
}

type jobsOutput struct {
	Body struct {
		Jobs []Job `json:"jobs" nullable:"false" doc:"Newest first."`
	}
}

// longestWait bounds how long a question for a job's end may take.
const longestWait = 30_000

func (s *Server) registerJobs(api huma.API) {
	huma.Register(api, operation(http.MethodGet, "/api/jobs", "listJobs", "Running and recent jobs"),
		func(context.Context, *empty) (*jobsOutput, error) {
			out := &jobsOutput{}
			out.Body.Jobs = []Job{}
			for _, j := range s.o.Snapshots.Jobs() {
				out.Body.Jobs = append(out.Body.Jobs, newJob(j))
			}
			return out, nil
		})
	huma.Register(api, operation(http.MethodGet, "/api/jobs/{id}", "getJob", "One job"), s.job)
	huma.Register(api, operation(http.MethodDelete, "/api/jobs/{id}", "cancelJob", "Cancel a job", status(http.StatusNoContent)),
		func(_ context.Context, in *JobInput) (*empty, error) {
			j := s.o.Snapshots.Job(in.ID)
			if j == nil {
				return nil, noJob(in.ID)
			}
			j.Cancel()
			return nil, nil
		})
	huma.Register(api, operation(http.MethodPost, "/api/jobs/{id}/again", "repeatJob", "Begin a job that has ended again, with the server's own keys", status(http.StatusAccepted)),
		func(_ context.Context, in *JobInput) (*jobOutput, error) {
			j := s.o.Snapshots.Job(in.ID)
			if j == nil {
				return nil, noJob(in.ID)
			}
			return newJobOutput(s.o.Snapshots.Again(j))
		})
}

func noJob(id int64) error {
	return huma.Error404NotFound("there is no job " + strconv.FormatInt(id, 10) + "")
}

func (s *Server) job(ctx context.Context, in *struct {
	JobInput
	Wait int64 `query:"wait" minimum:"0" maximum:"30000" doc:"Milliseconds to wait for its end."`
},
) (*jobOutput, error) {
	j := s.o.Snapshots.Job(in.ID)
	if j == nil {
		return nil, noJob(in.ID)
	}
	if in.Wait > 0 {
		timer := time.NewTimer(time.Duration(min(in.Wait, longestWait)) * time.Millisecond)
		defer timer.Stop()
		select {
		case <-j.Done():
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return &jobOutput{newJob(j)}, nil
}

func newJobOutput(j *snapshot.Job, err error) (*jobOutput, error) {
	if err != nil {
		return nil, snapshotProblem(err)
	}
	return &jobOutput{newJob(j)}, nil
}

func newJob(j *snapshot.Job) Job {
	p := j.Progress()
	out := Job{
		ID: j.ID, Kind: j.Kind, Subject: j.Subject, State: p.State, Bytes: p.Bytes, Total: orNull(p.Total), Rate: p.Rate,
		StartedAt: j.Started.UnixMilli(),
	}
	if !p.Ended.IsZero() {
		at := p.Ended.UnixMilli()
		out.EndedAt, out.Again = &at, j.CanBeginAgain()
	}
	if p.Err != nil {
		text, kind := p.Err.Error(), ProblemKind(p.Err)
		out.Error, out.Problem = &text, &kind
	}
	switch r := p.Result.(type) {
	case *snapshot.Created:
		s := newSnapshot(r)
		out.Snapshot = &s
	case *snapshot.Verified:
		out.Verified = &VerifiedFile{SnapshotContent: newContent(&r.Header, r.Summary), Location: r.Location, Log: string(r.Log), Recorded: r.Recorded}
		if r.Reason != "" {
			out.Verified.Reason = &r.Reason
		}
	case *backup.Backup:
		b := NewBackup(r)
		out.Backup = &b
	case *backup.Verified:
		b := NewVerifiedBackup(r)
		out.Backup = &b
	case []snapshot.Compaction:
		out.Compacted = newCompactions(r)
	case *snapshot.Restored:
		out.Restored = &RestoredStream{SnapshotContent: newContent(&r.Header, r.Summary), Path: r.Path, NewOffsets: r.Anew}
	}
	return out
}

func newContent(h *segfile.Header, sum segfile.Summary) SnapshotContent {
	c := SnapshotContent{
		Stream: h.Path, ContentType: h.ContentType, StartOffset: h.StartOffset(), EndOffset: h.EndOffset(),
		Messages: sum.Messages, Bytes: sum.Bytes, Size: sum.Size, SHA256: hex.EncodeToString(sum.SHA256[:]),
		Closed: h.Closed, Producers: len(h.Producers), TakenAt: h.TakenAt,
	}
	if h.Fork != nil {
		c.ForkOf = &h.Fork.From
	}
	return c
}

// ProblemKind names the kind of a failure, for programs.
func ProblemKind(err error) string {
	var (
		damaged    *segfile.DamagedError
		version    *segfile.VersionError
		badBackup  *backup.DamagedError
		newBackup  *backup.VersionError
		newSchema  *store.NewerSchemaError
		badSegment *store.DamagedError
		notEmpty   *backup.NotEmptyError
		bad        *snapshot.RequestError
	)
	switch {
	case errors.As(err, &damaged), errors.As(err, &badBackup), errors.As(err, &badSegment):
		return "damaged"
	case errors.As(err, &version), errors.As(err, &newBackup), errors.As(err, &newSchema):
		return "version"
	case errors.Is(err, segfile.ErrNotSnapshot), errors.Is(err, backup.ErrNone):
		return "no_snapshot"
	case errors.Is(err, engine.ErrPathTaken), errors.As(err, &notEmpty):
		return "path_taken"
	case errors.Is(err, protocol.ErrNotFound), errors.Is(err, protocol.ErrGone):
		return "not_found"
	case errors.As(err, &bad):
		return "request"
	}
	if p := bucket.ProblemOf(err); p != "" {
		return p
	}
	return "other"
}
