package snapshot

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"tailrace/backend/snapshot/backup"
	"tailrace/backend/snapshot/bucket"
	"tailrace/backend/store"
)

// Backup writes the whole log to a place, as a job whose result is a
// *[backup.Backup].
func (m *Manager) Backup(to Where) (*Job, error) {
	b, err := m.open(&to)
	if err != nil {
		return nil, err
	}
	if inside(m.o.Store.Dir(), to.Place.Location) {
		return nil, &RequestError{fmt.Errorf("%s is in the data folder, and would be lost with it; name a place elsewhere", to.Place.Location)}
	}
	return m.start(KindBackup, placeOf(b), to, func(ctx context.Context, j *Job) (any, error) {
		o := backup.Options{
			Store: m.o.Store, To: b, At: m.moment(), Program: m.o.Program, Progress: backup.Progress{Bytes: &j.bytes, Total: &j.total},
		}
		if m.o.Config != nil {
			o.Config = m.o.Config()
		}
		made, err := backup.Create(ctx, &o)
		if err != nil {
			return nil, fmt.Errorf("backup to %s: %w", placeOf(b), err)
		}
		return made, nil
	})
}

// inside reports whether a place is a folder, or a folder in it.
func inside(dir, place string) bool {
	if bucket.IsS3(place) {
		return false
	}
	real := func(path string) string {
		if resolved, err := filepath.EvalSymlinks(path); err == nil {
			return resolved
		}
		return path // it is not there yet
	}
	rel, err := filepath.Rel(real(dir), real(place))
	return err == nil && filepath.IsLocal(rel)
}

// Backups lists the backups at a place, newest first.
func (m *Manager) Backups(ctx context.Context, at Where) ([]backup.Listed, error) {
	b, err := m.openToList(&at)
	if err != nil {
		return nil, err
	}
	return backup.List(ctx, b)
}

// backupRequest is what a verification was asked for.
type backupRequest struct {
	Location string
	From     Where
}

// VerifyBackup reads a backup back and checks all of it, as a job whose result is a
// *[backup.Verified].
func (m *Manager) VerifyBackup(location string, from Where) (*Job, error) {
	t, err := BackupTarget(m.o.Targets, location, from)
	if err != nil {
		return nil, err
	}
	b, err := m.open(&Where{Place: t})
	if err != nil {
		return nil, err
	}
	// As List names it.
	at := strings.TrimRight(b.Location(""), "/")
	return m.start(KindVerifyBackup, at, backupRequest{location, from}, func(ctx context.Context, j *Job) (any, error) {
		v, err := backup.Verify(ctx, b, ReachCold(m.o.Targets, from.Place.Keys), backup.Progress{Bytes: &j.bytes, Total: &j.total})
		if err != nil {
			return nil, about(at, err)
		}
		return v, nil
	})
}

// BackupTarget says how to reach a backup: one that is named by its location, or by
// where it lies within a target of the configuration.
func BackupTarget(targets map[string]bucket.Target, location string, from Where) (bucket.Target, error) {
	location = backup.Trim(location)
	if from.Name == "" {
		from.Place.Location = location
		return from.Place, nil
	}
	t, ok := targets[from.Name]
	if !ok {
		return t, &UnknownTargetError{from.Name}
	}
	if from.Place.Keys != nil {
		t.Keys = from.Place.Keys
	}
	if location != "" {
		t.Location = strings.TrimRight(t.Location, "/") + "/" + location
	}
	return t, nil
}

// ReachCold opens the places of files that compacted streams are read from.
func ReachCold(targets map[string]bucket.Target, keys *bucket.Keys) backup.Reach {
	return func(c *backup.Cold) (bucket.Bucket, error) {
		s := store.Snapshot{Place: c.Place, Endpoint: c.Endpoint, Region: c.Region, PathStyle: c.PathStyle, Target: c.Target}
		return bucket.Open(reach(targets, &s, keys))
	}
}
