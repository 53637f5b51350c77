package snapshot

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tailrace/backend/engine"
	"tailrace/backend/live"
	"tailrace/backend/protocol"
	"tailrace/backend/snapshot/bucket"
	"tailrace/backend/store"
)

// Options of a manager.
type Options struct {
	Store  *store.DB
	Engine *engine.Engine
	// Targets are those of the configuration, by name.
	Targets map[string]bucket.Target
	// OnClose says which streams go where when they are closed.
	OnClose []Rule
	// Rules say what else the manager does by itself; it looks every UpkeepEvery, by
	// default every minute.
	Rules       Rules
	UpkeepEvery time.Duration
	// Config is the configuration file as backups keep it; nil: there is none.
	Config func() []byte
	// Program is noted in files; Now is the clock; Log takes what nobody waits for.
	Program string
	Now     func() time.Time
	Log     *slog.Logger
}

// Rule names the target of the streams that a glob matches.
type Rule struct{ Glob, Target string }

// Manager does all work with snapshots.
type Manager struct {
	o       Options
	stop    context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	wake    chan struct{} // tasks may be there
	slots   chan struct{} // jobs that may run at a time

	lastID atomic.Int64 // of a job
	found  live.Topic[findings]

	mu     sync.Mutex
	jobs   []*Job // oldest first
	latest time.Time
	closed bool
}

// jobsAtOnce bounds how many jobs read and write at a time.
const jobsAtOnce = 2

// Open starts a manager. It must be called before the engine takes requests.
func Open(o Options) (*Manager, error) {
	m := &Manager{o: o, wake: make(chan struct{}, 1), slots: make(chan struct{}, jobsAtOnce)}
	m.stop, m.cancel = context.WithCancel(context.Background())
	if err := m.remember(); err != nil {
		m.cancel()
		return nil, err
	}
	m.found.Publish(findings{})
	o.Store.SetArchive(newArchive(m))
	if len(o.OnClose) > 0 {
		o.Store.SnapshotOnClose(m.targetsOnClose, m.wakeUp)
	}
	m.running.Go(m.runTasks)
	m.running.Go(m.runUpkeep)
	m.running.Go(m.runWatch)
	return m, nil
}

// Close cancels what runs and waits for its end.
func (m *Manager) Close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.cancel()
	m.running.Wait()
}

// targetsOnClose names the targets of a stream that is being closed, each once.
func (m *Manager) targetsOnClose(path string) (targets []string) {
	seen := map[string]bool{}
	for _, r := range m.o.OnClose {
		if !seen[r.Target] && protocol.MatchGlob(r.Glob, path) {
			seen[r.Target] = true
			targets = append(targets, r.Target)
		}
	}
	return targets
}

func (m *Manager) wakeUp() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Targets are the configured targets, by name.
func (m *Manager) Targets() map[string]bucket.Target { return m.o.Targets }

// Where says where a snapshot goes or lies: a target of the configuration, or a
// place of its own.
type Where struct {
	Name  string // in the configuration; empty: Place counts
	Place bucket.Target
}

// UnknownTargetError: the configuration has no such target.
type UnknownTargetError struct{ Name string }

func (e *UnknownTargetError) Error() string {
	return fmt.Sprintf("the configuration has no target %q; targets lists them", e.Name)
}

// open opens a place, and fills in what its name stands for.
func (m *Manager) open(w *Where) (bucket.Bucket, error) {
	if w.Name != "" {
		t, ok := m.o.Targets[w.Name]
		if !ok {
			return nil, &UnknownTargetError{w.Name}
		}
		w.Place = t
	}
	if !bucket.IsS3(w.Place.Location) && !filepath.IsAbs(w.Place.Location) {
		return nil, &RequestError{fmt.Errorf("%q is neither an absolute path nor s3://bucket/prefix", w.Place.Location)}
	}
	b, err := bucket.Open(w.Place)
	if err != nil && bucket.ProblemOf(err) == "" {
		err = &RequestError{err}
	}
	return b, err
}

// about says what an error is about, unless it does so itself.
func about(location string, err error) error {
	if strings.HasPrefix(err.Error(), location) {
		return err
	}
	return fmt.Errorf("%s: %w", location, err)
}

// RequestError: what was asked for cannot be right.
type RequestError struct{ Err error }

func (e *RequestError) Error() string { return e.Err.Error() }
func (e *RequestError) Unwrap() error { return e.Err }

// Test tries whether a place takes files, gives them back and deletes them.
func (m *Manager) Test(ctx context.Context, w Where) error {
	b, err := m.open(&w)
	if err != nil {
		return err
	}
	return b.Test(ctx)
}

// root is the first segment of all keys.
const root = "stream"

// nameBytes is how long file systems let the name of a folder be.
const nameBytes = 255

// folderOf is where the snapshots of a stream lie within a place. Long paths have
// several folders, one in the other.
func folderOf(stream string) string {
	folder, name := root, base64.RawURLEncoding.EncodeToString([]byte(stream))
	for len(name) > nameBytes {
		folder, name = folder+"/"+name[:nameBytes], name[nameBytes:]
	}
	return folder + "/" + name
}

func keyOf(stream string, at time.Time) string {
	return path.Join(folderOf(stream), fmt.Sprintf("snapshot-%d.seg", at.UnixMilli()))
}

// streamOf is the stream that a key is about; false: it is not of ours.
func streamOf(key string) (string, bool) {
	parts := strings.Split(key, "/")
	n := len(parts) - 3
	for n > 0 && len(parts[n]) == nameBytes {
		n--
	}
	if n < 0 || parts[n] != root || (!strings.HasSuffix(key, ".seg") && !strings.HasSuffix(key, manifestSuffix)) {
		return "", false
	}
	name, err := base64.RawURLEncoding.DecodeString(strings.Join(parts[n+1:len(parts)-1], ""))
	return string(name), err == nil
}

// errStopped is why jobs end that Close cancels, or that a crash has ended.
var errStopped = errors.New("the server was stopped before it was done")
