package backend

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"tailrace/backend/engine"
	"tailrace/backend/inspect"
	"tailrace/backend/store"
)

// Offline is a data folder that is used without serving it: nothing listens, no
// webhooks are sent. Its inspector API answers through [Offline.Client].
type Offline struct {
	b       *Backend
	pipe    *pipeListener
	server  *http.Server
	running sync.WaitGroup
}

// ErrNoLog: there is no log in a data folder, and none is to be made.
var ErrNoLog = errors.New("there is no log in the data folder")

// OpenOffline takes the lock on a data folder and opens its log, which it makes where
// there is none if create says so, and else fails with [ErrNoLog]. A damaged one stays
// as it is, and is a *[store.DamagedError]. It fails with an *[AlreadyRunningError]
// when a server holds the folder.
func OpenOffline(o Options, create bool) (_ *Offline, err error) {
	// A server that is just starting has the lock before it has a log.
	if !create && !exists(o.Config.DataDir, store.FileName) && !exists(o.Config.DataDir, LockFileName) {
		return nil, ErrNoLog
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	base, cancel := context.WithCancel(context.Background())
	f := &Offline{b: &Backend{cancel: cancel}, pipe: newPipeListener()}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.b.shutdown(base))
		}
	}()
	b := f.b
	if b.lock, err = acquireLock(o.Config.DataDir); err != nil {
		return nil, folderError(o.Config.DataDir, err)
	}
	if !create && !exists(o.Config.DataDir, store.FileName) {
		return nil, ErrNoLog
	}
	if b.store, err = store.Open(base, o.Config.DataDir, store.Options{Volatile: o.Volatile, Log: o.Log}); err != nil {
		return nil, folderError(o.Config.DataDir, err)
	}
	if b.engine, err = engine.Open(base, b.store, engine.Options{Now: o.Now, Log: o.Log}); err != nil {
		return nil, err
	}
	if b.snaps, err = b.openSnapshots(o); err != nil {
		return nil, err
	}
	if b.mirrors, err = b.openMirrors(o, true); err != nil {
		return nil, err
	}
	if b.gate, err = inspect.OpenGate(o.Config.DataDir); err != nil {
		return nil, err
	}
	f.server = newServer(base, inspect.New(inspect.Options{
		Engine: b.engine, Store: b.store, Snapshots: b.snaps, Mirrors: b.mirrors, Limits: limits(&o.Config), Gate: b.gate,
		Info: inspect.Info{Version: o.Version, DataDir: o.Config.DataDir, PID: os.Getpid(), StartedAt: o.Now().UnixMilli()},
		Now:  o.Now, Log: o.Log,
	}), o.Log)
	f.running.Go(func() { _ = f.server.Serve(f.pipe) }) // ends with ErrServerClosed
	return f, nil
}

// exists reports whether there is a file in a folder. An empty one is a database that
// nobody has begun; the lock says nothing by its size.
func exists(dir, name string) bool {
	info, err := os.Stat(filepath.Join(dir, name))
	return err == nil && (name != store.FileName || info.Size() > 0)
}

// Client reaches the API, whatever host the URL names; requests carry Token.
func (f *Offline) Client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: f.pipe.dial, DisableKeepAlives: true}}
}

// Token is the bearer token of the API.
func (f *Offline) Token() string { return f.b.gate.Token() }

// Close lets go of the folder. What runs is cancelled.
func (f *Offline) Close(ctx context.Context) error {
	f.b.cancel()
	err := f.server.Shutdown(ctx)
	f.running.Wait()
	return errors.Join(err, f.b.shutdown(ctx))
}

// pipeListener is a listener within the process.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "tailrace", Net: "pipe"} }
