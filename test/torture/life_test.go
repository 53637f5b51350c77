package torture

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	jsonType = "application/json"
	textType = "text/plain"
)

// The content of a stream is kept as atoms, one for each position: messages of a
// JSON stream, bytes of a text.

// split cuts content into atoms.
func split(contentType string, content []byte) ([]string, error) {
	if contentType == textType {
		atoms := make([]string, len(content))
		for i := range content {
			atoms[i] = string(content[i : i+1])
		}
		return atoms, nil
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(slices.Concat([]byte("["), content, []byte("]")), &raw); err != nil {
		return nil, err
	}
	atoms := make([]string, len(raw))
	for i := range raw {
		atoms[i] = string(raw[i])
	}
	return atoms, nil
}

// join is the body of an append of atoms.
func join(contentType string, atoms []string) string {
	if contentType == textType {
		return strings.Join(atoms, "")
	}
	return "[" + strings.Join(atoms, ",") + "]"
}

// messages are n messages that nobody else sends, as atoms. Some are long, so
// that the log is sealed now and then.
func messages(contentType, writer string, first, n int, rng *rand.Rand) []string {
	var atoms []string
	for i := range n {
		id := fmt.Sprintf("%s.%d", writer, first+i)
		if contentType == textType {
			for _, c := range []byte(id + "\n") {
				atoms = append(atoms, string(c))
			}
			continue
		}
		switch n := rng.IntN(80); {
		case n == 0: // large bodies take another way to the disk
			id += strings.Repeat(" ", 64<<10+rng.IntN(64<<10)) + "."
		case n <= 20:
			id += strings.Repeat(" ", rng.IntN(8<<10)) + "."
		}
		atoms = append(atoms, strconv.Quote(id))
	}
	return atoms
}

// position is the position in an offset token. Clients must not look inside; a
// test of this server may.
func position(token string) int {
	_, pos, _ := strings.Cut(token, "_")
	n, err := strconv.Atoi(pos)
	if err != nil {
		return -1
	}
	return n
}

// incarnation is the part of an offset token that tells the streams apart that a
// path has had.
func incarnation(token string) string {
	incarnation, _, _ := strings.Cut(token, "_")
	return incarnation
}

// mark is an offset that the server gave, at the end of an append.
type mark struct {
	token    string
	position int
}

// life is a stream from its creation to its deletion, as its only writer knows
// it.
type life struct {
	contentType string
	// atoms is the content; what is inherited from a shared stream is "" here and
	// looked up there.
	atoms  []string
	origin *shared
	// marks are the ends of its own appends; the first is the end of what is
	// inherited, or the beginning.
	marks  []mark
	closed bool
	// closing is the request that closed the stream, if it had a producer.
	closing *change

	written bool // anything of its own, behind what is inherited
	forks   []*life
	deleted bool // by its client; forks may keep the data
	gone    bool // nothing is left

	ttl time.Duration // 0: none
	// touched and touchedBy enclose the moment of the last touch.
	touched, touchedBy time.Time

	epoch, seq int // of the next producer append
}

func (l *life) tip() string { return l.marks[len(l.marks)-1].token }

// used reports whether a fork, direct or not, still lives.
func (l *life) used() bool {
	return slices.ContainsFunc(l.forks, func(f *life) bool { return !f.gone && (!f.deleted || f.used()) })
}

// held reports whether a fork may still be in the log.
func (l *life) held() bool {
	return slices.ContainsFunc(l.forks, func(f *life) bool { return !f.gone })
}

// What a short TTL allows: ttlSlack covers rounding to milliseconds, ttlLate what
// a crash may add.
const (
	ttlSlack = 20 * time.Millisecond
	ttlLate  = 1500 * time.Millisecond
)

// mayBeGone and mustBeGone tell what the TTL of a stream allows at some moment.
func (l *life) mayBeGone(at time.Time) bool {
	return l.ttl > 0 && at.After(l.touched.Add(l.ttl-ttlSlack))
}

func (l *life) mustBeGone(at time.Time) bool {
	return l.ttl > 0 && at.After(l.touchedBy.Add(l.ttl+ttlLate))
}

// slot is a path of one tenant.
type slot struct {
	path string
	life *life // nil: there is nothing
	// events are the registry events of the path that must be there.
	events []string
	stale  string // an offset of an earlier life
	// byServer is set when the last event is a removal that no client has asked for.
	byServer bool
}

// Registry events as the journal writes them.
const (
	evInsert       = "insert"
	evInsertClosed = "insert closed"
	evClosed       = "update closed"
	evDelete       = "delete"
)

// end records that nothing is left at the path.
func (sl *slot) end() {
	sl.stale = sl.life.tip()
	sl.life.gone = true
	sl.life = nil
}

// change is one request that changes a slot. The journal records it once it is
// acknowledged, or once it is found to have been carried out.
type change struct {
	slot   *slot
	method string
	header []string
	body   string
	want   int // status of success

	create   *life   // PUT: the new stream, its atoms those of the body
	from     *life   // the source, when that belongs to the tenant
	origin   *shared // the source, when that is shared
	base     int     // what the fork inherits; -1: as much as the shared source has
	atLeast  int     // with base -1: what it had when last seen
	atoms    []string
	closes   bool
	producer bool
	remove   bool
	sent     time.Time
	done     bool // found to have been carried out; sending it again must change nothing
}

// event is the registry event that the change causes, if any.
func (c *change) event() string {
	switch {
	case c.create != nil && c.create.closed:
		return evInsertClosed
	case c.create != nil:
		return evInsert
	case c.closes:
		return evClosed
	case c.remove && c.slot.life.held() && c.slot.life.closed:
		return evClosed + " deleted"
	case c.remove && c.slot.life.held():
		return "update deleted"
	case c.remove:
		return evDelete
	}
	return ""
}

// apply enters the change into the journal; tip is the tail after it.
func (c *change) apply(tip string) {
	if e := c.event(); e != "" {
		c.slot.events, c.slot.byServer = append(c.slot.events, e), false
	}
	l := c.slot.life
	switch {
	case c.remove && l.held():
		l.deleted = true
		return
	case c.remove:
		l.deleted = true
		c.slot.end()
		return
	case c.create != nil:
		l = c.create
		c.slot.life = l
		c.inherit(l, tip)
	}
	l.atoms = append(l.atoms, c.atoms...)
	l.written = l.written || len(c.atoms) > 0
	if len(c.atoms) > 0 || len(l.marks) == 0 {
		l.marks = append(l.marks, mark{tip, position(tip)})
	}
	if c.closes {
		l.closed = true
		if c.producer {
			l.closing = c
		}
	}
	if c.producer {
		l.seq++
	}
	l.touched, l.touchedBy = c.sent, time.Now()
}

// inherit gives a new fork what it takes over.
func (c *change) inherit(l *life, tip string) {
	if c.from == nil && c.origin == nil {
		return
	}
	base := c.base
	if base < 0 {
		base = position(tip) - len(c.atoms)
	}
	if c.from != nil {
		l.atoms = slices.Clone(c.from.atoms[:base])
		l.origin = c.from.origin
		c.from.forks = append(c.from.forks, l)
	} else {
		l.atoms = make([]string, base)
		l.origin = c.origin
	}
	if len(c.atoms) == 0 {
		return
	}
	// The end of what is inherited has the tail's incarnation.
	l.marks = append(l.marks, mark{fmt.Sprintf("%s_%016d", incarnation(tip), base), base})
}
