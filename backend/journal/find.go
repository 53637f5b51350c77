package journal

import (
	"bytes"
	"net/http"
	"strconv"

	"tailrace/backend/varint"
)

// Query selects entries. The zero Query selects all.
type Query struct {
	Stream   string // path of a stream; "": of all
	Rejected bool   // refusals only
	Method   string // "": any
	Status   int    // 409, or 4 for all of 400 to 499; 0: any
	Decision *Decision
	// Text is looked for in paths, addresses, headers that are kept, decisions and
	// statuses, whatever the case.
	Text string
	// After and Before bound the ids; 0: no bound. Entries are the newest Limit
	// between them.
	After, Before uint64
	Limit         int
}

// Found is what a query has found.
type Found struct {
	Extent  Extent
	Entries []*Entry // newest first
	// Matched is how many the query selects, whatever its bounds, and Within how
	// many of those are between them, whatever the limit; All is how many there are
	// of the stream, Rejected how many of those are refusals.
	Matched, Within, All, Rejected int
	// Decisions counts what the query would select by decision.
	Decisions [decisions]int
}

// Find looks through the journal.
func (j *Journal) Find(q Query) Found {
	v := j.view()
	f := Found{Extent: v.extent}
	m := q.matcher()
	for id, r := range v.backwards {
		if m.stream != nil && !bytes.Equal(m.stream, r.stream()) {
			continue
		}
		f.All++
		rejected := r.status() >= http.StatusBadRequest
		if rejected {
			f.Rejected++
		}
		if (q.Rejected && !rejected) || !m.match(r) {
			continue
		}
		f.Decisions[r.decision()]++
		if q.Decision != nil && *q.Decision != r.decision() {
			continue
		}
		f.Matched++
		if id <= q.After || (q.Before != 0 && id >= q.Before) {
			continue
		}
		f.Within++
		if len(f.Entries) < q.Limit {
			f.Entries = append(f.Entries, r.entry(id))
		}
	}
	return f
}

// Entry returns one entry; nil: it is not there, or not any more.
func (j *Journal) Entry(id uint64) *Entry {
	v := j.view()
	if id == 0 {
		return nil
	}
	for found, r := range v.since(id - 1) {
		if found != id {
			return nil
		}
		return r.entry(id)
	}
	return nil
}

// Counter follows how many entries of a stream there are, without looking at one
// twice. What is forgotten still counts.
type Counter struct {
	Stream        string
	All, Rejected int

	seen uint64
}

// Count looks at the entries that are new.
func (c *Counter) Count(j *Journal) {
	v, path := j.view(), []byte(c.Stream)
	for id, r := range v.since(c.seen) {
		c.seen = id
		if bytes.Equal(path, r.stream()) {
			c.All++
			if r.status() >= http.StatusBadRequest {
				c.Rejected++
			}
		}
	}
}

// matcher is a query that is ready to look.
type matcher struct {
	stream, method, text []byte
	status               int
	scratch              []byte
}

func (q *Query) matcher() *matcher {
	m := &matcher{status: q.Status, text: lower(nil, []byte(q.Text))}
	if q.Stream != "" {
		m.stream = []byte(q.Stream)
	}
	if q.Method != "" {
		m.method = []byte(q.Method)
	}
	return m
}

func (m *matcher) match(r record) bool {
	if status := r.status(); m.status != 0 && m.status != status && m.status != status/100 {
		return false
	}
	if m.method != nil {
		v := varint.Reader{Rest: r[12:]}
		v.Bytes(v.Uvarint())
		if !bytes.Equal(v.Bytes(v.Uvarint()), m.method) {
			return false
		}
	}
	return len(m.text) == 0 || m.contains(r)
}

// contains looks for the text in the entry as it is encoded, which has all its
// strings as they are.
func (m *matcher) contains(r record) bool {
	if bytes.Contains([]byte(r.decision().String()), m.text) ||
		bytes.Equal(strconv.AppendInt(nil, int64(r.status()), 10), m.text) {
		return true
	}
	m.scratch = lower(m.scratch[:0], r[12:])
	return bytes.Contains(m.scratch, m.text)
}

// lower appends b with ASCII letters in lower case.
func lower(to, b []byte) []byte {
	for _, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		to = append(to, c)
	}
	return to
}

// Each calls a function with the entries of a stream, newest first, until it
// returns false.
func (j *Journal) Each(stream string, f func(*Entry) bool) {
	v, path := j.view(), []byte(stream)
	for id, r := range v.backwards {
		if bytes.Equal(path, r.stream()) && !f(r.entry(id)) {
			return
		}
	}
}
