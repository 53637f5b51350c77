package subscription

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"tailrace/backend/engine"
	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// Options of a manager. All fields are required unless they say otherwise.
type Options struct {
	Store  *store.DB
	Engine *engine.Engine
	Limits protocol.Limits
	// Port is the one that the protocol is served on; 0: unknown. Subscriptions
	// that were created through it follow when it changes.
	Port int
	// Now is the clock of what is stored and signed; nil: time.Now.
	Now func() time.Time
	Log *slog.Logger
}

// Manager holds the actors of all subscriptions with something to do, and serves
// the subscription API.
type Manager struct {
	db     *store.DB
	engine *engine.Engine
	limits protocol.Limits
	port   int
	now    func() time.Time
	log    *slog.Logger
	sender *sender

	keys     atomic.Pointer[keyring]
	rotating sync.Mutex // held while a signing key is replaced

	// stop ends actors and deliveries.
	stop    context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	actors map[string]*actor
	// scanned are the subscriptions of which all links have been looked at; what has
	// grown since has been told to their actors.
	scanned map[string]bool
	// attempts are the latest deliveries, by subscription.
	attempts map[string][]Attempt
	closed   bool
}

// Open starts a manager. Wakes that were in flight when the last one ended go on.
func Open(ctx context.Context, o Options) (*Manager, error) {
	return openWith(ctx, o, newSender(newDialer()))
}

func openWith(ctx context.Context, o Options, s *sender) (*Manager, error) {
	m := &Manager{
		db:     o.Store,
		engine: o.Engine,
		limits: o.Limits,
		port:   o.Port,
		now:    o.Now,
		log:    o.Log,
		sender: s,
		actors: map[string]*actor{},

		scanned:  map[string]bool{},
		attempts: map[string][]Attempt{},
	}
	if m.now == nil {
		m.now = time.Now
	}
	m.stop, m.cancel = context.WithCancel(context.Background())
	if err := m.openKeys(ctx); err != nil {
		return nil, err
	}
	ids, err := m.db.SubscriptionIDs(ctx)
	if err != nil {
		return nil, err
	}
	m.db.OnWork(m.notice)
	for _, id := range ids {
		m.notice(id, store.Notice{})
	}
	return m, nil
}

// Close stops all actors and waits for them. Deliveries under way are cut off; the
// next manager makes them again.
func (m *Manager) Close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.cancel()
	m.running.Wait()
	m.sender.close()
}

// notice tells a subscription's actor to look for work. The committer calls it.
func (m *Manager) notice(id string, n store.Notice) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	a := m.actorLocked(id)
	a.noticed = true
	a.mayWrite = a.mayWrite || n.WakeStream
	a.grown = append(a.grown, n.Paths...)
	a.signal()
}

// do runs f on a subscription's actor and returns what f does.
func (m *Manager) do(id string, f func(*actor) error) error {
	reply := make(chan error, 1)
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return protocol.ErrShuttingDown
	}
	a := m.actorLocked(id)
	a.inbox = append(a.inbox, command{f, reply})
	a.signal()
	m.mu.Unlock()
	return <-reply
}

// post hands f to a subscription's actor, unless that has ended: then nobody waits
// for it.
func (m *Manager) post(id string, f func(*actor) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a := m.actors[id]; a != nil {
		a.inbox = append(a.inbox, command{f, make(chan error, 1)})
		a.signal()
	}
}

// actorLocked returns a subscription's actor, starting it if need be.
func (m *Manager) actorLocked(id string) *actor {
	a := m.actors[id]
	if a == nil {
		a = &actor{m: m, id: id, wakeUp: make(chan struct{}, 1), candidates: map[string]bool{}}
		a.hindrance.Store(new(error))
		m.actors[id] = a
		m.running.Go(a.run)
	}
	return a
}
