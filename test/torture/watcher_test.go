package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tailrace/test/program"
)

// watchers process what tenants and writers append to the streams of a pattern,
// through a webhook and a pull-wake subscription. They live through the kills.
type watchers struct {
	pattern    string
	wakeStream string // of the pull-wake subscription
	hook       *hook
	url        string // of the hook
	pool       []*worker
	told       *journal // to the pool
}

// everything is the watchers of a test: many streams that come and go, those that
// are busy, and all of them with the wake streams.
func everything(t *testing.T, rng func(uint64) *rand.Rand) (list []*watchers) {
	for i, pattern := range []string{"t*/*", "json", "**"} {
		list = append(list, newWatchers(t, i, pattern, rng))
	}
	return list
}

func newWatchers(t *testing.T, n int, pattern string, rng func(uint64) *rand.Rand) *watchers {
	part := uint64(n+1) << 40
	w := &watchers{
		pattern: pattern, wakeStream: fmt.Sprintf("wakes/%d", n),
		hook: &hook{t: t, rng: rng(part), told: newJournal(fmt.Sprintf("hook-%d", n))},
		told: newJournal(fmt.Sprintf("pull-%d", n)),
	}
	receiver := httptest.NewServer(w.hook)
	t.Cleanup(receiver.Close)
	w.url = receiver.URL
	for i := range 2 {
		w.pool = append(w.pool, &worker{of: w, name: fmt.Sprintf("w%d", i), next: "-1", rng: rng(part + 1 + uint64(i))})
	}
	return w
}

// subscribe comes before there are any streams, so that nothing may be missed.
func (w *watchers) subscribe(s *server) {
	s.t.Helper()
	for id, target := range map[string]string{
		w.hook.told.id: fmt.Sprintf(`"type":"webhook","webhook":{"url":%q}`, w.url),
		w.told.id:      fmt.Sprintf(`"type":"pull-wake","wake_stream":%q`, w.wakeStream),
	} {
		s.must(http.StatusCreated, http.MethodPut, "__ds/subscriptions/"+id,
			fmt.Sprintf(`{"pattern":%q,"lease_ttl_ms":1000,%s}`, w.pattern, target))
	}
}

// work lets the pool work until the server has gone or the context ends.
func (w *watchers) work(ctx context.Context, s *server, running *sync.WaitGroup) {
	for _, wk := range w.pool {
		running.Go(func() { wk.run(ctx, s) })
	}
}

// verify compares what the subscriptions have told with what they know.
func (w *watchers) verify(s *server) {
	s.t.Helper()
	for _, told := range []*journal{w.hook.told, w.told} {
		told.verify(s.t)
		if got := s.subscription(told.id).Delivery.Generation; got < told.newest() {
			s.t.Errorf("%s is at generation %d after it has told of %d", told.id, got, told.newest())
		}
	}
	if got := s.wakeEvents(w.wakeStream); got < w.told.newest() {
		s.t.Errorf("%s: %d wake events, generation %d was claimed", w.told.id, got, w.told.newest())
	}
}

// settle lets the watchers process what is left, and checks that nothing is.
// written are the streams with data.
func (w *watchers) settle(s *server, written []string) {
	s.t.Helper()
	ctx, stop := context.WithCancel(s.t.Context())
	defer stop()
	var running sync.WaitGroup
	w.work(ctx, s, &running)
	// A hook to everything hears of what the pool does: it comes last.
	for _, told := range []*journal{w.told, w.hook.told} {
		deadline := time.Now().Add(program.Patience)
		for why := w.pending(s, told, written); why != ""; why = w.pending(s, told, written) {
			if time.Now().After(deadline) {
				s.t.Fatalf("%s: %s; %s", told.id, why, s.subscription(told.id).raw)
			}
			time.Sleep(20 * time.Millisecond) // the API has nothing to wait on
		}
	}
	stop()
	running.Wait()
	w.verify(s)
	if got, told := s.subscription(w.hook.told.id).Delivery.Generation, w.hook.told.newest(); got != told {
		s.t.Errorf("%s is at generation %d, its receiver has heard of %d", w.hook.told.id, got, told)
	}
	events := s.wakeEvents(w.wakeStream)
	if got := s.subscription(w.told.id).Delivery.Generation; got != events {
		s.t.Errorf("%s is at generation %d, its wake stream at %d", w.told.id, got, events)
	}
	w.hook.mu.Lock()
	defer w.hook.mu.Unlock()
	s.t.Logf("%s: webhook: %d wakes, %d requests; pull-wake: %d wakes, %d claims",
		w.pattern, w.hook.told.newest(), w.hook.requests, events, len(w.told.wakes))
}

// writtenBy are the streams that have data of their own.
func writtenBy(all []*shared, clients []*tenant) (paths []string) {
	for _, sh := range all {
		paths = append(paths, sh.path)
	}
	for _, tn := range clients {
		for _, sl := range tn.slots {
			if l := sl.life; l != nil && !l.deleted && l.written {
				paths = append(paths, sl.path)
			}
		}
	}
	return paths
}

// wakeEvents expects one event for each generation, in order, and returns the
// last one's.
func (s *server) wakeEvents(path string) (generation int64) {
	s.t.Helper()
	raw, _ := s.read(path, "-1")
	events, err := split(jsonType, raw)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, event := range events {
		var e struct{ Generation int64 }
		if err := json.Unmarshal([]byte(event), &e); err != nil {
			s.t.Fatal(err)
		}
		if generation++; e.Generation != generation {
			s.t.Fatalf("%s: wake event %d is for generation %d", path, generation, e.Generation)
		}
	}
	return generation
}

type subscription struct {
	raw      []byte
	Streams  []linked
	Delivery struct{ Generation int64 }
}

func (s *server) subscription(id string) (sub subscription) {
	s.t.Helper()
	sub.raw = s.must(http.StatusOK, http.MethodGet, "__ds/subscriptions/"+id, "").body
	if err := json.Unmarshal(sub.raw, &sub); err != nil {
		s.t.Fatal(err)
	}
	return sub
}

// pending tells what a subscription has not processed yet.
func (w *watchers) pending(s *server, told *journal, written []string) string {
	s.t.Helper()
	known := map[string]bool{}
	for _, l := range s.subscription(told.id).Streams {
		known[l.Path] = true
		if told == w.told && strings.HasPrefix(l.Path, "wakes/") {
			continue // wake streams never wake it
		}
		if r, ok := s.do(http.MethodHead, l.Path, ""); !ok || r.next() != l.Acked {
			return fmt.Sprintf("%s is processed up to %s of %s (%d)", l.Path, l.Acked, r.next(), r.status)
		}
	}
	for _, p := range written {
		if matches, _ := path.Match(w.pattern, p); !known[p] && (matches || w.pattern == "**") {
			return p + " is not linked"
		}
	}
	return ""
}

// linked is a stream in a wake.
type linked struct {
	Path       string `json:"path"`
	Acked      string `json:"acked_offset"`
	Tail       string `json:"tail_offset"`
	HasPending bool   `json:"has_pending"`
}

// acks are those that process a wake.
func acks(streams []linked) []map[string]string {
	acks := []map[string]string{}
	for _, s := range streams {
		if s.HasPending {
			acks = append(acks, map[string]string{"stream": s.Path, "offset": s.Tail})
		}
	}
	return acks
}

// journal is what a subscription has told.
type journal struct {
	id    string // of the subscription
	mu    sync.Mutex
	wakes map[int64][]linked // by generation
}

func newJournal(id string) *journal { return &journal{id: id, wakes: map[int64][]linked{}} }

func (j *journal) enter(generation int64, streams []linked) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.wakes[generation] = streams
}

func (j *journal) has(generation int64) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.wakes[generation] != nil
}

// newest is the last generation.
func (j *journal) newest() (last int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for g := range j.wakes {
		last = max(last, g)
	}
	return last
}

// verify goes through the wakes in order. Cursors only move on, and only to where
// an earlier wake has told the end of the stream: nothing is skipped, nothing
// comes again. A stream that was deleted begins anew, with tokens of its own.
func (j *journal) verify(t *testing.T) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	cursor := map[string]string{}
	tails := map[string]map[string]bool{}
	for _, g := range slices.Sorted(maps.Keys(j.wakes)) {
		for _, s := range j.wakes[g] {
			before := cursor[s.Path]
			anew := s.Acked == "-1" && (before == "" || before == "-1" || incarnation(before) < incarnation(s.Tail))
			if !anew && (s.Acked < before || !tails[s.Path][s.Acked]) { // "-1" sorts below every token
				t.Errorf("%s, generation %d: the cursor of %s went from %q to %s, its end is %s", j.id, g, s.Path, before, s.Acked, s.Tail)
			}
			cursor[s.Path] = s.Acked
			if tails[s.Path] == nil {
				tails[s.Path] = map[string]bool{}
			}
			tails[s.Path][s.Tail] = true
		}
	}
}
