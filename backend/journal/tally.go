package journal

import (
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"tailrace/backend/protocol"
)

// maxTallies bounds the producers that are counted; beyond it, the half that
// was heard of longest ago is forgotten.
const maxTallies = 10_000

// Tally is what became of a producer's appends since the program started.
type Tally struct {
	Since                              time.Time // of the first one
	Accepted, Duplicates, Gaps, Fenced int64
	// Epoch is the one that was begun last, and At when; 0 Entry: that has not been
	// seen. Before is the epoch that was seen before it, -1: none was.
	Epoch, Before int64
	At            time.Time
	By            string // address of who began it
	Agent         string
	Entry         uint64
}

type tallyKey struct {
	stream, producer string
}

type tally struct {
	Tally
	incarnation int64
	heard       uint64 // id of the newest entry
}

// tallies count the appends of producers.
type tallies struct {
	mu  sync.Mutex
	all map[tallyKey]*tally
}

func (t *tallies) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = nil
}

// count adds an append of a producer; other requests do not count.
func (t *tallies) count(x *Exchange, id uint64) {
	o := &x.Outcome
	if o.Decision < Stored || o.Decision > Closed || x.Stream == "" {
		return
	}
	h := x.Request.Header
	producer := first(h, protocol.HeaderProducerID)
	if producer == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	k := tallyKey{x.Stream, producer}
	p := t.all[k]
	if p == nil || p.incarnation < o.Incarnation {
		p = t.begin(k, x.Began, o.Incarnation)
	}
	p.heard = id
	switch o.Decision {
	case Duplicate:
		p.Duplicates++
	case Gap:
		p.Gaps++
	case Fenced:
		p.Fenced++
	case Closed:
		if !o.Closes {
			return
		}
		p.accept(x, id)
	default:
		p.accept(x, id)
	}
}

// first is http.Header.Get for names that are canonical.
func first(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// accept counts an append that was stored. The first of an epoch has sequence
// number 0 (PROTOCOL §5.2.1).
func (p *tally) accept(x *Exchange, id uint64) {
	p.Accepted++
	h := x.Request.Header
	epoch, err := strconv.ParseInt(first(h, protocol.HeaderProducerEpoch), 10, 64)
	if err != nil {
		return
	}
	if first(h, protocol.HeaderProducerSeq) == "0" {
		p.Before = -1
		if p.Accepted > 1 {
			p.Before = p.Epoch
		}
		p.At, p.By, p.Agent, p.Entry = x.Began, x.Request.RemoteAddr, cut(h.Get("User-Agent"), maxValue), id
	}
	p.Epoch = epoch
}

func (t *tallies) begin(k tallyKey, at time.Time, incarnation int64) *tally {
	if t.all == nil {
		t.all = map[tallyKey]*tally{}
	}
	if _, known := t.all[k]; !known && len(t.all) >= maxTallies {
		t.halve()
	}
	p := &tally{Tally: Tally{Since: at, Before: -1}, incarnation: incarnation}
	t.all[k] = p
	return p
}

// halve forgets the half that was heard of longest ago.
func (t *tallies) halve() {
	heard := make([]uint64, 0, len(t.all))
	for _, p := range t.all {
		heard = append(heard, p.heard)
	}
	slices.Sort(heard)
	for k, p := range t.all {
		if p.heard < heard[len(heard)/2] {
			delete(t.all, k)
		}
	}
}

// Tally returns what is known of a producer; false: nothing.
func (j *Journal) Tally(stream, producer string, incarnation int64) (Tally, bool) {
	if j == nil {
		return Tally{}, false
	}
	j.tallies.mu.Lock()
	defer j.tallies.mu.Unlock()
	p := j.tallies.all[tallyKey{stream, producer}]
	if p == nil || p.incarnation != incarnation {
		return Tally{}, false
	}
	return p.Tally, true
}
