package torture

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tailrace/test/program"
)

// TestKill kills the program again and again while tenants and the writers of
// shared streams do everything a client can do, and subscriptions to all streams
// are worked on. After each start, what the clients know is compared with what is
// there; at the end, everything is processed.
func TestKill(t *testing.T) {
	rounds, tenants, minOps, maxOps := 5, 6, 200, 800
	if large() {
		rounds, tenants, minOps, maxOps = 20, 12, 300, 3000
	}
	rng := seeded(t)
	all := []*shared{
		newShared("json", jsonType, 3, 2, rng),
		newShared("texts", textType, 2, 1, rng),
	}
	var clients []*tenant
	for i := range tenants {
		clients = append(clients, newTenant(fmt.Sprintf("t%d", i), rng(uint64(i)), all))
	}
	watching := everything(t, rng)
	dir, dice := t.TempDir(), rng(1<<32)

	total := 0
	for round := range rounds + 1 {
		if dice.IntN(2) == 0 {
			killStart(t, dir, dice)
		}
		s := start(t, dir)
		if round == 0 {
			for _, w := range watching {
				w.subscribe(s)
			}
			for _, w := range watching {
				s.must(http.StatusCreated, http.MethodPut, w.wakeStream, "", "Content-Type", jsonType)
			}
			for _, sh := range all {
				s.must(http.StatusCreated, http.MethodPut, sh.path, "", "Content-Type", sh.contentType)
			}
		}
		for _, w := range watching {
			w.verify(s)
		}
		verify(s, all, clients, watching)
		if round == rounds {
			settle(s, all, clients, watching)
		}
		if t.Failed() {
			t.Fatalf("after %d kills", round)
		}
		if round < rounds {
			total += load(s, all, clients, watching, minOps+dice.IntN(maxOps-minOps), dice)
		}
		s.kill()
	}
	t.Logf("%d requests acknowledged over %d kills", total, rounds)
}

// killStart kills the program while it starts.
func killStart(t *testing.T, dir string, dice *rand.Rand) {
	s := launch(t, dir)
	<-time.After(time.Duration(dice.Int64N(int64(80 * time.Millisecond)))) // the random moment
	s.kill()
}

// load lets all clients work until the server dies, a moment after some number
// of acknowledged requests. It returns how many were acknowledged.
func load(s *server, all []*shared, clients []*tenant, watching []*watchers, target int, dice *rand.Rand) int {
	var acked atomic.Int64
	var running sync.WaitGroup
	moment := time.Duration(dice.Int64N(int64(3 * time.Millisecond)))
	work := func(step func(*server) bool) {
		running.Go(func() {
			for step(s) {
				if acked.Add(1) == int64(target) {
					time.AfterFunc(moment, func() {
						s.dying.Store(true)
						s.Kill()
					})
				}
			}
		})
	}
	for _, w := range watching {
		w.work(s.t.Context(), s, &running)
	}
	for _, tn := range clients {
		work(tn.step)
	}
	for _, sh := range all {
		for _, w := range sh.writers {
			work(w.step)
		}
	}
	running.Wait()
	s.kill()
	return int(acked.Load())
}

func verify(s *server, all []*shared, clients []*tenant, watching []*watchers) {
	s.t.Helper()
	for _, sh := range all {
		sh.verify(s)
	}
	reg := readRegistry(s)
	for _, tn := range clients {
		tn.verify(s, reg)
	}
	known := map[string]bool{}
	for _, sh := range all {
		known[sh.path] = true
	}
	for _, w := range watching {
		known[w.wakeStream] = true
	}
	for path := range known {
		if got := reg.events[path]; len(got) != 1 || got[0] != evInsert {
			s.t.Errorf("%s: the registry announces %q", path, got)
		}
	}
	for _, tn := range clients {
		for _, sl := range tn.slots {
			known[sl.path] = true
		}
	}
	for path := range reg.events {
		if !known[path] {
			s.t.Errorf("the registry announces %s, which nobody has created", path)
		}
	}
}

// settle waits until the server has removed what it removes by itself, and
// verifies once more: what has expired is gone, and so are deleted streams
// without forks.
func settle(s *server, all []*shared, clients []*tenant, watching []*watchers) {
	s.t.Helper()
	for _, tn := range clients {
		for _, sl := range tn.slots {
			if l := sl.life; l != nil && (l.ttl > 0 || l.deleted && !l.used()) {
				program.Until(s.t, sl.path+" is removed", func() bool {
					r, ok := s.do(http.MethodHead, sl.path, "")
					return !ok || r.status == http.StatusNotFound
				})
				tn.expire(sl)
			}
			program.Until(s.t, sl.path+" is announced as removed", func() bool {
				return !sl.byServer || len(readRegistry(s).events[sl.path]) >= len(sl.events)
			})
		}
	}
	verify(s, all, clients, watching)
	// The last ones also hear of what the pools of the others do.
	for _, w := range watching {
		w.settle(s, writtenBy(all, clients))
	}
}
