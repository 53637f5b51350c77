package snapshot

import (
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"tailrace/backend/protocol"
	"tailrace/backend/snapshot/bucket"
	"tailrace/backend/snapshot/segfile"
)

const (
	// settleTime is how long a folder has to be quiet before it is looked at: files
	// grow while they are copied.
	settleTime = 300 * time.Millisecond
	// lookEvery is how often folders are looked at without a sign: they may have come
	// meanwhile, or not be watchable.
	lookEvery = time.Minute
)

// Found is a file in a folder of the configuration that has a snapshot's name and
// that the log does not know.
type Found struct {
	Target   string
	Location string // of a whole file, or of a manifest
	Stream   string
	Problem  string // why nothing can be restored from it, or not yet; it has no Stream then
	Size     int64
	Modified time.Time
	Taken    bool // there is a stream at the path

	place, key string
}

// findings is what lies in the watched folders. It is immutable.
type findings struct {
	revision int64
	all      []Found
}

// Findings are snapshots that the log does not know, and a number that is another
// one whenever something has come or gone.
type Findings struct {
	Revision int64
	Files    []Found
}

// Found returns what lies in the folders of the configuration and is not recorded.
// When nothing has changed since a revision, it waits for a change until ctx ends.
func (m *Manager) Found(ctx context.Context, wait time.Duration, seen int64) (*Findings, error) {
	v := m.found.Current()
	if v.Value.revision == seen && wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-v.Superseded():
			v = m.found.Current()
		case <-timer.C:
		case <-ctx.Done():
		case <-m.stop.Done():
		}
	}
	recorded, err := m.o.Store.Snapshots(ctx, "")
	if err != nil {
		return nil, err
	}
	type file struct{ place, key string }
	known := map[file]bool{}
	for _, s := range recorded {
		known[file{s.Place, s.Key}], known[file{s.Place, s.Manifest}] = true, true
	}
	out := &Findings{Revision: v.Value.revision, Files: []Found{}}
	for _, f := range v.Value.all {
		if known[file{f.place, f.key}] {
			continue
		}
		if f.Stream != "" {
			_, _, err := m.o.Store.Load(ctx, f.Stream)
			f.Taken = err == nil
		}
		out.Files = append(out.Files, f)
	}
	return out, nil
}

// looked is a file as it was when it was last looked into.
type looked struct {
	size            int64
	modified        time.Time
	stream, problem string // both empty: only a part of a snapshot, for a manifest to name
}

// watch keeps the findings up to date until the manager is closed.
type watch struct {
	m       *Manager
	fs      *fsnotify.Watcher // nil: nothing can be watched
	folders map[string]string // by target
	files   map[string]looked // by location
}

func (m *Manager) runWatch() {
	w := &watch{m: m, folders: map[string]string{}, files: map[string]looked{}}
	for name, t := range m.o.Targets {
		if !bucket.IsS3(t.Location) {
			w.folders[name] = t.Location
		}
	}
	if len(w.folders) == 0 {
		return
	}
	var events chan fsnotify.Event
	var failures chan error
	var err error
	if w.fs, err = fsnotify.NewWatcher(); err != nil {
		m.o.Log.Warn("folders of snapshots are not watched, but looked at every minute", "error", err)
	} else {
		defer func() { _ = w.fs.Close() }() // it holds nothing but watches
		events, failures = w.fs.Events, w.fs.Errors
	}
	for {
		next := lookEvery
		if growing := w.look(); growing {
			next = settleTime
		}
		timer := time.NewTimer(next)
		for waiting := true; waiting; {
			select {
			case <-events:
				timer.Reset(settleTime)
			case err := <-failures: // such as too many events: look at all
				m.o.Log.Debug("a watched folder is looked at anew", "error", err)
				timer.Reset(settleTime)
			case <-timer.C:
				waiting = false
			case <-m.stop.Done():
				timer.Stop()
				return
			}
		}
	}
}

// look reads the folders, and publishes what is there when it is something else.
// It reports whether a file seems to be still growing: that is no finding yet.
func (w *watch) look() (growing bool) {
	before := w.m.found.Current().Value
	now := findings{revision: before.revision + 1}
	files := map[string]looked{}
	for name, folder := range w.folders {
		w.watchFolders(folder)
		b, err := bucket.Open(bucket.Target{Location: folder})
		if err != nil {
			continue
		}
		objects, err := b.List(w.m.stop, "")
		if err != nil {
			w.m.complain("a folder of snapshots cannot be read", err, "target", name)
			continue
		}
		for _, o := range objects {
			if !strings.HasSuffix(o.Key, ".seg") && !strings.HasSuffix(o.Key, manifestSuffix) {
				continue
			}
			at := b.Location(o.Key)
			l := w.files[at]
			if l.size != o.Size || !l.modified.Equal(o.Modified) {
				l = looked{size: o.Size, modified: o.Modified}
				stream, err := lookInto(w.m.stop, b, &o)
				if age := time.Since(o.Modified); err != nil && 0 <= age && age < settleTime {
					growing = true
					continue
				}
				if l.stream = stream; err != nil && namedSnapshot(o.Key) {
					l.problem = err.Error()
				}
			}
			files[at] = l
			if l.stream != "" || l.problem != "" {
				now.all = append(now.all, Found{
					Target: name, Location: at, Stream: l.stream, Problem: l.problem, Size: l.size, Modified: l.modified,
					place: placeOf(b), key: o.Key,
				})
			}
		}
	}
	changed := len(files) != len(w.files)
	for at, l := range files {
		changed = changed || w.files[at] != l
	}
	if w.files = files; changed && w.m.stop.Err() == nil {
		w.m.found.Publish(now)
	}
	return growing
}

// watchFolders has changes in a folder, and in those in which files of snapshots
// lie, reported.
func (w *watch) watchFolders(folder string) {
	if w.fs == nil {
		return
	}
	below, _ := filepath.Glob(filepath.Join(folder, root, "*")) // the pattern is sound, or the folder is looked at every minute
	for i := 0; i < len(below); i++ {
		if len(filepath.Base(below[i])) == nameBytes { // the path goes on in another one
			deeper, _ := filepath.Glob(filepath.Join(below[i], "*"))
			below = append(below, deeper...)
		}
	}
	for _, dir := range append([]string{folder, filepath.Join(folder, root)}, below...) {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			_ = w.fs.Add(dir) // else it is looked at every minute
		}
	}
}

// lookInto returns the stream that a file can restore; "": it is only a part.
func lookInto(ctx context.Context, b bucket.Bucket, o *bucket.Object) (string, error) {
	read := func(offset int64, length int) ([]byte, error) { return b.Range(ctx, o.Key, offset, length) }
	var of string
	if strings.HasSuffix(o.Key, manifestSuffix) {
		if o.Size > segfile.MaxManifest {
			return "", errors.New("it is too large for a manifest")
		}
		file, err := read(0, int(o.Size))
		if err != nil {
			return "", err
		}
		m, err := segfile.DecodeManifest(file)
		if err != nil {
			return "", err
		}
		of = m.Path
	} else {
		x, err := segfile.ReadIndex(read, o.Size)
		if err != nil {
			return "", err // it is still being copied, damaged, or something else
		}
		if x.Header.Start != 0 {
			return "", nil
		}
		of = x.Header.Path
	}
	if err := protocol.CheckPath(of, protocol.Limits{PathBytes: 1 << 16}); err != nil {
		return "", err
	}
	return of, nil
}

// namedSnapshot reports whether a file claims to be a snapshot: others may have
// their JSON in the same folder.
func namedSnapshot(key string) bool {
	return strings.HasSuffix(key, ".seg") || strings.HasPrefix(path.Base(key), "snapshot-")
}
