package backend

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tailrace/backend/access"
	"tailrace/backend/activity"
	"tailrace/backend/config"
	"tailrace/backend/demo"
	"tailrace/backend/engine"
	"tailrace/backend/fault"
	"tailrace/backend/inspect"
	"tailrace/backend/journal"
	"tailrace/backend/lint"
	"tailrace/backend/metrics"
	"tailrace/backend/mirror"
	"tailrace/backend/protocol"
	"tailrace/backend/server"
	"tailrace/backend/snapshot"
	"tailrace/backend/store"
	"tailrace/backend/subscription"
	"tailrace/backend/update"
)

// Options of a backend.
type Options struct {
	// Config must be valid.
	Config config.Config
	// Version is what /api/info and / show.
	Version string
	// Assets is the built frontend with index.html at its root; nil: the
	// inspector says that there is none.
	Assets fs.FS
	// Window is that of this process; nil: there is none.
	Window inspect.Window
	// Volatile acknowledges without waiting for the disk, for data that goes with the
	// server (see [store.Options]).
	Volatile bool
	// Reload loads the configuration again, from its file or from what that would
	// hold, while the server runs; nil: it does not change. ConfigFile is the file,
	// which is watched; "": there is none.
	Reload     func(file []byte) (config.Loaded, error)
	ConfigFile string
	// LogLevel is turned when log_level changes; nil: nothing is.
	LogLevel *slog.LevelVar
	// Env looks up the variables that hold tokens of remotes; nil: those of the
	// process.
	Env func(string) string
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Log takes the logs; nil: slog.Default().
	Log *slog.Logger
}

// Backend is a running server.
type Backend struct {
	started time.Time
	lock    *lock
	store   *store.DB
	engine  *engine.Engine
	subs    *subscription.Manager
	snaps   *snapshot.Manager
	mirrors *mirror.Manager
	gate    *inspect.Gate
	// windows outlive the handlers, which are exchanged when settings change.
	windows *inspect.Windows
	recent  *activity.Recorder
	demo    *demo.Player
	update  *update.Checker // nil: nobody is asked
	faults  *fault.Set
	lint    *lint.Linter
	// demoToken lets the demo traffic in where tokens are wanted. It never leaves this
	// process, and no file.
	demoToken  string
	wantsToken atomic.Bool // the data listener has tokens now
	// journal remembers requests; it is off when the settings say so.
	journal *journal.Journal
	readers *server.Readers

	data, inspector *listener
	settings        *settings // nil: they do not change
	// cancel ends the waits of live readers.
	cancel  context.CancelFunc
	running sync.WaitGroup

	done    chan struct{} // closed when a listener has died by itself
	died    sync.Once
	failure error
}

// Open takes the lock on the data folder, opens the log, binds both listeners
// and serves. It fails with an *[AlreadyRunningError] when another process holds
// the folder. On a full disk it gives up some of what is held in reserve there.
func Open(o Options) (*Backend, error) {
	b, err := open(o)
	if err != nil && store.GiveRoom(o.Config.DataDir, err) {
		return open(o)
	}
	return b, err
}

func open(o Options) (_ *Backend, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	b := &Backend{started: o.Now(), done: make(chan struct{}), lint: new(lint.Linter), windows: inspect.NewWindows(o.Window)}
	b.journal = journal.New(journal.Options{Bytes: journalBytes(&o.Config), Observe: b.lint.Observe})
	base, cancel := context.WithCancel(context.Background())
	b.cancel = cancel
	defer func() {
		if err != nil {
			err = errors.Join(err, b.shutdown(base))
		}
	}()
	if b.lock, err = acquireLock(o.Config.DataDir); err != nil {
		return nil, folderError(o.Config.DataDir, err)
	}
	// Ports before the log: a taken one is the likelier failure.
	if b.data, err = listenData(&o); err != nil {
		return nil, err
	}
	if b.inspector, err = listenInspector(&o.Config); err != nil {
		return nil, err
	}
	if b.store, err = openStore(base, o); err != nil {
		return nil, folderError(o.Config.DataDir, err)
	}
	if b.engine, err = engine.Open(base, b.store, engine.Options{Now: o.Now, Log: o.Log}); err != nil {
		return nil, err
	}
	if b.snaps, err = b.openSnapshots(o); err != nil {
		return nil, err
	}
	if b.mirrors, err = b.openMirrors(o, false); err != nil {
		return nil, err
	}
	if b.subs, err = b.openSubscriptions(base, o); err != nil {
		return nil, err
	}
	b.recent = activity.Open(b.engine, b.store, o.Now)
	b.faults = fault.New(b.data.local(), o.Now)
	if address := o.Config.UpdateURL; address != "" {
		b.update = update.Open(address, o.Version, o.Now, o.Log)
	}
	b.demoToken = access.NewSecret()
	b.demo = demo.New(demo.Options{URL: b.DataURL(), Token: b.demoToken})
	if b.gate, err = inspect.OpenGate(o.Config.DataDir); err != nil {
		return nil, err
	}
	if err := b.handle(base, o); err != nil {
		return nil, err
	}
	b.serve(b.data)
	b.serve(b.inspector)
	err = b.lock.writeRun(RunFile{
		PID: os.Getpid(), DataURL: b.DataURL(), InspectorURL: b.InspectorURL(), Token: b.gate.Token(),
	})
	return b, err
}

// openStore opens the log. A damaged one is kept aside and a new one is begun: a
// server for development that does not start helps nobody, and nothing is lost
// that was not lost already.
func openStore(ctx context.Context, o Options) (*store.DB, error) {
	db, err := store.Open(ctx, o.Config.DataDir, store.Options{Volatile: o.Volatile, Log: o.Log})
	var damaged *store.DamagedError
	if !errors.As(err, &damaged) {
		return db, err
	}
	kept, asideErr := store.SetAside(o.Config.DataDir, o.Now())
	if asideErr != nil {
		return nil, errors.Join(err, asideErr)
	}
	o.Log.Error("the database was damaged; it is kept, and a new one was begun", "error", err, "kept", kept)
	return store.Open(ctx, o.Config.DataDir, store.Options{Volatile: o.Volatile, Log: o.Log})
}

func limits(c *config.Config) protocol.Limits {
	return protocol.Limits{
		BodyBytes:         c.MaxBodyBytes,
		PathBytes:         c.MaxPathBytes,
		HeaderValueBytes:  c.MaxHeaderValueBytes,
		QueryBytes:        c.MaxQueryBytes,
		MessagesPerAppend: c.MaxMessagesPerAppend,
		JSONDepth:         c.MaxJSONDepth,
	}
}

// handle makes the handlers of both listeners. When settings change, they are
// exchanged; requests under way end under the old ones.
func (b *Backend) handle(base context.Context, o Options) error {
	protocolServer := server.New(b.protocolOptions(&o))
	b.readers = protocolServer.Readers()
	var data, inspector handler
	data.use(protocolServer)
	b.wantsToken.Store(len(o.Config.Tokens) > 0)
	if o.Reload != nil {
		b.settings = &settings{load: o.Reload, file: o.ConfigFile, log: o.Log, started: o.Config}
	}
	page := inspect.New(b.inspectOptions(o))
	inspector.use(page)
	if b.settings != nil {
		b.settings.apply = func(c config.Config) {
			now := o
			now.Config = c
			b.journal.SetLimit(journalBytes(&c))
			b.wantsToken.Store(len(c.Tokens) > 0)
			data.use(protocolServer.With(b.protocolOptions(&now)))
			inspector.use(page.With(b.inspectOptions(now)))
			if o.LogLevel != nil {
				_ = o.LogLevel.UnmarshalText([]byte(c.LogLevel)) // validated before
			}
		}
		if err := b.settings.reload(nil); err != nil {
			return err
		}
	}
	if b.settings != nil && o.ConfigFile != "" {
		b.running.Go(func() { b.settings.follow(base) })
	}
	b.data.server = newDataServer(base, &data, protocolServer.Waits, o.Log)
	b.inspector.server = newServer(base, &inspector, o.Log)
	return nil
}

// handler is one that can be exchanged while it serves.
type handler struct{ now atomic.Pointer[http.Handler] }

func (h *handler) use(next http.Handler) { h.now.Store(&next) }

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	(*h.now.Load()).ServeHTTP(w, r)
}

func (b *Backend) protocolOptions(o *Options) server.Options {
	hosts := o.Config.Hosts
	host, anyAddress := o.Config.ListenHost()
	if host != "" {
		hosts = append(slices.Clone(hosts), host)
	}
	return server.Options{
		Engine:              b.engine,
		Subscriptions:       b.subs,
		Limits:              limits(&o.Config),
		LongPollTimeout:     o.Config.LongPollTimeout,
		SSEMaxAge:           o.Config.SSEMaxAge,
		BodyTimeout:         o.Config.BodyTimeout,
		MaxReaders:          o.Config.MaxLiveReaders,
		MaxReadersPerClient: o.Config.MaxLiveReadersPerClient,
		Journal:             b.journal,
		Faults:              b.faults,
		Metrics:             metrics.Handler(b.engine, b.store),
		CacheControl:        o.Config.CacheControl,
		CORSOrigins:         o.Config.CORSOrigins,
		Hosts:               hosts,
		AnyAddress:          anyAddress,
		Tokens:              b.tokens(o.Config.Tokens),
		Version:             o.Version,
		Now:                 o.Now,
		Log:                 o.Log,
	}
}

// tokens are those of the configuration and, where there are any, that of the demo
// traffic.
func (b *Backend) tokens(configured []access.Token) []access.Token {
	if len(configured) == 0 {
		return nil
	}
	own := access.Token{Name: "demo", Level: access.Full, Hash: access.HashOf(b.demoToken)}
	return append(slices.Clone(configured), own)
}

func (b *Backend) inspectOptions(o Options) inspect.Options {
	l := limits(&o.Config)
	options := inspect.Options{
		Engine:        b.engine,
		Store:         b.store,
		Subscriptions: b.subs,
		Snapshots:     b.snaps,
		Mirrors:       b.mirrors,
		Limits:        l,
		Activity:      b.recent,
		Demo:          b.demo,
		Faults:        b.faults,
		Lint:          b.lint,
		Journal:       b.journal,
		Readers:       b.readers,
		WantsToken:    b.wantsToken.Load,
		Gate:          b.gate,
		Info: inspect.Info{
			Version:      o.Version,
			DataURL:      b.DataURL(),
			DataTLSURL:   b.dataTLS(),
			InspectorURL: b.InspectorURL(),
			DataDir:      o.Config.DataDir,
			PID:          os.Getpid(),
			StartedAt:    b.started.UnixMilli(),
			Desktop:      o.Window != nil,
			Limits:       inspect.Limits{MaxBodyBytes: l.BodyBytes, MaxPathBytes: l.PathBytes},
		},
		Assets:  o.Assets,
		Hosts:   o.Config.Hosts,
		Windows: b.windows,
		Update:  b.update,
		Now:     o.Now,
		Log:     o.Log,
	}
	if b.settings != nil {
		options.Settings = b.settings
	}
	return options
}

// DataURL is the root of the data listener, with the port it really has.
func (b *Backend) DataURL() string { return b.data.url("http") }

// DataTLSURL is the root of the data listener over TLS; "": it has none.
func (b *Backend) DataTLSURL() string {
	if !b.data.tls {
		return ""
	}
	return b.data.url("https")
}

func (b *Backend) dataTLS() *string {
	if url := b.DataTLSURL(); url != "" {
		return &url
	}
	return nil
}

// InspectorURL is the root of the inspector listener.
func (b *Backend) InspectorURL() string { return b.inspector.url("http") }

// InspectorLink opens the inspector once.
func (b *Backend) InspectorLink() string {
	return b.InspectorURL() + "/#code=" + b.gate.NewCode()
}

// Readers is how many live readers have a connection to the data listener.
func (b *Backend) Readers() int64 { return b.engine.Totals().Readers.Load() }

// Done is closed when a listener has stopped by itself; Err then says why.
func (b *Backend) Done() <-chan struct{} { return b.done }

// Err is why a listener has stopped by itself, nil while none has.
func (b *Backend) Err() error {
	select {
	case <-b.done:
		return b.failure
	default:
		return nil
	}
}

// Close ends live readers, lets requests under way finish until ctx ends, and
// closes the log. Everything acknowledged is on disk before and after.
func (b *Backend) Close(ctx context.Context) error { return b.shutdown(ctx) }

// shutdown closes what is open, in the order in which requests flow.
func (b *Backend) shutdown(ctx context.Context) error {
	var errs []error
	if b.lock != nil {
		errs = append(errs, b.lock.removeRun()) // nobody shall ask us for anything any more
	}
	if b.demo != nil {
		b.demo.Close()
	}
	if b.update != nil {
		b.update.Close()
	}
	b.cancel()
	for _, l := range []*listener{b.data, b.inspector} {
		if l != nil {
			errs = append(errs, l.close(ctx))
		}
	}
	b.running.Wait()
	if b.lint != nil {
		b.lint.Close()
	}
	if b.recent != nil {
		b.recent.Close()
	}
	if b.subs != nil {
		b.subs.Close()
	}
	if b.mirrors != nil {
		b.mirrors.Close()
	}
	if b.snaps != nil {
		b.snaps.Close()
	}
	if b.engine != nil {
		b.engine.Close()
	}
	if b.store != nil {
		errs = append(errs, b.store.Close())
	}
	if b.lock != nil {
		errs = append(errs, b.lock.release())
	}
	return errors.Join(errs...)
}

// serve runs a listener's server until it is closed.
func (b *Backend) serve(l *listener) {
	b.running.Go(func() {
		if err := l.server.Serve(l.Listener); !errors.Is(err, http.ErrServerClosed) {
			b.died.Do(func() {
				b.failure = fmt.Errorf("the listener on %s stopped: %w", l.Addr(), err)
				close(b.done)
			})
		}
	})
}
