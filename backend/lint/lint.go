package lint

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"tailrace/backend/journal"
	"tailrace/backend/protocol"
)

// Rule names what a client does.
type Rule string

// The rules.
const (
	Rereads      Rule = "rereads"         // reads from the start over and over
	IgnoresNext  Rule = "ignores-next"    // reads the same range over and over
	PollsIdly    Rule = "polls-idly"      // asks for news without waiting for them
	IgnoresCurs  Rule = "ignores-cursor"  // long-polls without the cursor
	Reconnects   Rule = "reconnects"      // opens live reads in a storm
	StrangeToken Rule = "strange-offset"  // sends an offset that the server never issued
	SharedID     Rule = "shared-producer" // goes on writing under an epoch that is over
	TwoProcesses Rule = "two-processes"   // two programs write by turns as one producer
)

const (
	// window is how long is counted over.
	window = time.Minute
	// spread is how long repetition has to go on before it is no burst.
	spread = 5 * time.Second
	// How often in a window is too often.
	manyReads, manyPolls, manyCursors, manyOpens, manyFenced = 20, 15, 10, 30, 3
	// short is how long a live read lasts that was not worth opening.
	short = 100 * time.Millisecond
	// storm is how soon so many of those make a storm.
	storm = 10 * time.Second

	maxWatched  = 4096
	maxFindings = 200
)

// about says what each rule is about.
var about = map[Rule]struct{ section, words string }{
	Rereads:      {"§5.6", "reads the stream from its start again and again; go on from Stream-Next-Offset of the last answer"},
	IgnoresNext:  {"§5.6", "reads the same range again and again; go on from Stream-Next-Offset of the last answer"},
	PollsIdly:    {"§5.7", "asks again and again whether there is something new; wait for it with live=long-poll or live=sse"},
	IgnoresCurs:  {"§10.1", "long-polls without the cursor of the last answer; send Stream-Cursor back as cursor, or caches give old answers"},
	Reconnects:   {"§5.8", "opens live reads that end at once, many in a few seconds; pause before connecting again, longer each time"},
	StrangeToken: {"§8", "sends an offset that this server never issued; offsets are opaque, take them from answers"},
	SharedID:     {"§5.2.1", "goes on writing although its epoch is over: two processes use one producer id, or one does not stop when it is fenced"},
	TwoProcesses: {"§5.2.1", "write by turns as one producer in one epoch, so that each takes the other's sequence numbers for its own; give each an id, or let the one that takes over raise the epoch"},
}

// Finding is something that a client does.
type Finding struct {
	Number  uint64 // counts up from 1, in the order in which they were found
	Rule    Rule
	Section string // of the specification
	Words   string
	Stream  string
	Client  string // address and user agent; of TwoProcesses the programs
	Request string // the last one that showed it
	Count   int64  // how often it was seen since it was found
	First   time.Time
	Last    time.Time
}

// Linter watches. The zero Linter is ready.
type Linter struct {
	mu       sync.Mutex
	watched  map[key]*habit
	findings map[findingKey]*Finding
	last     uint64 // the newest finding's number
	seen     uint64 // up to which the person has looked at them

	writers writers
}

type key struct{ stream, client, producer string }

type findingKey struct {
	rule           Rule
	stream, client string
}

// streak counts how often something happened in a row.
type streak struct {
	n     int
	since time.Time
}

// again counts once more, and reports whether that is n times, over at least a
// while and within another.
func (s *streak) again(now time.Time, n int, over, within time.Duration) bool {
	if s.n == 0 || now.Sub(s.since) > within {
		*s = streak{since: now}
	}
	s.n++
	return s.n >= n && now.Sub(s.since) >= over
}

// habit is what is known of one client of one stream.
type habit struct {
	seen                                  time.Time
	from                                  int64 // where the last read that got something began
	same, idle, uncursored, opens, fenced streak
}

// Observe looks at a request that has ended.
func (l *Linter) Observe(x *journal.Exchange) {
	if x.Stream == "" || x.Fault != "" || x.Request == nil {
		return
	}
	switch x.Request.Method {
	case http.MethodGet:
		l.read(x)
	case http.MethodPost:
		switch x.Outcome.Decision {
		case journal.Fenced:
			l.fenced(x)
		case journal.Stored:
			l.stored(x)
		}
	}
}

func (l *Linter) read(x *journal.Exchange) {
	query, err := url.ParseQuery(x.Request.URL.RawQuery)
	if err != nil {
		return
	}
	offset, live := query.Get(protocol.QueryOffset), query.Get(protocol.QueryLive)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := x.Began.Add(x.Took)
	if x.Status == http.StatusBadRequest {
		if query.Has(protocol.QueryOffset) && isStrange(offset) {
			l.found(StrangeToken, x, now)
		}
		return
	}
	if x.Status != http.StatusOK && x.Status != http.StatusNoContent {
		return
	}
	h := l.habit(key{stream: x.Stream, client: clientOf(x.Request)}, now)
	news := x.Outcome.Next > x.Outcome.From
	switch {
	case live == "":
		l.catchUp(h, x, now, news)
	default:
		if news || x.Took >= short {
			h.opens = streak{}
		} else if h.opens.again(now, manyOpens, 0, storm) {
			l.found(Reconnects, x, now)
			h.opens = streak{}
		}
		// The first long-poll has no cursor to send yet.
		if live != protocol.LiveLongPoll || query.Get(protocol.QueryCursor) != "" {
			h.uncursored = streak{}
		} else if h.uncursored.again(now, manyCursors+1, 0, window) {
			l.found(IgnoresCurs, x, now)
			h.uncursored = streak{}
		}
	}
}

// catchUp looks at a read that did not wait.
func (l *Linter) catchUp(h *habit, x *journal.Exchange, now time.Time, news bool) {
	if !news {
		if h.idle.again(now, manyPolls, spread, window) {
			l.found(PollsIdly, x, now)
			h.idle = streak{}
		}
		return
	}
	h.idle = streak{}
	if h.from != x.Outcome.From {
		h.same, h.from = streak{}, x.Outcome.From
	}
	if h.same.again(now, manyReads, spread, window) {
		rule := IgnoresNext
		if x.Outcome.From == 0 {
			rule = Rereads
		}
		l.found(rule, x, now)
		h.same = streak{}
	}
}

func (l *Linter) fenced(x *journal.Exchange) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := x.Began.Add(x.Took)
	id := x.Request.Header.Get(protocol.HeaderProducerID)
	h := l.habit(key{x.Stream, clientOf(x.Request), id}, now)
	if h.fenced.again(now, manyFenced, 0, window) {
		l.found(SharedID, x, now)
		h.fenced = streak{}
	}
}

// isStrange reports whether a refused offset is one that no answer ever held.
func isStrange(offset string) bool {
	o, err := protocol.ParseOffset(offset)
	return err != nil || (!o.Start && !o.Now)
}

// habit returns what is known of a client, and makes room for it.
func (l *Linter) habit(k key, now time.Time) *habit {
	h := l.watched[k]
	if h == nil {
		if l.watched == nil {
			l.watched = map[key]*habit{}
		}
		if len(l.watched) >= maxWatched {
			forgetOldest(l.watched, func(h *habit) time.Time { return h.seen })
		}
		h = &habit{from: -1}
		l.watched[k] = h
	}
	h.seen = now
	return h
}

// found notes that a client does something.
func (l *Linter) found(rule Rule, x *journal.Exchange, now time.Time) {
	l.note(findingKey{rule, x.Stream, clientOf(x.Request)}, requestOf(x.Request), now)
}

func (l *Linter) note(k findingKey, request string, now time.Time) {
	f := l.findings[k]
	if f == nil {
		if l.findings == nil {
			l.findings = map[findingKey]*Finding{}
		}
		if len(l.findings) >= maxFindings {
			forgetOldest(l.findings, func(f *Finding) time.Time { return f.Last })
		}
		l.last++
		f = &Finding{
			Number: l.last, Rule: k.rule, Section: about[k.rule].section, Words: about[k.rule].words, Stream: k.stream, Client: k.client, First: now,
		}
		l.findings[k] = f
	}
	f.Count++
	f.Last, f.Request = now, request
}

// forgetOldest drops the older half of a full map.
func forgetOldest[K comparable, V any](m map[K]V, at func(V) time.Time) {
	times := make([]time.Time, 0, len(m))
	for _, v := range m {
		times = append(times, at(v))
	}
	slices.SortFunc(times, time.Time.Compare)
	middle := times[len(times)/2]
	for k, v := range m {
		if !at(v).After(middle) {
			delete(m, k)
		}
	}
}

// Findings returns what was found, the latest first.
func (l *Linter) Findings() []Finding {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Finding, 0, len(l.findings))
	for _, f := range l.findings {
		out = append(out, *f)
	}
	slices.SortFunc(out, func(a, b Finding) int { return b.Last.Compare(a.Last) })
	return out
}

// See notes that the person has looked at the findings up to a number.
func (l *Linter) See(number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = max(l.seen, min(number, l.last))
}

// Seen returns up to which number the person has looked at the findings, and how
// many there are behind it.
func (l *Linter) Seen() (number uint64, unseen int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.findings {
		if f.Number > l.seen {
			unseen++
		}
	}
	return l.seen, unseen
}

// Forget drops all findings, and what they were concluded from.
func (l *Linter) Forget() {
	l.writers.forget()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watched, l.findings = nil, nil
}

// clientOf names who sent a request, as well as one can tell.
func clientOf(r *http.Request) string {
	const maxAgent = 200
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	agent := r.UserAgent()
	if agent == "" {
		return host
	}
	return host + " " + agent[:min(len(agent), maxAgent)]
}

// requestOf is a request in a line. Of the query it has what the protocol knows:
// anything else may be a secret.
func requestOf(r *http.Request) string {
	const maxLine = 512
	line := r.Method + " " + r.URL.EscapedPath()
	sep := "?"
	query, _ := url.ParseQuery(r.URL.RawQuery) // was parsed before, or has nothing to show
	for _, name := range []string{protocol.QueryOffset, protocol.QueryLive, protocol.QueryCursor} {
		if query.Has(name) {
			line += sep + name + "=" + url.QueryEscape(query.Get(name))
			sep = "&"
		}
	}
	if epoch := r.Header.Get(protocol.HeaderProducerEpoch); r.Method == http.MethodPost && epoch != "" {
		line += fmt.Sprintf(" as %q, epoch %s", r.Header.Get(protocol.HeaderProducerID), epoch)
	}
	return line[:min(len(line), maxLine)]
}
