package inspect

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"tailrace/backend/snapshot/backup"
)

// Backup is a copy of the whole log.
type Backup struct {
	_        struct{} `nullable:"true"`
	Location string   `json:"location" doc:"A folder, or s3://bucket/prefix; what verify and restore take."`
	TakenAt  int64    `json:"taken_at" doc:"Unix milliseconds."`
	Size     int64    `json:"size" doc:"Of all its files."`
	Files    int      `json:"files"`
	Streams  int64    `json:"streams"`
	Program  string   `json:"program" doc:"That has written it."`
	Config   bool     `json:"config" doc:"It holds the configuration file."`
	// Cold files belong to no backup, but a log that is restored needs them.
	ColdFiles   int      `json:"cold_files" doc:"Snapshots that compacted streams are read from. They are not copied."`
	ColdBytes   int64    `json:"cold_bytes"`
	Unreachable []string `json:"unreachable" nullable:"false" doc:"Of these, as verify_backup has found: those that cannot be read, and why."`
	Problem     *string  `json:"problem" doc:"Why nothing can be restored from it, such as that it was never finished; the counts mean nothing then."`
}

// NewBackup describes a backup.
func NewBackup(b *backup.Backup) Backup {
	m := &b.Manifest
	return Backup{
		Location: b.Location, TakenAt: m.TakenAt, Size: m.Size(), Files: len(m.Files), Streams: m.Streams, Program: m.Program,
		Config: m.Config(), ColdFiles: len(m.Cold), ColdBytes: m.ColdBytes(), Unreachable: []string{},
	}
}

// NewVerifiedBackup describes a backup that was verified.
func NewVerifiedBackup(v *backup.Verified) Backup {
	out := NewBackup(&v.Backup)
	out.Unreachable = append(out.Unreachable, v.Unreachable...)
	return out
}

// NewBackups describes the backups at a place.
func NewBackups(all []backup.Listed) []Backup {
	out := make([]Backup, 0, len(all))
	for i := range all {
		b := NewBackup(&all[i].Backup)
		if err := all[i].Err; err != nil {
			text := err.Error()
			b.Size, b.Problem = all[i].Size, &text
		}
		out = append(out, b)
	}
	return out
}

type backupsOutput struct {
	Body struct {
		Backups []Backup `json:"backups" nullable:"false" doc:"Newest first."`
	}
}

type verifyBackupInput struct {
	Body struct {
		Place
		Backup string `json:"backup" doc:"Its location, or with target where it lies there. A place with backups stands for the newest whole one."`
	}
}

func (s *Server) registerBackups(api huma.API) {
	accepted := status(http.StatusAccepted)
	huma.Register(api, operation(http.MethodPost, "/api/backups", "createBackup", "Write the whole log to a place, as a job", accepted),
		func(_ context.Context, in *struct{ Body Place }) (*jobOutput, error) {
			return newJobOutput(s.o.Snapshots.Backup(in.Body.where()))
		})
	huma.Register(api, operation(http.MethodPost, "/api/backups/list", "listBackups", "Backups that lie at a place"),
		func(ctx context.Context, in *struct{ Body Place }) (*backupsOutput, error) {
			all, err := s.o.Snapshots.Backups(ctx, in.Body.where())
			if err != nil {
				return nil, snapshotProblem(err)
			}
			out := &backupsOutput{}
			out.Body.Backups = NewBackups(all)
			return out, nil
		})
	huma.Register(api, operation(http.MethodPost, "/api/backups/verify", "verifyBackup", "Read a backup back and check all of it, as a job", accepted),
		func(_ context.Context, in *verifyBackupInput) (*jobOutput, error) {
			return newJobOutput(s.o.Snapshots.VerifyBackup(in.Body.Backup, in.Body.where()))
		})
}
