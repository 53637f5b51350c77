package snapshot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tailrace/backend/protocol"
	"tailrace/backend/snapshot/bucket"
	"tailrace/backend/store"
)

// Recorded returns the recorded snapshots of a stream, of all streams when path is
// empty, newest first.
func (m *Manager) Recorded(ctx context.Context, path string) ([]Created, error) {
	all, err := m.o.Store.Snapshots(ctx, path)
	if err != nil {
		return nil, err
	}
	out := make([]Created, 0, len(all))
	for _, s := range all {
		out = append(out, Created{Snapshot: s, Location: joinLocation(s.Place, s.Key)})
	}
	return out, nil
}

func joinLocation(place, key string) string {
	b, err := bucket.Open(bucket.Target{Location: place, Keys: &bucket.Keys{Access: "-", Secret: "-"}})
	if err != nil {
		return place + "/" + key // a place that could be recorded can be opened
	}
	return b.Location(key)
}

// File is a snapshot file that lies somewhere, recorded or not.
type File struct {
	bucket.Object
	Stream   string
	Location string
}

// Files returns the snapshots that lie at a place.
func (m *Manager) Files(ctx context.Context, w Where) ([]File, error) {
	b, err := m.open(&w)
	if err != nil {
		return nil, err
	}
	objects, err := b.List(ctx, root+"/")
	if err != nil {
		return nil, err
	}
	files := []File{}
	for _, o := range objects {
		if stream, ok := streamOf(o.Key); ok {
			files = append(files, File{Object: o, Stream: stream, Location: b.Location(o.Key)})
		}
	}
	return files, nil
}

// Tasks are the snapshots that closed streams still wait for.
func (m *Manager) Tasks(ctx context.Context) ([]store.SnapshotTask, error) {
	return m.o.Store.SnapshotTasks(ctx)
}

// PruneRequest says which recorded snapshots are kept; the others are deleted with
// their files.
type PruneRequest struct {
	Glob     string        // streams it is about; empty: all
	KeepLast int           // newest snapshots of each stream; at least 1
	KeepFor  time.Duration // and all that are younger; 0: no matter
	DryRun   bool
	Reach    Where // keys for buckets, when they are not the server's own
}

// Prune deletes old snapshots and returns those that it has deleted, or would.
func (m *Manager) Prune(ctx context.Context, r PruneRequest) ([]Created, error) {
	if r.KeepLast < 1 {
		return nil, &RequestError{errors.New("at least the newest snapshot of a stream is kept: keep_last must be 1 or more")}
	}
	all, err := m.Recorded(ctx, "")
	if err != nil {
		return nil, err
	}
	kept := map[string]int{}
	since := m.o.Now().Add(-r.KeepFor).UnixMilli()
	pruned := []Created{}
	for _, s := range all { // newest first
		if r.Glob != "" && !protocol.MatchGlob(r.Glob, s.Path) {
			continue
		}
		if s.InUse || kept[s.Path] < r.KeepLast || (r.KeepFor > 0 && s.CreatedAt >= since) {
			kept[s.Path]++
			continue
		}
		if !r.DryRun {
			if err := m.delete(ctx, &s.Snapshot, r.Reach.Place.Keys); err != nil {
				return pruned, err
			}
		}
		pruned = append(pruned, s)
	}
	return pruned, nil
}

// delete removes a snapshot: first the record, so that none is ever without a
// file.
func (m *Manager) delete(ctx context.Context, s *store.Snapshot, keys *bucket.Keys) error {
	w := m.reach(s, keys)
	b, err := m.open(&w)
	if err != nil {
		return err
	}
	if _, err := b.Stat(ctx, s.Key); err != nil && bucket.ProblemOf(err) != bucket.ProblemMissing {
		return err // it would stay behind
	}
	if err := m.o.Store.RemoveSnapshot(s.ID); err != nil {
		return err
	}
	if err := b.Delete(ctx, s.Key); err != nil {
		return fmt.Errorf("%s is not recorded any more, but could not be deleted: %w", b.Location(s.Key), err)
	}
	return nil
}
