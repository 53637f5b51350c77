package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	subscriptionRounds = 5
	workers            = 2
)

// TestKillWithSubscriptions kills the server while producers append, a webhook
// receiver and workers of a pull-wake subscription work. Afterwards both have
// processed everything; no generation was lost or stood for two wakes; no cursor
// ever moved back.
func TestKillWithSubscriptions(t *testing.T) {
	dir := t.TempDir()
	var producers []*producer
	for i := range streams {
		producers = append(producers, &producer{id: fmt.Sprintf("p%d", i), path: fmt.Sprintf("work/%d", i)})
	}
	hook := &hook{t: t, cursors: cursors{t: t, who: "webhook"}, wakes: map[int64]string{}}
	receiver := httptest.NewServer(hook)
	defer receiver.Close()
	pool := []*worker{}
	claims := &cursors{t: t, who: "workers"}
	for i := range workers {
		pool = append(pool, &worker{name: fmt.Sprintf("w%d", i), next: "-1", claims: claims})
	}

	for round := range subscriptionRounds {
		s := start(t, dir)
		if round == 0 {
			s.create(t, "wakes")
			s.subscribe(t, "hook", fmt.Sprintf(`{"type":"webhook","pattern":"work/*","webhook":{"url":%q},"lease_ttl_ms":1000}`, receiver.URL))
			s.subscribe(t, "pull", `{"type":"pull-wake","pattern":"work/*","wake_stream":"wakes","lease_ttl_ms":1000}`)
		}
		var working sync.WaitGroup
		for _, w := range pool {
			working.Go(func() { w.run(t.Context(), s.data) })
		}
		if round == 0 {
			// These are the appends that the subscriptions first hear of a stream by.
			for _, p := range producers {
				s.create(t, p.path)
			}
		}
		s.load(t, producers, int64(minAcks+rand.IntN(4*maxAcks)))
		working.Wait()
	}

	s := start(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var working sync.WaitGroup
	for _, w := range pool {
		working.Go(func() { w.run(ctx, s.data) })
	}
	for !s.settled(t, "hook", producers) || !s.settled(t, "pull", producers) {
		select {
		case <-ctx.Done():
			t.Fatalf("not everything is processed:\n%s\n%s", s.subscription(t, "hook").raw, s.subscription(t, "pull").raw)
		case <-time.After(20 * time.Millisecond): // the API has nothing to wait on
		}
	}
	cancel()
	working.Wait()

	// Every generation of the pull-wake subscription has one event, in order.
	var generation int64
	for _, raw := range s.readAll(t, "wakes") {
		var e struct{ Generation int64 }
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatal(err)
		}
		if generation++; e.Generation != generation {
			t.Fatalf("wake event %d is for generation %d", generation, e.Generation)
		}
	}
	if got := s.subscription(t, "pull").Delivery.Generation; got != generation {
		t.Errorf("pull-wake is at generation %d, its wake stream at %d", got, generation)
	}
	hook.mu.Lock()
	defer hook.mu.Unlock()
	if got := s.subscription(t, "hook").Delivery.Generation; got != hook.newest {
		t.Errorf("webhook is at generation %d, its receiver has heard of %d", got, hook.newest)
	}
	t.Logf("%d kills; webhook: %d wakes, %d requests; pull-wake: %d wakes, %d claims",
		subscriptionRounds, hook.newest, hook.requests, generation, claims.seen.Load())
}

// cursors checks that what a subscription tells has been processed never shrinks.
type cursors struct {
	t    *testing.T
	who  string
	mu   sync.Mutex
	high map[string]string
	seen atomic.Int64
}

// linked is a stream in a wake.
type linked struct {
	Path       string `json:"path"`
	Acked      string `json:"acked_offset"`
	Tail       string `json:"tail_offset"`
	HasPending bool   `json:"has_pending"`
}

func (c *cursors) check(streams []linked) {
	c.seen.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.high == nil {
		c.high = map[string]string{}
	}
	for _, s := range streams {
		if s.Acked < c.high[s.Path] { // "-1" sorts below every token
			c.t.Errorf("%s: the cursor of %s went from %s back to %s", c.who, s.Path, c.high[s.Path], s.Acked)
		}
		c.high[s.Path] = s.Acked
	}
}

func acksOf(streams []linked) []map[string]string {
	acks := []map[string]string{}
	for _, s := range streams {
		if s.HasPending {
			acks = append(acks, map[string]string{"stream": s.Path, "offset": s.Tail})
		}
	}
	return acks
}

// hook is the webhook receiver. It lives through the kills.
type hook struct {
	t        *testing.T
	cursors  cursors
	mu       sync.Mutex
	newest   int64
	requests int
	wakes    map[int64]string // wake id and streams by generation
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		WakeID     string          `json:"wake_id"`
		Generation int64           `json:"generation"`
		Streams    json.RawMessage `json:"streams"`
		URL        string          `json:"callback_url"`
		Token      string          `json:"callback_token"`
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return // killed while sending
	}
	var streams []linked
	if err := json.Unmarshal(raw, &in); err != nil || json.Unmarshal(in.Streams, &streams) != nil {
		h.t.Errorf("webhook body: %s", raw)
		return
	}
	h.mu.Lock()
	h.requests++
	wake := in.WakeID + in.Token + string(in.Streams)
	switch known := h.wakes[in.Generation]; {
	case known != "" && known != wake:
		h.t.Errorf("generation %d stands for two wakes:\n%s\n%s", in.Generation, known, wake)
	case known == "" && in.Generation != h.newest+1:
		h.t.Errorf("generation %d follows %d", in.Generation, h.newest)
	case known == "":
		h.newest = in.Generation
		h.cursors.check(streams)
	}
	h.wakes[in.Generation] = wake
	h.mu.Unlock()
	switch rand.IntN(40) {
	case 0, 1, 2, 3, 5, 6, 7, 8: // done by callback, before this answer
		body := map[string]any{"wake_id": in.WakeID, "generation": in.Generation, "acks": acksOf(streams), "done": true}
		_, _ = post(http.DefaultClient, in.URL, in.Token, body, nil) // the server may be gone by now
	case 4: // an accident
		w.WriteHeader(http.StatusInternalServerError)
	default:
		_, _ = io.WriteString(w, `{"done":true}`)
	}
}

// worker works on a pull-wake subscription.
type worker struct {
	name   string
	next   string // offset in the wake stream
	claims *cursors
}

// run follows the wake stream, and claims what it can, until the server has gone
// or the context ends.
func (w *worker) run(ctx context.Context, data string) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	// A wake that was read before the last kill may not have been claimed.
	for w.work(client, data) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, data+"wakes?live=long-poll&offset="+w.next, nil)
		if err != nil {
			w.claims.t.Error(err)
			return
		}
		res, err := client.Do(req)
		if err != nil {
			return
		}
		_, err = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode >= 300 {
			return
		}
		w.next = res.Header.Get("Stream-Next-Offset")
	}
}

// work claims and processes until there is nothing to claim. It reports false when
// the server has gone.
func (w *worker) work(client *http.Client, data string) bool {
	for {
		var c struct {
			WakeID     string   `json:"wake_id"`
			Generation int64    `json:"generation"`
			Token      string   `json:"token"`
			Streams    []linked `json:"streams"`
		}
		status, err := post(client, data+"__ds/subscriptions/pull/claim", "", map[string]any{"worker": w.name}, &c)
		if err != nil {
			return false
		}
		if status != http.StatusOK {
			return true
		}
		w.claims.check(c.Streams)
		acks := acksOf(c.Streams)
		if rand.IntN(2) == 0 { // in two steps
			first := map[string]any{"wake_id": c.WakeID, "generation": c.Generation, "acks": acks[:len(acks)/2]}
			if _, err := post(client, data+"__ds/subscriptions/pull/ack", c.Token, first, nil); err != nil {
				return false
			}
			acks = acks[len(acks)/2:]
		}
		last := map[string]any{"wake_id": c.WakeID, "generation": c.Generation, "acks": acks, "done": true}
		if _, err := post(client, data+"__ds/subscriptions/pull/ack", c.Token, last, nil); err != nil {
			return false
		}
	}
}

func post(client *http.Client, url, token string, body map[string]any, into any) (status int, err error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(raw))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && into != nil && res.StatusCode == http.StatusOK {
		err = json.Unmarshal(answer, into)
	}
	return res.StatusCode, err
}

func (s *server) subscribe(t *testing.T, id, body string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPut, s.data+"__ds/subscriptions/"+id, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		t.Fatalf("subscribe %s: %s", id, res.Status)
	}
}

type subscription struct {
	raw      []byte
	Streams  []linked
	Delivery struct{ Generation int64 }
}

func (s *server) subscription(t *testing.T, id string) (sub subscription) {
	t.Helper()
	res, err := http.Get(s.data + "__ds/subscriptions/" + id)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if sub.raw, err = io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(sub.raw, &sub); err != nil {
		t.Fatal(err)
	}
	return sub
}

// settled reports whether a subscription has processed all that was appended.
func (s *server) settled(t *testing.T, id string, producers []*producer) bool {
	t.Helper()
	links := s.subscription(t, id).Streams
	for _, p := range producers {
		i := slices.IndexFunc(links, func(l linked) bool { return l.Path == p.path })
		if i < 0 || links[i].Acked != s.tail(t, p.path) {
			return false
		}
	}
	return true
}

func (s *server) tail(t *testing.T, path string) string {
	t.Helper()
	res, err := http.Head(s.data + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return res.Header.Get("Stream-Next-Offset")
}
