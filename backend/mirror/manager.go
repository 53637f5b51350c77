package mirror

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"tailrace/backend/engine"
	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// Options of a manager. Store and Engine are required.
type Options struct {
	Store  *store.DB
	Engine *engine.Engine
	// Remotes are those of the configuration, by name.
	Remotes map[string]Remote
	// Configured are the mirrors of the configuration.
	Configured []Request
	// Own is where this server itself listens; nil: nowhere.
	Own *net.TCPAddr
	// Idle leaves all mirrors alone that nobody starts by name: the data folder is not
	// served.
	Idle bool
	// Env looks up variables; nil: those of the process.
	Env func(string) string
	// Backoff is how long to wait before something that failed is tried a second time;
	// 0: a quarter of a second.
	Backoff time.Duration
	Now     func() time.Time
	Log     *slog.Logger
}

// Remote is another server.
type Remote struct {
	URL        string // its stream root
	TokenEnv   string // variable that holds a bearer token; "": none
	HeaderFile string // file with headers; "": none
	Insecure   bool   // plain HTTP to another machine is allowed
}

// Manager holds all mirrors.
type Manager struct {
	o        Options
	ctx      context.Context
	cancel   context.CancelFunc
	working  sync.WaitGroup
	revision atomic.Uint64
	// admin lets in one who changes mirrors at a time.
	admin chan struct{}

	mu      sync.Mutex
	mirrors map[string]*mirror
}

// mirror is one mirror and its run, if it is at work.
type mirror struct {
	def   store.Mirror
	token string
	// failure is why it cannot work; "": nothing is wrong.
	failure string
	once    Once
	run     *run
	stop    context.CancelFunc // nil: it does not work
	ended   chan struct{}      // closed when it has stopped
}

// Once is what has become of a run that was to end.
type Once string

// Outcomes of such runs.
const (
	OnceNever    Once = ""
	OnceRunning  Once = "running"
	OnceComplete Once = "complete"
	OnceFailed   Once = "incomplete"
)

// Open loads what is stored and starts the mirrors that are not paused.
func Open(o Options) (*Manager, error) {
	if o.Env == nil {
		o.Env = os.Getenv
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Backoff == 0 {
		o.Backoff = 250 * time.Millisecond
	}
	m := &Manager{o: o, mirrors: map[string]*mirror{}, admin: make(chan struct{}, 1)}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	defs, err := o.Store.Mirrors(m.ctx)
	if err != nil {
		return nil, err
	}
	for _, def := range defs {
		m.mirrors[def.Name] = &mirror{def: def}
	}
	if !o.Idle {
		if err := m.configure(); err != nil {
			return nil, err
		}
	}
	for _, mi := range m.mirrors {
		if mi.run, err = m.load(&mi.def); err != nil {
			return nil, err
		}
		m.changed()
	}
	for _, mi := range m.mirrors {
		if !o.Idle && !mi.def.Paused && mi.failure == "" {
			m.start(mi, false, false)
		}
	}
	return m, nil
}

// configure brings the stored mirrors in line with the configuration. One that has
// been taken out of it stays, paused, with its positions.
func (m *Manager) configure() error {
	wanted := map[string]bool{}
	for _, r := range m.o.Configured {
		wanted[r.Name] = true
		mi := m.mirrors[r.Name]
		if mi == nil {
			mi = &mirror{def: m.define(&r)}
		} else if !means(&mi.def, &r) {
			mi.failure = "the configuration has another mirror of this name: rename it there, or remove this one (tailrace mirror remove)"
			continue
		}
		if mi.def.ID != 0 && mi.def.Configured && mi.def.Glob == r.Glob {
			continue
		}
		if err := m.change(mi, func(def *store.Mirror) { def.Configured, def.Glob = true, r.Glob }); err != nil {
			return err
		}
	}
	for _, mi := range m.mirrors {
		if mi.def.Configured && !wanted[mi.def.Name] {
			if err := m.change(mi, func(def *store.Mirror) { def.Configured, def.Paused = false, true }); err != nil {
				return err
			}
		}
	}
	return nil
}

// define is the mirror that a request asks for.
func (m *Manager) define(r *Request) store.Mirror {
	def := store.Mirror{
		Name: r.Name, Direction: r.Direction, Glob: r.Glob, Remote: r.Remote.URL,
		TokenEnv: r.Remote.TokenEnv, HeaderFile: r.Remote.HeaderFile, Insecure: r.Remote.Insecure,
		CreatedAt: m.o.Now().UnixMilli(), Producer: "tailrace-mirror-" + randomText(),
	}
	if r.Known != "" {
		def.Remote = r.Known
	}
	return def
}

func randomText() string {
	b := make([]byte, 8)
	rand.Read(b) //nolint:errcheck // it never fails
	return hex.EncodeToString(b)
}

// means reports whether a stored mirror is the one that a request means: positions
// count for one remote and direction only.
func means(def *store.Mirror, r *Request) bool {
	return def.Direction == r.Direction && def.Remote == cmp.Or(r.Known, r.Remote.URL)
}

// Close ends all mirrors. What was in flight is sent once more by the next start.
// Whoever changes mirrors from then on gets [protocol.ErrShuttingDown].
func (m *Manager) Close() {
	m.admin <- struct{}{} // nobody sets one to work beside this
	m.cancel()
	<-m.admin
	m.working.Wait()
}

// Remotes are those of the configuration, by name.
func (m *Manager) Remotes() map[string]Remote { return m.o.Remotes }

func (m *Manager) changed() { m.revision.Add(1) }

// Revision is another number whenever something has changed.
func (m *Manager) Revision() uint64 { return m.revision.Load() }

// exclusively runs f while nobody else changes mirrors.
func (m *Manager) exclusively(ctx context.Context, f func() error) error {
	select {
	case m.admin <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-m.admin }()
	if m.ctx.Err() != nil {
		return protocol.ErrShuttingDown
	}
	return f()
}

func (m *Manager) find(name string) (*mirror, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if mi := m.mirrors[name]; mi != nil {
		return mi, nil
	}
	return nil, &NotFoundError{name}
}

// Add makes a mirror, or continues the one of that name that has the same remote.
func (m *Manager) Add(ctx context.Context, r Request) (sight Sight, err error) {
	if err := m.check(&r); err != nil {
		return sight, err
	}
	err = m.exclusively(ctx, func() error {
		mi, err := m.find(r.Name)
		if err != nil {
			mi = &mirror{def: m.define(&r)}
		} else if !means(&mi.def, &r) || mi.def.Glob != r.Glob {
			return &TakenError{r.Name}
		}
		m.halt(mi)
		err = m.change(mi, func(def *store.Mirror) {
			def.TokenEnv, def.HeaderFile, def.Insecure = r.Remote.TokenEnv, r.Remote.HeaderFile, r.Remote.Insecure
			// One that was to end once does not begin again by itself.
			def.Paused = r.Once && (def.ID == 0 || def.Paused)
		})
		if err != nil {
			return err
		}
		m.mu.Lock()
		mi.token = r.Token // with the rest of the header: who names none means none
		m.mu.Unlock()
		if err := m.revive(mi); err != nil {
			return err
		}
		m.start(mi, r.Once, true)
		return nil
	})
	if err != nil {
		return sight, err
	}
	return m.Look(r.Name)
}

// Pause stops a mirror; its positions stay.
func (m *Manager) Pause(ctx context.Context, name string) error {
	return m.exclusively(ctx, func() error {
		mi, err := m.find(name)
		if err != nil {
			return err
		}
		m.halt(mi)
		return m.change(mi, func(def *store.Mirror) { def.Paused = true })
	})
}

// Resume has a mirror go on, also with the streams that were stopped.
func (m *Manager) Resume(ctx context.Context, name string) error {
	return m.exclusively(ctx, func() error {
		mi, err := m.find(name)
		if err != nil {
			return err
		}
		m.halt(mi)
		if err := m.change(mi, func(def *store.Mirror) { def.Paused = false }); err != nil {
			return err
		}
		if err := m.revive(mi); err != nil {
			return err
		}
		if !m.o.Idle {
			m.start(mi, false, true)
		}
		return nil
	})
}

// revive has the streams that were stopped tried again.
func (m *Manager) revive(mi *mirror) error {
	rows, err := m.o.Store.MirrorStreams(m.ctx, mi.def.ID)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if row.State == store.MirrorStopped || row.State == store.MirrorSourceDeleted {
			row.State = store.MirrorAgain
			if err := m.o.Store.SaveMirrorStream(&row); err != nil {
				return err
			}
		}
	}
	r, err := m.load(&mi.def)
	m.mu.Lock()
	mi.run, mi.failure = r, ""
	m.mu.Unlock()
	m.changed()
	return err
}

// change stores another definition of a mirror, and then shows it.
func (m *Manager) change(mi *mirror, f func(*store.Mirror)) error {
	def := mi.def
	f(&def)
	if err := m.o.Store.SaveMirror(&def); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	mi.def = def
	m.mirrors[def.Name] = mi
	m.changed()
	return nil
}

// Remove forgets a mirror; the copies stay as they are.
func (m *Manager) Remove(ctx context.Context, name string) error {
	return m.exclusively(ctx, func() error {
		mi, err := m.find(name)
		if err != nil {
			return err
		}
		if mi.def.Configured && !m.o.Idle {
			return &RequestError{fmt.Sprintf("the mirror %q stands in the configuration: take it out there first", name)}
		}
		m.halt(mi)
		m.mu.Lock()
		delete(m.mirrors, name)
		m.mu.Unlock()
		m.changed()
		return m.o.Store.RemoveMirror(&mi.def)
	})
}
