package torture

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// registry is what __registry__ tells: the events of each path, and where each
// stands among all.
type registry struct {
	events map[string][]string
	places map[string][]int
}

func readRegistry(s *server) registry {
	s.t.Helper()
	raw, _ := s.read("__registry__", "-1")
	atoms, err := split(jsonType, raw)
	if err != nil {
		s.t.Fatal(err)
	}
	r := registry{map[string][]string{}, map[string][]int{}}
	for i, atom := range atoms {
		var e struct {
			Key     string
			Value   struct{ Closed, Deleted bool }
			Headers struct{ Operation string }
		}
		if err := json.Unmarshal([]byte(atom), &e); err != nil {
			s.t.Fatal(err)
		}
		name := e.Headers.Operation
		if e.Value.Closed {
			name += " closed"
		}
		if e.Value.Deleted {
			name += " deleted"
		}
		r.events[e.Key] = append(r.events[e.Key], name)
		r.places[e.Key] = append(r.places[e.Key], i)
	}
	return r
}

// verify compares everything of a tenant with its journal. shared streams must
// have been verified.
func (tn *tenant) verify(s *server, reg registry) {
	s.t.Helper()
	tn.resolve(s, reg)
	for _, sl := range tn.slots {
		tn.verifySlot(s, sl, reg.events[sl.path])
	}
	last := -1
	for _, e := range tn.log {
		places := reg.places[e.slot.path]
		if e.n >= len(places) {
			continue // reported above
		}
		if places[e.n] <= last {
			s.t.Errorf("the registry announces %s, event %d, before what was acknowledged earlier", e.slot.path, e.n)
		}
		last = places[e.n]
	}
}

// resolve finds out whether the change that was under way has been carried out.
func (tn *tenant) resolve(s *server, reg registry) {
	s.t.Helper()
	c := tn.pending
	tn.pending = nil
	if c == nil {
		return
	}
	path := c.slot.path
	if e := c.event(); e != "" {
		got := reg.events[path]
		c.done = len(got) > len(c.slot.events) && got[len(c.slot.events)] == e
	}
	head, _ := s.do(http.MethodHead, path, "")
	switch {
	case c.event() == "":
		// An append: the tail tells, unless its stream has expired.
		c.done = head.status == http.StatusOK && position(head.next()) > len(c.slot.life.atoms)
	case c.remove:
	case c.done && head.status != http.StatusOK:
		// It has expired in the meantime. Its events are checked all the same.
		if c.create != nil {
			c.create.marks = []mark{{c.create.contentType, 0}}
			c.base = 0
		}
	case c.done && c.create != nil && c.base < 0 && position(head.next())-len(c.atoms) < c.atLeast:
		s.t.Errorf("%s: forked at %s, when its source had %d already", path, head.next(), c.atLeast)
	}
	if c.done {
		tip := head.next()
		if tip == "" {
			tip = "0000000000000000_0000000000000000"
		}
		tn.record(c, tip)
	}
	if c.producer {
		tn.again = c
		if c.done {
			c.want = http.StatusNoContent
		}
	}
}

// verifySlot compares a path with its journal.
func (tn *tenant) verifySlot(s *server, sl *slot, events []string) {
	s.t.Helper()
	before := time.Now()
	head, ok := s.do(http.MethodHead, sl.path, "")
	if !ok {
		s.t.Fatalf("HEAD %s: no answer", sl.path)
	}
	l := sl.life
	expires := l != nil && l.ttl > 0 && !l.deleted
	// What the server may have done by itself since.
	if l != nil && head.status == http.StatusNotFound {
		if expires && l.mayBeGone(time.Now()) || l.deleted && !l.used() {
			tn.expire(sl)
			l, expires = nil, false
		}
	}
	if l != nil && l.deleted && !l.used() && len(events) == len(sl.events)+1 {
		events = events[:len(events)-1] // just removed by the sweeper; seen next time
	}
	// What is removed late is gone from the first moment on, but announced only then.
	late := l == nil && sl.byServer && len(events) == len(sl.events)-1
	expected := sl.events
	if late {
		expected = expected[:len(events)]
	}
	if !slices.Equal(events, expected) {
		s.t.Errorf("%s: the registry announces %q, the journal has %q", sl.path, events, sl.events)
	}
	want := http.StatusOK
	switch {
	case l == nil:
		want = http.StatusNotFound
	case l.deleted:
		want = http.StatusGone
	}
	if head.status != want {
		s.t.Errorf("HEAD %s: %d, want %d (%+v)", sl.path, head.status, want, sl.events)
		return
	}
	if expires && l.mustBeGone(before) {
		s.t.Errorf("%s is there %s after it was last used, with a TTL of %s", sl.path, before.Sub(l.touchedBy), l.ttl)
	}
	if want == http.StatusOK {
		tn.verifyLife(s, sl)
	}
}

// verifyLife compares the content and the end of a stream with the journal.
func (tn *tenant) verifyLife(s *server, sl *slot) {
	s.t.Helper()
	l := sl.life
	l.touched = time.Now()
	raw, last := s.read(sl.path, "-1")
	if last.status == http.StatusNotFound && l.mayBeGone(time.Now()) {
		tn.expire(sl)
		return
	}
	l.touchedBy = time.Now()
	if last.status != http.StatusOK {
		s.t.Errorf("%s: %d: %s", sl.path, last.status, last.body)
		return
	}
	got, err := split(l.contentType, raw)
	if err != nil {
		s.t.Errorf("%s: %v", sl.path, err)
		return
	}
	want := slices.Clone(l.atoms)
	for i := range want {
		if want[i] == "" {
			want[i] = l.origin.content[i]
		}
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("%s: %d positions, want %d; %s", sl.path, len(got), len(want), difference(got, want))
	}
	if last.next() != l.tip() || last.closed() != l.closed {
		s.t.Errorf("%s ends at %s, closed %t; want %s, closed %t", sl.path, last.next(), last.closed(), l.tip(), l.closed)
	}
	if sl.stale != "" && position(sl.stale) > 0 {
		s.must(http.StatusGone, http.MethodGet, sl.path+"?offset="+url.QueryEscape(sl.stale), "")
	}
	if !l.closed {
		return
	}
	refused := s.must(http.StatusConflict, http.MethodPost, sl.path, `"late"`, "Content-Type", l.contentType)
	if !refused.closed() || refused.next() != l.tip() {
		s.t.Errorf("%s: closed at %s; an append is told %v", sl.path, l.tip(), refused.header)
	}
	if c := l.closing; c != nil {
		s.must(http.StatusNoContent, c.method, sl.path, c.body, c.header...)
	}
}
