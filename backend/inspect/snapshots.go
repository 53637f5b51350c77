package inspect

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"sort"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tailrace/backend/protocol"
	"tailrace/backend/snapshot"
	"tailrace/backend/snapshot/bucket"
)

// Place says where snapshots lie: a target of the configuration, or a folder or
// bucket of its own.
type Place struct {
	Target      string       `json:"target,omitempty" doc:"Name in the configuration; instead of the others."`
	Location    string       `json:"location,omitempty" doc:"An absolute path of a folder, or s3://bucket/prefix."`
	Endpoint    string       `json:"endpoint,omitempty" doc:"http://host:port or https://host of an S3 server; empty: AWS."`
	Region      string       `json:"region,omitempty"`
	PathStyle   bool         `json:"path_style,omitempty"`
	Keyring     string       `json:"keyring,omitempty" doc:"Entry of the system's keyring with the keys."`
	Credentials *Credentials `json:"credentials,omitempty" doc:"Used for this call only, and stored nowhere; else the server's own."`
}

// Credentials open an S3 bucket.
type Credentials struct {
	_            struct{} `nullable:"true"`
	AccessKey    string   `json:"access_key"`
	SecretKey    string   `json:"secret_key"`
	SessionToken string   `json:"session_token,omitempty"`
}

func (p *Place) where() snapshot.Where {
	w := snapshot.Where{Name: p.Target, Place: bucket.Target{
		Location: p.Location, Endpoint: p.Endpoint, Region: p.Region, PathStyle: p.PathStyle, Keyring: p.Keyring,
	}}
	if c := p.Credentials; c != nil {
		w.Place.Keys = &bucket.Keys{Access: c.AccessKey, Secret: c.SecretKey, Session: c.SessionToken}
	}
	return w
}

// Snapshot is a recorded snapshot.
type Snapshot struct {
	ID          int64   `json:"id"`
	Stream      string  `json:"stream"`
	Location    string  `json:"location" doc:"A path, or s3://bucket/key."`
	Key         string  `json:"key"`
	Joined      *string `json:"joined" doc:"The file holds only what was new: location of the manifest that joins it with those before. Verify and restore that."`
	Target      *string `json:"target" doc:"Name in the configuration."`
	StartOffset string  `json:"start_offset"`
	EndOffset   string  `json:"end_offset"`
	Messages    int64   `json:"messages"`
	Bytes       int64   `json:"bytes" doc:"Payload."`
	Size        int64   `json:"size" doc:"Of the file."`
	SHA256      string  `json:"sha256" doc:"Of the file."`
	Closed      bool    `json:"closed"`
	CreatedAt   int64   `json:"created_at" doc:"Unix milliseconds."`
	VerifiedAt  *int64  `json:"verified_at"`
	InUse       bool    `json:"in_use" doc:"A compacted stream is read from it: it is the only copy, and stays."`
}

func newSnapshot(c *snapshot.Created) Snapshot {
	s := Snapshot{
		ID: c.ID, Stream: c.Path, Location: c.Location, Key: c.Key,
		StartOffset: protocol.Offset{Incarnation: c.Incarnation, Position: c.Start}.String(),
		EndOffset:   protocol.Offset{Incarnation: c.Incarnation, Position: c.End}.String(),
		Messages:    c.Messages, Bytes: c.Bytes, Size: c.Size, SHA256: hex.EncodeToString(c.SHA256),
		Closed: c.Closed, CreatedAt: c.CreatedAt, VerifiedAt: orNull(c.VerifiedAt), InUse: c.InUse,
	}
	if c.Target != "" {
		s.Target = &c.Target
	}
	if c.Joined != "" {
		s.Joined = &c.Joined
	}
	return s
}

// SnapshotTask is a snapshot that a closed stream still waits for.
type SnapshotTask struct {
	Stream      string  `json:"stream"`
	Target      string  `json:"target"`
	CreatedAt   int64   `json:"created_at"`
	Attempts    int     `json:"attempts"`
	NextAttempt *int64  `json:"next_attempt"`
	LastError   *string `json:"last_error"`
}

// SnapshotFile is a file at a place, recorded or not.
type SnapshotFile struct {
	Stream     string `json:"stream"`
	Location   string `json:"location"`
	Key        string `json:"key"`
	Size       int64  `json:"size"`
	ModifiedAt int64  `json:"modified_at"`
}

// Target is a place of the configuration.
type Target struct {
	Name      string `json:"name"`
	Location  string `json:"location"`
	Endpoint  string `json:"endpoint"`
	Region    string `json:"region"`
	PathStyle bool   `json:"path_style"`
}

// TargetTest is what trying a place has shown.
type TargetTest struct {
	OK      bool    `json:"ok"`
	Problem *string `json:"problem" doc:"name, connect, tls, keys, denied, no_bucket, clock, region, full or unavailable."`
	Detail  *string `json:"detail" doc:"What is wrong, in words."`
}

type snapshotListOutput struct {
	Body struct {
		Snapshots []Snapshot     `json:"snapshots" nullable:"false" doc:"Newest first."`
		Tasks     []SnapshotTask `json:"tasks" nullable:"false" doc:"Snapshots that are still to be taken."`
	}
}

type createSnapshotInput struct {
	Body struct {
		Place
		Stream    string `json:"stream"`
		Compress  bool   `json:"compress,omitempty" doc:"With zstd."`
		Increment bool   `json:"increment,omitempty" doc:"Only what is new since the newest snapshot there, if one can be gone on from."`
	}
}

type snapshotFileInput struct {
	Body struct {
		Place
		File string `json:"file" doc:"Location of the file; with target its key there."`
	}
}

type restoreInput struct {
	Body struct {
		Place
		File     string `json:"file" doc:"Location of the file; with target its key there."`
		As       string `json:"as,omitempty" doc:"Path of the restored stream; empty: the one it had."`
		NoExpiry bool   `json:"no_expiry,omitempty" doc:"Leave out the stream's TTL or expiry."`
	}
}

type pruneInput struct {
	Body struct {
		Streams     string       `json:"streams,omitempty" doc:"A glob; empty: all."`
		Target      string       `json:"target,omitempty" doc:"Only snapshots of this target of the configuration."`
		KeepLast    int          `json:"keep_last" minimum:"1" doc:"Newest snapshots of each stream and place that stay."`
		KeepDays    int          `json:"keep_days,omitempty" minimum:"0" doc:"Snapshots that are younger stay as well."`
		DryRun      bool         `json:"dry_run,omitempty"`
		Credentials *Credentials `json:"credentials,omitempty"`
	}
}

type pruneOutput struct {
	Body struct {
		Deleted []Snapshot `json:"deleted" nullable:"false"`
		DryRun  bool       `json:"dry_run" doc:"Nothing was deleted: these would be."`
	}
}

type filesOutput struct {
	Body struct {
		Files []SnapshotFile `json:"files" nullable:"false"`
	}
}

type targetsOutput struct {
	Body struct {
		Targets []Target `json:"targets" nullable:"false"`
	}
}

type testOutput struct{ Body TargetTest }

// FoundFile is a file in a folder of the configuration that has a snapshot's name
// and that the log does not know.
type FoundFile struct {
	Target     string  `json:"target"`
	Location   string  `json:"location" doc:"What to restore: a file, or a manifest."`
	Stream     string  `json:"stream" doc:"Empty when there is a problem."`
	Problem    *string `json:"problem" doc:"Why nothing can be restored from it: it may still be being copied, be damaged, or be something else."`
	Size       int64   `json:"size"`
	ModifiedAt int64   `json:"modified_at"`
	PathTaken  bool    `json:"path_taken" doc:"There is a stream at the path: it can only be restored as another one."`
}

type foundOutput struct {
	Body struct {
		Revision int64       `json:"revision" doc:"Another number whenever something has come or gone."`
		Files    []FoundFile `json:"files" nullable:"false"`
	}
}

func (s *Server) registerSnapshots(api huma.API) {
	accepted := status(http.StatusAccepted)
	huma.Register(api, operation(http.MethodGet, "/api/snapshots", "listSnapshots", "Recorded snapshots"), s.snapshots)
	huma.Register(api, operation(http.MethodPost, "/api/snapshots", "createSnapshot", "Take a snapshot of a stream, as a job", accepted),
		func(_ context.Context, in *createSnapshotInput) (*jobOutput, error) {
			return newJobOutput(s.o.Snapshots.Create(snapshot.CreateRequest{
				Path: in.Body.Stream, To: in.Body.where(), Compress: in.Body.Compress, Increment: in.Body.Increment,
			}))
		})
	huma.Register(api, operation(http.MethodPost, "/api/snapshots/verify", "verifySnapshot", "Read a snapshot back and check all of it, as a job", accepted),
		func(_ context.Context, in *snapshotFileInput) (*jobOutput, error) {
			return newJobOutput(s.o.Snapshots.Verify(snapshot.FileRequest{Location: in.Body.File, From: in.Body.where()}))
		})
	huma.Register(api, operation(http.MethodPost, "/api/snapshots/restore", "restoreSnapshot", "Bring a stream back, as a job", accepted),
		func(_ context.Context, in *restoreInput) (*jobOutput, error) {
			return newJobOutput(s.o.Snapshots.Restore(snapshot.FileRequest{
				Location: in.Body.File, From: in.Body.where(), As: in.Body.As, NoExpiry: in.Body.NoExpiry,
			}))
		})
	huma.Register(api, operation(http.MethodPost, "/api/snapshots/prune", "pruneSnapshots", "Delete old snapshots"), s.prune)
	huma.Register(api, operation(http.MethodPost, "/api/snapshots/files", "listSnapshotFiles", "Snapshots that lie at a place"), s.snapshotFiles)
	huma.Register(api, operation(http.MethodGet, "/api/targets", "listTargets", "Places of the configuration"), s.targets)
	huma.Register(api, operation(http.MethodPost, "/api/targets/test", "testTarget", "Try whether a place works"), s.testTarget)
	huma.Register(api, operation(http.MethodGet, "/api/snapshots/found", "listFoundSnapshots", "Files in folders of the configuration that the log does not know"), s.found)
	s.registerCompaction(api)
	s.registerBackups(api)
	s.registerJobs(api)
}

func (s *Server) snapshots(ctx context.Context, in *struct {
	Stream string `query:"stream" doc:"Only of this stream."`
},
) (*snapshotListOutput, error) {
	all, err := s.o.Snapshots.Recorded(ctx, in.Stream)
	if err != nil {
		return nil, snapshotProblem(err)
	}
	tasks, err := s.o.Snapshots.Tasks(ctx)
	if err != nil {
		return nil, snapshotProblem(err)
	}
	out := &snapshotListOutput{}
	out.Body.Snapshots, out.Body.Tasks = newSnapshots(all), []SnapshotTask{}
	for _, t := range tasks {
		if in.Stream != "" && in.Stream != t.Path {
			continue
		}
		task := SnapshotTask{Stream: t.Path, Target: t.Target, CreatedAt: t.CreatedAt, Attempts: t.Attempts, NextAttempt: orNull(t.NextAttempt)}
		if t.LastError != "" {
			task.LastError = &t.LastError
		}
		out.Body.Tasks = append(out.Body.Tasks, task)
	}
	return out, nil
}

func (s *Server) found(ctx context.Context, in *struct {
	Seen int64 `query:"seen" doc:"The revision that is known."`
	Wait int64 `query:"wait" minimum:"0" maximum:"30000" doc:"Milliseconds to wait for another revision than that."`
},
) (*foundOutput, error) {
	found, err := s.o.Snapshots.Found(ctx, time.Duration(min(in.Wait, longestWait))*time.Millisecond, in.Seen)
	if err != nil {
		return nil, snapshotProblem(err)
	}
	out := &foundOutput{}
	out.Body.Revision, out.Body.Files = found.Revision, make([]FoundFile, 0, len(found.Files))
	for _, f := range found.Files {
		file := FoundFile{
			Target: f.Target, Location: f.Location, Stream: f.Stream, Size: f.Size, ModifiedAt: f.Modified.UnixMilli(), PathTaken: f.Taken,
		}
		if f.Problem != "" {
			file.Problem = &f.Problem
		}
		out.Body.Files = append(out.Body.Files, file)
	}
	return out, nil
}

func newSnapshots(all []snapshot.Created) []Snapshot {
	out := make([]Snapshot, 0, len(all))
	for i := range all {
		out = append(out, newSnapshot(&all[i]))
	}
	return out
}

func (s *Server) prune(ctx context.Context, in *pruneInput) (*pruneOutput, error) {
	reach := Place{Credentials: in.Body.Credentials}
	pruned, err := s.o.Snapshots.Prune(ctx, snapshot.PruneRequest{
		Glob: in.Body.Streams, Target: in.Body.Target, KeepLast: in.Body.KeepLast, KeepFor: time.Duration(in.Body.KeepDays) * 24 * time.Hour,
		DryRun: in.Body.DryRun, Reach: reach.where(),
	})
	if err != nil {
		return nil, snapshotProblem(err)
	}
	out := &pruneOutput{}
	out.Body.Deleted, out.Body.DryRun = newSnapshots(pruned), in.Body.DryRun
	return out, nil
}

func (s *Server) snapshotFiles(ctx context.Context, in *struct{ Body Place }) (*filesOutput, error) {
	files, err := s.o.Snapshots.Files(ctx, in.Body.where())
	if err != nil {
		return nil, snapshotProblem(err)
	}
	out := &filesOutput{}
	out.Body.Files = make([]SnapshotFile, 0, len(files))
	for _, f := range files {
		out.Body.Files = append(out.Body.Files, SnapshotFile{
			Stream: f.Stream, Location: f.Location, Key: f.Key, Size: f.Size, ModifiedAt: f.Modified.UnixMilli(),
		})
	}
	return out, nil
}

func (s *Server) targets(context.Context, *empty) (*targetsOutput, error) {
	out := &targetsOutput{}
	out.Body.Targets = []Target{}
	for name, t := range s.o.Snapshots.Targets() {
		out.Body.Targets = append(out.Body.Targets, Target{Name: name, Location: t.Location, Endpoint: t.Endpoint, Region: t.Region, PathStyle: t.PathStyle})
	}
	sort.Slice(out.Body.Targets, func(i, k int) bool { return out.Body.Targets[i].Name < out.Body.Targets[k].Name })
	return out, nil
}

func (s *Server) testTarget(ctx context.Context, in *struct{ Body Place }) (*testOutput, error) {
	err := s.o.Snapshots.Test(ctx, in.Body.where())
	if err == nil {
		return &testOutput{TargetTest{OK: true}}, nil
	}
	name := bucket.ProblemOf(err)
	if name == "" {
		return nil, snapshotProblem(err)
	}
	detail := err.Error()
	return &testOutput{TargetTest{Problem: &name, Detail: &detail}}, nil
}

// snapshotProblem turns an error of the snapshot package into an answer.
func snapshotProblem(err error) error {
	var bad *snapshot.RequestError
	var unknown *snapshot.UnknownTargetError
	switch {
	case errors.As(err, &bad):
		return huma.Error400BadRequest(err.Error())
	case errors.As(err, &unknown):
		return huma.Error422UnprocessableEntity(err.Error())
	case bucket.ProblemOf(err) != "":
		return huma.NewError(http.StatusBadGateway, err.Error())
	}
	return problem(err)
}
