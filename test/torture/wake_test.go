package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
)

// hook is the receiver of a webhook.
type hook struct {
	t    *testing.T
	told *journal

	mu       sync.Mutex
	rng      *rand.Rand
	newest   int64
	requests int
	wakes    map[int64]string // what each generation stands for
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
	report := map[string]any{"wake_id": in.WakeID, "generation": in.Generation, "acks": acks(streams), "done": true}
	switch dice := h.enter(in.Generation, in.WakeID+in.Token+string(in.Streams), streams); {
	case dice < 8: // done by callback, before this answer
		h.callback(in.URL, in.Token, report)
	case dice == 8: // half of it by callback, and then the lease runs out
		pending := acks(streams)
		report["acks"], report["done"] = pending[:len(pending)/2], false
		h.callback(in.URL, in.Token, report)
	case dice == 9: // an accident
		w.WriteHeader(http.StatusInternalServerError)
	default:
		_, _ = io.WriteString(w, `{"done":true}`) // the server may be gone by now
	}
}

// enter records a delivery. It returns a number below 80 that says what to do.
func (h *hook) enter(generation int64, wake string, streams []linked) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests++
	if h.wakes == nil {
		h.wakes = map[int64]string{}
	}
	switch known := h.wakes[generation]; {
	case known != "" && known != wake:
		h.t.Errorf("generation %d stands for two wakes:\n%s\n%s", generation, known, wake)
	case known == "" && generation != h.newest+1:
		h.t.Errorf("generation %d follows %d", generation, h.newest)
	case known == "":
		h.newest = generation
		h.told.enter(generation, streams)
	}
	h.wakes[generation] = wake
	return h.rng.IntN(80)
}

// callback reports progress; nobody is there to hear when the server was killed.
func (h *hook) callback(url, token string, report map[string]any) {
	body, err := json.Marshal(report)
	if err != nil {
		h.t.Error(err)
		return
	}
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		h.t.Errorf("callback_url %q: %v", url, err)
		return
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if res, err := http.DefaultClient.Do(req); err == nil {
		res.Body.Close()
	}
}

// worker works on a pull-wake subscription.
type worker struct {
	of   *watchers
	name string
	next string // offset in the wake stream
	rng  *rand.Rand
}

// run follows the wake stream, and claims what it can, until the server has gone
// or the context ends.
func (w *worker) run(ctx context.Context, s *server) {
	// A wake that was read before the last kill may not have been claimed.
	for w.work(s) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet,
			s.DataURL+"/v1/stream/"+w.of.wakeStream+"?live=long-poll&offset="+w.next, nil)
		if err != nil {
			s.t.Error(err)
			return
		}
		r, err := s.roundTrip(req)
		if err != nil {
			return
		}
		if r.status >= 300 {
			s.t.Errorf("the wake stream answers %d: %s", r.status, r.body)
			return
		}
		w.next = r.next()
	}
}

// work claims and processes until there is nothing to claim. It reports false when
// the server has gone.
func (w *worker) work(s *server) bool {
	for {
		r, ok := w.post(s, "claim", "", map[string]any{"worker": w.name})
		if !ok || r.status == http.StatusConflict {
			return ok
		}
		var c struct {
			WakeID     string   `json:"wake_id"`
			Generation int64    `json:"generation"`
			Token      string   `json:"token"`
			Streams    []linked `json:"streams"`
		}
		if err := json.Unmarshal(r.body, &c); err != nil || r.status != http.StatusOK {
			s.t.Errorf("a claim gets %d: %s", r.status, r.body)
			return false
		}
		if w.of.told.has(c.Generation) {
			s.t.Errorf("generation %d was claimed twice", c.Generation)
		}
		w.of.told.enter(c.Generation, c.Streams)
		report := map[string]any{"wake_id": c.WakeID, "generation": c.Generation}
		rest := acks(c.Streams)
		switch w.rng.IntN(4) {
		case 0: // in two steps
			report["acks"] = rest[:len(rest)/2]
			if _, ok := w.post(s, "ack", c.Token, report); !ok {
				return false
			}
			rest = rest[len(rest)/2:]
		case 1:
			if w.rng.IntN(4) == 0 { // not at all
				if _, ok := w.post(s, "release", c.Token, report); !ok {
					return false
				}
				continue
			}
		}
		report["acks"], report["done"] = rest, true
		if _, ok := w.post(s, "ack", c.Token, report); !ok {
			return false
		}
	}
}

// post sends a request of a worker. An ack that comes late is fenced: that is
// what generations are for.
func (w *worker) post(s *server, operation, token string, body map[string]any) (reply, bool) {
	raw, err := json.Marshal(body)
	if err != nil {
		s.t.Error(err)
		return reply{}, false
	}
	r, ok := s.do(http.MethodPost, "__ds/subscriptions/"+w.of.told.id+"/"+operation, string(raw), "Authorization", "Bearer "+token)
	if ok && r.status >= 300 && r.status != http.StatusConflict {
		s.t.Errorf("%s gets %d: %s", operation, r.status, r.body)
		return r, false
	}
	return r, ok
}
