package torture

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

const (
	slots    = 5 // paths of a tenant
	ttlSlots = 2 // more of them, for streams with a short TTL
)

// tenant is a client with paths of its own. It sends one request at a time, so
// that it knows what must be there, except for the request under way when the
// server dies.
type tenant struct {
	name   string
	rng    *rand.Rand
	slots  []*slot
	shared []*shared
	// seen is an offset of each shared stream.
	seen map[*shared]mark

	n       int     // of the next message
	pending *change // sent, and its outcome unknown
	again   *change // a producer's request to repeat
	// log is the order of the acknowledged registry events.
	log []logged
}

// logged is the n-th event of a path.
type logged struct {
	slot *slot
	n    int
}

func newTenant(name string, rng *rand.Rand, all []*shared) *tenant {
	tn := &tenant{name: name, rng: rng, shared: all, seen: map[*shared]mark{}}
	for i := range slots {
		tn.slots = append(tn.slots, &slot{path: fmt.Sprintf("%s/%d", name, i)})
	}
	for i := range ttlSlots {
		tn.slots = append(tn.slots, &slot{path: fmt.Sprintf("%s/ttl-%d", name, i)})
	}
	return tn
}

// step sends one request. It reports false when the server has gone.
func (tn *tenant) step(s *server) bool {
	if c := tn.again; c != nil {
		if c.slot.life != nil && !tn.send(s, c) {
			return false
		}
		tn.again = nil
		return true
	}
	i := tn.rng.IntN(len(tn.slots))
	sl := tn.slots[i]
	var c *change
	switch {
	case sl.life == nil && tn.rng.IntN(3) == 0:
		sh := tn.shared[tn.rng.IntN(len(tn.shared))]
		if !tn.look(s, sh) {
			return false
		}
		c = tn.forkShared(sl, sh)
	case sl.life == nil && i < slots && tn.rng.IntN(2) == 0:
		c = tn.forkOwn(sl)
	case sl.life == nil:
		c = tn.create(sl)
	case sl.life.deleted:
		return true // left to the sweeper
	case sl.life.ttl > 0:
		return tn.use(s, sl)
	default:
		c = tn.change(sl)
	}
	if c == nil {
		return true
	}
	if i >= slots && c.create != nil {
		c.create.ttl = time.Duration(1+tn.rng.IntN(2)) * time.Second
		c.header = append(c.header, "Stream-TTL", strconv.Itoa(int(c.create.ttl/time.Second)))
	}
	return tn.send(s, c)
}

// send sends a change and enters it into the journal.
func (tn *tenant) send(s *server, c *change) bool {
	c.sent = time.Now()
	if !c.done {
		tn.pending = c
	}
	r, ok := s.do(c.method, c.slot.path, c.body, c.header...)
	if !ok {
		return false
	}
	tn.pending = nil
	l := c.slot.life
	if r.status == http.StatusNotFound && l != nil && l.mayBeGone(time.Now()) {
		tn.expire(c.slot)
		return true
	}
	// A sub-offset reaches into an append that must be there already.
	if r.status == http.StatusBadRequest && c.origin != nil && c.base > c.atLeast {
		return true
	}
	if r.status != c.want {
		s.t.Errorf("%s %s %v: %d, want %d: %s", c.method, c.slot.path, c.header, r.status, c.want, r.body)
		return false
	}
	if !c.done {
		tn.record(c, r.next())
	}
	return true
}

// record enters a change that was carried out into the journal.
func (tn *tenant) record(c *change, tip string) {
	before := len(c.slot.events)
	c.apply(tip)
	for n := before; n < len(c.slot.events); n++ {
		tn.log = append(tn.log, logged{c.slot, n})
	}
}

// expire records that the server has removed a stream by itself: its TTL has run
// out, or no fork needs it any more.
func (tn *tenant) expire(sl *slot) {
	sl.events, sl.byServer = append(sl.events, evDelete), true
	sl.end()
}

// look learns where a shared stream ends.
func (tn *tenant) look(s *server, sh *shared) bool {
	if tn.rng.IntN(2) == 0 && tn.seen[sh].token != "" {
		return true // an older offset is as good
	}
	r, ok := s.do(http.MethodHead, sh.path, "")
	if ok {
		tn.seen[sh] = mark{r.next(), position(r.next())}
	}
	return ok
}

func (tn *tenant) take(contentType string, n int) []string {
	first := tn.n
	tn.n += n
	return messages(contentType, tn.name, first, n, tn.rng)
}

func (tn *tenant) create(sl *slot) *change {
	contentType := jsonType
	if tn.rng.IntN(3) == 0 {
		contentType = textType
	}
	return tn.fill(&change{
		slot: sl, method: http.MethodPut, want: http.StatusCreated,
		create: &life{contentType: contentType},
		header: []string{"Content-Type", contentType},
	})
}

// fill gives some of the new streams content, and closes some at once.
func (tn *tenant) fill(c *change) *change {
	l := c.create
	if tn.rng.IntN(3) == 0 {
		c.atoms = tn.take(l.contentType, 1+tn.rng.IntN(3))
		c.body = join(l.contentType, c.atoms)
	}
	if c.from == nil && c.origin == nil && tn.rng.IntN(10) == 0 {
		l.closed = true
		c.header = append(c.header, "Stream-Closed", "true")
	}
	return c
}

// forkShared forks a stream that others are writing to: at its tail, at an
// offset, or inside an append.
func (tn *tenant) forkShared(sl *slot, sh *shared) *change {
	at := tn.seen[sh]
	c := &change{
		slot: sl, method: http.MethodPut, want: http.StatusCreated,
		create: &life{contentType: sh.contentType}, origin: sh, base: -1, atLeast: at.position,
		header: []string{"Content-Type", sh.contentType, "Stream-Forked-From", "/v1/stream/" + sh.path},
	}
	switch tn.rng.IntN(3) {
	case 0:
		c.base = at.position
		c.header = append(c.header, "Stream-Fork-Offset", at.token)
	case 1:
		c.base = at.position + 1
		c.header = append(c.header, "Stream-Fork-Offset", at.token, "Stream-Fork-Sub-Offset", "1")
	}
	return tn.fill(c)
}

// forkOwn forks a stream of the tenant, which may be a fork itself.
func (tn *tenant) forkOwn(sl *slot) *change {
	src := tn.slots[tn.rng.IntN(slots)]
	l := src.life
	if l == nil || l.deleted {
		return nil
	}
	c := &change{
		slot: sl, method: http.MethodPut, want: http.StatusCreated,
		create: &life{contentType: l.contentType}, from: l, base: len(l.atoms),
		header: []string{"Content-Type", l.contentType, "Stream-Forked-From", "/v1/stream/" + src.path},
	}
	i := tn.rng.IntN(len(l.marks))
	switch tn.rng.IntN(3) {
	case 0:
		c.base = l.marks[i].position
		c.header = append(c.header, "Stream-Fork-Offset", l.marks[i].token)
	case 1:
		if i+1 < len(l.marks) {
			sub := 1 + tn.rng.IntN(l.marks[i+1].position-l.marks[i].position)
			c.base = l.marks[i].position + sub
			c.header = append(c.header, "Stream-Fork-Offset", l.marks[i].token, "Stream-Fork-Sub-Offset", strconv.Itoa(sub))
		}
	}
	return tn.fill(c)
}

// change appends to a stream, closes or deletes it.
func (tn *tenant) change(sl *slot) *change {
	l := sl.life
	dice := tn.rng.IntN(40)
	if l.closed {
		dice = tn.rng.IntN(6)
	}
	switch {
	case dice == 0 && (l.used() || !l.held()):
		return &change{slot: sl, method: http.MethodDelete, want: http.StatusNoContent, remove: true}
	case l.closed:
		return nil
	case dice == 1:
		return tn.append(sl, 0, true)
	case dice == 2:
		return tn.append(sl, 1, true)
	default:
		return tn.append(sl, 1+tn.rng.IntN(4), false)
	}
}

// append appends n messages, some of the time as a producer.
func (tn *tenant) append(sl *slot, n int, closes bool) *change {
	l := sl.life
	c := &change{slot: sl, method: http.MethodPost, want: http.StatusNoContent, closes: closes}
	if n > 0 {
		c.atoms = tn.take(l.contentType, n)
		c.body = join(l.contentType, c.atoms)
		c.header = append(c.header, "Content-Type", l.contentType)
	}
	if closes {
		c.header = append(c.header, "Stream-Closed", "true")
	}
	if tn.rng.IntN(2) == 0 {
		if l.seq > 0 && tn.rng.IntN(20) == 0 {
			l.epoch, l.seq = l.epoch+1, 0
		}
		c.producer = true
		c.header = append(c.header, "Producer-Id", tn.name,
			"Producer-Epoch", strconv.Itoa(l.epoch), "Producer-Seq", strconv.Itoa(l.seq))
		if n > 0 {
			c.want = http.StatusOK
		}
	}
	return c
}

// use appends to a stream with a short TTL while that is young, and then leaves
// it alone until it is gone.
func (tn *tenant) use(s *server, sl *slot) bool {
	l := sl.life
	if !l.closed && len(l.marks) < 3 && time.Since(l.touchedBy) < l.ttl/2 {
		return tn.send(s, tn.append(sl, 1, false))
	}
	before := time.Now()
	r, ok := s.do(http.MethodHead, sl.path, "")
	if !ok {
		return false
	}
	switch {
	case r.status == http.StatusNotFound && l.mayBeGone(time.Now()):
		tn.expire(sl)
	case r.status != http.StatusOK || l.mustBeGone(before):
		s.t.Errorf("HEAD %s: %d, %s after it was last used, with a TTL of %s", sl.path, r.status, time.Since(l.touched), l.ttl)
	}
	return true
}
