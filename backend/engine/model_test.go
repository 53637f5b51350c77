package engine

import (
	"slices"
	"strings"

	"tailrace/backend/protocol"
)

// modelStream says in the plainest way what a stream must do.
type modelStream struct {
	path        string
	contentType string
	incarnation int64
	batches     [][]string // messages; other than JSON one in each
	closed      bool
	closedBy    *protocol.Producer
	streamSeq   string
	producers   map[string]protocol.Producer

	expiry  protocol.Expiry
	touched int64 // unix milliseconds
	deleted bool  // kept for its forks

	source    *modelStream // nil: no fork
	offset    string       // of the fork, as sent
	subOffset int64
	base      int64 // where its own data begins
}

func (m *modelStream) json() bool { return m.contentType == "application/json" }

func (m *modelStream) length(batch []string) int64 {
	if m.json() {
		return int64(len(batch))
	}
	return int64(len(strings.Join(batch, "")))
}

func (m *modelStream) tail() (n int64) {
	for _, b := range m.batches {
		n += m.length(b)
	}
	return n
}

func (m *modelStream) wire(from int64) string {
	all := slices.Concat(m.batches...)
	if m.json() {
		return strings.Join(all[from:], ",")
	}
	return strings.Join(all, "")[from:]
}

// room is how far the batch at a position reaches from there; 0 at the tail.
func (m *modelStream) room(at int64) int64 {
	start := int64(0)
	for _, b := range m.batches {
		if start += m.length(b); at < start {
			return start - at
		}
	}
	return 0
}

// prefix is what a fork inherits.
func (m *modelStream) prefix(end int64) (batches [][]string) {
	for _, b := range m.batches {
		n := min(m.length(b), end)
		switch {
		case n == 0:
			continue
		case m.json():
			batches = append(batches, b[:n])
		default:
			batches = append(batches, []string{strings.Join(b, "")[:n]})
		}
		end -= n
	}
	return batches
}

// append returns what must come of a request: "ok", "duplicate" or the refusal.
func (m *modelStream) append(messages []string, contentType string, p *protocol.Producer, seq string, closes bool) string {
	if m.closed {
		switch {
		case p != nil && m.closedBy != nil && *p == *m.closedBy:
			return "duplicate"
		case p == nil && len(messages) == 0 && closes:
			return "duplicate"
		}
		return "closed"
	}
	if len(messages) > 0 && contentType != m.contentType {
		return "conflict"
	}
	if p != nil {
		last, known := m.producers[p.ID]
		switch {
		case !known && p.Seq != 0:
			return "gap"
		case known && p.Epoch < last.Epoch:
			return "stale"
		case known && p.Epoch > last.Epoch && p.Seq != 0:
			return "new epoch"
		case known && p.Epoch == last.Epoch && p.Seq <= last.Seq:
			return "duplicate"
		case known && p.Epoch == last.Epoch && p.Seq > last.Seq+1:
			return "gap"
		}
	}
	if seq != "" && seq <= m.streamSeq {
		return "stream seq"
	}
	m.batches = append(m.batches[:len(m.batches):len(m.batches)], messages)
	if p != nil {
		m.producers[p.ID] = *p
	}
	if seq != "" {
		m.streamSeq = seq
	}
	if closes {
		m.closed, m.closedBy = true, p
	}
	return "ok"
}

// modelWorld is all streams.
type modelWorld struct {
	streams map[string]*modelStream
	next    map[string]int64 // incarnation of the next stream at a path
	// events are those of each path; one with a question mark may be left out.
	events map[string][]string
}

func newModelWorld() *modelWorld {
	return &modelWorld{streams: map[string]*modelStream{}, next: map[string]int64{}, events: map[string][]string{}}
}

func (w *modelWorld) announce(path, event string) { w.events[path] = append(w.events[path], event) }

// usable returns the stream at a path, or why there is none.
func (w *modelWorld) usable(path string) (*modelStream, string) {
	s := w.streams[path]
	switch {
	case s == nil:
		return nil, "not found"
	case s.deleted:
		return nil, "gone"
	}
	return s, "ok"
}

func (w *modelWorld) alive() (n int64) {
	for _, s := range w.streams {
		if !s.deleted {
			n++
		}
	}
	return n
}

// modelCreate is a PUT.
type modelCreate struct {
	path, contentType, content string
	closed                     bool
	expiry                     protocol.Expiry

	from, offset string // of a fork
	subOffset    int64
}

// create returns "new", "same" or the refusal.
func (w *modelWorld) create(r modelCreate, now int64) string {
	if have := w.streams[r.path]; have != nil {
		return have.compare(r)
	}
	s := &modelStream{
		path: r.path, contentType: r.contentType, incarnation: w.next[r.path], closed: r.closed,
		expiry: r.expiry, touched: now, producers: map[string]protocol.Producer{},
	}
	if r.from != "" {
		if refusal := w.inherit(s, r); refusal != "" {
			return refusal
		}
	}
	if r.content != "" {
		s.batches = append(s.batches, []string{r.content})
	}
	w.streams[r.path] = s
	w.announce(r.path, map[bool]string{false: "insert", true: "insert closed"}[r.closed])
	return "new"
}

func (w *modelWorld) inherit(s *modelStream, r modelCreate) (refusal string) {
	source, outcome := w.usable(r.from)
	switch {
	case outcome == "gone":
		return "conflict"
	case source == nil:
		return outcome
	case r.contentType != "" && r.contentType != source.contentType:
		return "conflict"
	}
	at := source.tail()
	if r.offset != "" {
		o, _ := protocol.ParseOffsetToken(r.offset)
		if (o != protocol.Offset{} && o.Incarnation != source.incarnation) || o.Position > at {
			return "bad request"
		}
		at = o.Position
	}
	if r.subOffset > source.room(at) {
		return "bad request"
	}
	s.contentType, s.source, s.offset, s.subOffset = source.contentType, source, r.offset, r.subOffset
	s.incarnation = max(s.incarnation, source.incarnation)
	s.base = at + r.subOffset
	s.batches = source.prefix(s.base)
	if s.expiry == (protocol.Expiry{}) {
		s.expiry = source.expiry
	}
	return ""
}

// compare is what a PUT on a stream that exists gets.
func (m *modelStream) compare(r modelCreate) string {
	if m.deleted || (m.source == nil) != (r.from == "") {
		return "conflict"
	}
	if m.source != nil {
		if r.from != m.source.path || (r.offset != "" && r.offset != m.offset) || r.subOffset != m.subOffset {
			return "conflict"
		}
		if r.expiry == (protocol.Expiry{}) {
			r.expiry = m.source.expiry
		}
		if r.contentType == "" {
			r.contentType = m.contentType
		}
	}
	if r.contentType != m.contentType || !r.expiry.Equal(m.expiry) || r.closed != m.closed {
		return "conflict"
	}
	return "same"
}

func (w *modelWorld) forks(s *modelStream) (n int) {
	for _, f := range w.streams {
		if f.source == s {
			n++
		}
	}
	return n
}

func (w *modelWorld) delete(path string) string {
	s, outcome := w.usable(path)
	if s == nil {
		return outcome
	}
	if s.deleted = true; w.forks(s) > 0 {
		w.announce(path, "soft")
	}
	w.collect()
	return "ok"
}

// collect removes deleted streams without forks, and what that frees.
func (w *modelWorld) collect() {
	for again := true; again; {
		again = false
		for path, s := range w.streams {
			if s.deleted && w.forks(s) == 0 {
				delete(w.streams, path)
				w.next[path] = s.incarnation + 1
				w.announce(path, "delete")
				again = true
			}
		}
	}
}

// due returns the streams whose time has come.
func (w *modelWorld) due(now int64) (due []*modelStream) {
	for _, s := range w.streams {
		if d := deadlineOf(s.expiry, s.touched); !s.deleted && d != 0 && d <= now {
			due = append(due, s)
		}
	}
	return due
}

// expire deletes streams whose time has come. Where a stream and its forks expire
// together, the order is open, and so is whether the stream is kept for a moment.
func (w *modelWorld) expire(due []*modelStream) {
	for _, s := range due {
		if s.deleted = true; w.forks(s) > 0 {
			w.announce(s.path, "soft?")
		}
	}
	w.collect()
	for _, s := range due {
		if events := w.events[s.path]; w.streams[s.path] == s && events[len(events)-1] == "soft?" {
			events[len(events)-1] = "soft"
		}
	}
}

// sameEvents compares the events of a path with the model's.
func sameEvents(got, want []string) bool {
	for _, w := range want {
		event, optional := strings.CutSuffix(w, "?")
		switch {
		case len(got) > 0 && got[0] == event:
			got = got[1:]
		case !optional:
			return false
		}
	}
	return len(got) == 0
}
