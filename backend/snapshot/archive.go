package snapshot

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"tailrace/backend/protocol"
	"tailrace/backend/snapshot/bucket"
	"tailrace/backend/snapshot/segfile"
	"tailrace/backend/store"
)

const (
	// archiveBytes bounds what is kept of files that streams are read from.
	archiveBytes = 32 << 20
	// archiveLoads bounds the reads under way before read-ahead stops.
	archiveLoads = 8
	// aheadBytes is up to which size a segment is read before anybody wants it.
	aheadBytes = 4 << 20
	// coldTimeout is how long a reader waits for a place that does not answer.
	coldTimeout = 15 * time.Second
)

// archive reads streams that have left the log, a segment of a file at a time. Those
// who want the same segment share one read; the next one is fetched ahead.
type archive struct {
	m *Manager

	mu      sync.Mutex
	parts   map[partKey]*part
	used    *list.List // of *part, loaded ones, the latest first
	bytes   int
	loading int
	buckets map[bucket.Target]bucket.Bucket
}

// partKey names a segment of a file by its number, or its index by -1.
type partKey struct {
	snapshot int64
	number   int
}

// part is a piece of a file, in memory or on its way there.
type part struct {
	key    partKey
	loaded chan struct{}
	place  *list.Element // in used; nil: not loaded

	index  *segfile.Index
	sealed *store.Sealed
	err    error
}

func newArchive(m *Manager) *archive {
	return &archive{m: m, parts: map[partKey]*part{}, used: list.New(), buckets: map[bucket.Target]bucket.Bucket{}}
}

// Sealed implements [store.Archive].
func (a *archive) Sealed(ctx context.Context, c *store.Cold, at store.Place) (*store.Sealed, error) {
	s, err := a.find(ctx, c, at)
	if err != nil && ctx.Err() == nil {
		err = &store.ColdError{Location: joinLocation(c.Snapshot.Place, c.Snapshot.Key), Err: err}
	}
	return s, err
}

func (a *archive) find(ctx context.Context, c *store.Cold, at store.Place) (*store.Sealed, error) {
	f := coldFile{a, &c.Snapshot}
	p, err := a.get(ctx, partKey{c.Snapshot.ID, -1}, f.loadIndex)
	if err != nil {
		return nil, err
	}
	x, i := p.index, -1
	switch at.By {
	case store.ByPosition:
		i = x.AtPosition(at.At)
	case store.ByOrdinal:
		i = x.AtOrdinal(at.At)
	case store.ByTime:
		i = x.AtTime(at.At)
	}
	if i < 0 {
		return nil, &segfile.DamagedError{Reason: "it does not hold what was written to it"}
	}
	if p, err = a.get(ctx, partKey{c.Snapshot.ID, i}, f.loadSegment(x, i)); err != nil {
		return nil, err
	}
	if next := i + 1; at.By == store.ByPosition && next < len(x.Entries) && x.Entries[next].Start < c.End && x.Entries[next].Length <= aheadBytes {
		a.ahead(partKey{c.Snapshot.ID, next}, f.loadSegment(x, next))
	}
	return p.sealed, nil
}

type loader func(context.Context, *part) error

// get returns a part, which load loads if need be.
func (a *archive) get(ctx context.Context, key partKey, load loader) (*part, error) {
	a.mu.Lock()
	p, err := a.joinLocked(key, load)
	a.mu.Unlock()
	if err != nil {
		return nil, err
	}
	select {
	case <-p.loaded:
		return p, p.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ahead loads a part that will be wanted soon, unless there is enough to do.
func (a *archive) ahead(key partKey, load loader) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.parts[key] == nil && a.loading < archiveLoads {
		_, _ = a.joinLocked(key, load) // who wants it meets the same error
	}
}

// joinLocked returns a part that is loaded or being loaded.
func (a *archive) joinLocked(key partKey, load loader) (*part, error) {
	if p := a.parts[key]; p != nil {
		if p.place != nil {
			a.used.MoveToFront(p.place)
		}
		return p, nil
	}
	p := &part{key: key, loaded: make(chan struct{})}
	// Others wait for it, too: it does not end with one of them.
	err := a.m.spawn(func() {
		ctx, cancel := context.WithTimeoutCause(a.m.stop, coldTimeout, errSilent)
		defer cancel()
		err := load(ctx, p)
		if errors.Is(err, context.DeadlineExceeded) {
			err = errSilent
		}
		a.done(p, err)
	})
	if err == nil {
		a.parts[key] = p
		a.loading++
	}
	return p, err
}

var errSilent = fmt.Errorf("no answer within %s", coldTimeout)

// done tells those who wait, and lets go of what was used least recently.
func (a *archive) done(p *part, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer close(p.loaded)
	a.loading--
	if err != nil {
		p.err = err
		delete(a.parts, p.key) // the next one tries again
		return
	}
	p.place = a.used.PushFront(p)
	a.bytes += p.cost()
	for a.bytes > archiveBytes && a.used.Len() > 1 {
		oldest := a.used.Remove(a.used.Back()).(*part)
		delete(a.parts, oldest.key)
		a.bytes -= oldest.cost()
	}
}

func (p *part) cost() int {
	if p.index != nil {
		return 1024 + 48*len(p.index.Entries)
	}
	return p.sealed.Cost()
}

// coldFile is a file that a stream is read from.
type coldFile struct {
	a *archive
	s *store.Snapshot
}

// reader reads ranges of the file.
func (f coldFile) reader(ctx context.Context) (segfile.RangeReader, error) {
	b, err := f.a.bucket(f.s)
	return func(offset int64, length int) ([]byte, error) { return b.Range(ctx, f.s.Key, offset, length) }, err
}

func (f coldFile) loadIndex(ctx context.Context, p *part) error {
	read, err := f.reader(ctx)
	if err != nil {
		return err
	}
	x, err := segfile.ReadIndex(read, f.s.Size)
	if err != nil {
		return err
	}
	if h := &x.Header; h.Path != f.s.Path || h.TakenAt != f.s.CreatedAt || h.Incarnation != f.s.Incarnation || h.Start != f.s.Start || h.End != f.s.End {
		return &segfile.DamagedError{Reason: "it is another snapshot than the one that was written"}
	}
	x.Header.Producers = nil // not needed, and there may be many
	p.index = x
	return nil
}

func (f coldFile) loadSegment(x *segfile.Index, i int) loader {
	return func(ctx context.Context, p *part) error {
		read, err := f.reader(ctx)
		if err != nil {
			return err
		}
		batches, err := x.Segment(read, i)
		if err != nil {
			return err
		}
		p.sealed = store.Seal(x.Header.Kind(), batches)
		return nil
	}
}

// bucket opens the place of a snapshot once: clients keep their connections.
func (a *archive) bucket(s *store.Snapshot) (bucket.Bucket, error) {
	w := a.m.reach(s, nil)
	place := w.Place
	a.mu.Lock()
	b := a.buckets[place]
	a.mu.Unlock()
	if b != nil {
		return b, nil
	}
	b, err := a.m.open(&w) // may ask the keyring
	if err == nil {
		a.mu.Lock()
		a.buckets[place] = b
		a.mu.Unlock()
	}
	return b, err
}

// reach says how to reach the file of a recorded snapshot: as the configuration
// says, if it still has the target there, else as it was when the file was written.
func (m *Manager) reach(s *store.Snapshot, keys *bucket.Keys) Where {
	return Where{Place: reach(m.o.Targets, s, keys)}
}

func reach(targets map[string]bucket.Target, s *store.Snapshot, keys *bucket.Keys) bucket.Target {
	place := bucket.Target{Location: s.Place, Endpoint: s.Endpoint, Region: s.Region, PathStyle: s.PathStyle}
	if t, ok := targets[s.Target]; ok && sameLocation(t.Location, s.Place) {
		place = t
	}
	if keys != nil {
		place.Keys = keys
	}
	return place
}

// sameLocation reports whether two spellings name one place.
func sameLocation(a, b string) bool {
	if bucket.IsS3(a) {
		return strings.TrimRight(a, "/") == strings.TrimRight(b, "/")
	}
	return filepath.Clean(a) == filepath.Clean(b)
}

// spawn runs work in a goroutine that Close waits for.
func (m *Manager) spawn(work func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return protocol.ErrShuttingDown
	}
	m.running.Go(work)
	return nil
}
