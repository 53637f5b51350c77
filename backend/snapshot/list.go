package snapshot

import (
	"context"

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
		out = append(out, newCreated(s))
	}
	return out, nil
}

// Location is where the file of a recorded snapshot lies.
func Location(s *store.Snapshot) string { return joinLocation(s.Place, s.Key) }

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
	b, err := m.openToList(&w)
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

// openToList opens a place. A folder that was typed must be there; that of a target
// comes with what is first written to it.
func (m *Manager) openToList(w *Where) (bucket.Bucket, error) {
	b, err := m.open(w)
	if err == nil && w.Name == "" {
		err = bucket.Missing(b)
	}
	return b, err
}

// Tasks are the snapshots that closed streams still wait for.
func (m *Manager) Tasks(ctx context.Context) ([]store.SnapshotTask, error) {
	return m.o.Store.SnapshotTasks(ctx)
}
