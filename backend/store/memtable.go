package store

import (
	"slices"
	"sort"
	"sync"

	"tailrace/backend/protocol"
)

// memtable holds the newest batches of the log: all that are not sealed yet, and
// sealed ones as long as all together fit the budget. Readers at the tail are served
// from here, sealing takes its batches from here, and a start rebuilds it from
// ops.
//
// Batches enter in arrival order (fifo) and leave in the same order, so every
// stream's own list loses its oldest first and stays contiguous.
type memtable struct {
	mu     sync.RWMutex
	tails  map[int64]*tail
	fifo   []entry // arrival order
	budget int     // bytes from which on what need not be kept goes
	bytes  int     // cost of all batches in fifo
	// firstUnsealed indexes fifo: everything before it is sealed.
	firstUnsealed int
	unsealedBytes int
	// backlogBytes is the cost of everything from firstUnsealed on, deleted streams
	// included: what is still in ops.
	backlogBytes int
	// evicted counts the streams whose position has left memory.
	evicted int64
}

type entry struct {
	tail  *tail
	batch *Batch
}

// tail is the cached end of one stream.
type tail struct {
	stream  int64
	kind    protocol.Kind
	batches []*Batch // contiguous, oldest first
	sealed  int      // how many of batches are in segments
	dropped int      // how many the array still holds before batches
	latest  Position // behind the last batch
	deleted bool
}

// shift drops the oldest batch. Readers may hold the slice, so elements are not
// cleared; once most of the array is dropped ones, the rest moves to a new one.
func (t *tail) shift() {
	t.batches = t.batches[1:]
	t.sealed--
	if t.dropped++; t.dropped > 64 && t.dropped > len(t.batches) {
		t.batches, t.dropped = slices.Clone(t.batches), 0
	}
}

// add appends committed batches. pos is the stream's position behind them.
func (m *memtable) add(kind protocol.Kind, batches []*Batch, pos Position) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range batches {
		t := m.tails[b.Stream]
		if t == nil {
			t = &tail{stream: b.Stream, kind: kind}
			m.tails[b.Stream] = t
		}
		t.batches = append(t.batches, b)
		t.latest = pos
		m.fifo = append(m.fifo, entry{t, b})
		m.bytes += b.cost()
		m.unsealedBytes += b.cost()
		m.backlogBytes += b.cost()
	}
}

// drop forgets a deleted stream.
func (m *memtable) drop(stream int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tails[stream]
	if t == nil {
		return
	}
	delete(m.tails, stream)
	t.deleted = true
	for _, b := range t.batches[t.sealed:] {
		m.unsealedBytes -= b.cost()
	}
	t.sealed = len(t.batches)
	m.advance()
	m.trim()
}

// position is where a stream stands, if any of its batches is cached.
func (m *memtable) position(stream int64) (Position, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if t := m.tails[stream]; t != nil {
		return t.latest, true
	}
	return Position{}, false
}

// evictions changes whenever a stream's position has left memory.
func (m *memtable) evictions() int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.evicted
}

// from returns the cached batches that reach from position pos to the end, if
// the cache begins at or before pos.
func (m *memtable) from(stream, pos int64) []*Batch {
	m.mu.RLock()
	defer m.mu.RUnlock()
	t := m.tails[stream]
	if t == nil || t.batches[0].Start > pos {
		return nil
	}
	// Elements are never overwritten: add only appends, trim only moves the start.
	return t.batches[search(t.batches, pos):]
}

// fromOrdinal is from by message ordinal.
func (m *memtable) fromOrdinal(stream, ordinal int64) []*Batch {
	m.mu.RLock()
	defer m.mu.RUnlock()
	t := m.tails[stream]
	if t == nil || t.batches[0].First > ordinal {
		return nil
	}
	i := sort.Search(len(t.batches), func(i int) bool {
		return t.batches[i].First+int64(t.batches[i].Payload.Messages()) > ordinal
	})
	return t.batches[i:]
}

// all returns the cached batches of a stream.
func (m *memtable) all(stream int64) []*Batch {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if t := m.tails[stream]; t != nil {
		return t.batches
	}
	return nil
}

// producers returns the newest cached state of each producer of a stream.
func (m *memtable) producers(stream int64) map[string]Producer {
	m.mu.RLock()
	defer m.mu.RUnlock()
	out := map[string]Producer{}
	if t := m.tails[stream]; t != nil {
		for _, b := range t.batches {
			if b.Producer != nil {
				out[b.Producer.ID] = Producer{Producer: *b.Producer, LastAppendAt: b.Time}
			}
		}
	}
	return out
}

// run is what sealing takes at once: unsealed batches of one stream.
type run struct {
	tail    *tail
	batches []*Batch
}

// oldestRuns picks what to seal next: up to limit bytes of the unsealed batches
// of the stream that has the oldest one, then of the next such stream, until
// limit is used up; except are streams that are seen to. Only the committer calls
// it and [memtable.sealed], so nothing changes in between but additions.
func (m *memtable) oldestRuns(limit int, except map[int64]bool) []run {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var runs []run
	picked := map[*tail]bool{}
	for i := m.firstUnsealed; i < len(m.fifo) && limit > 0; i++ {
		t := m.fifo[i].tail
		if picked[t] || except[t.stream] || m.isSealed(m.fifo[i]) {
			continue
		}
		picked[t] = true
		n := t.sealed
		for n < len(t.batches) && limit > 0 {
			limit -= t.batches[n].cost()
			n++
		}
		runs = append(runs, run{t, t.batches[t.sealed:n]})
	}
	return runs
}

// unsealedTail returns a copy of what of a stream is not sealed.
func (m *memtable) unsealedTail(stream int64) []*Batch {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if t := m.tails[stream]; t != nil {
		return slices.Clone(t.batches[t.sealed:])
	}
	return nil
}

// held returns what of a stream is not sealed, and the bytes of what is and still
// is in memory.
func (m *memtable) held(stream int64) (unsealed []*Batch, sealed int64) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	t := m.tails[stream]
	if t == nil {
		return nil, 0
	}
	for _, b := range t.batches[:t.sealed] {
		sealed += int64(len(b.Payload.Data))
	}
	return slices.Clone(t.batches[t.sealed:]), sealed
}

// unsealedOf returns all that is not sealed of some streams.
func (m *memtable) unsealedOf(streams map[int64]bool) []run {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var runs []run
	for id := range streams {
		if t := m.tails[id]; t != nil {
			runs = append(runs, run{t, t.batches[t.sealed:]})
		}
	}
	return runs
}

// sealed marks runs as sealed after the commit that wrote their segments, and
// lets go of the oldest batches beyond the budget.
func (m *memtable) sealed(runs []run) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range runs {
		r.tail.sealed += len(r.batches)
		for _, b := range r.batches {
			m.unsealedBytes -= b.cost()
		}
	}
	m.advance()
	m.trim()
}

// advance moves firstUnsealed over batches that are sealed by now.
func (m *memtable) advance() {
	for m.firstUnsealed < len(m.fifo) && m.isSealed(m.fifo[m.firstUnsealed]) {
		m.backlogBytes -= m.fifo[m.firstUnsealed].batch.cost()
		m.firstUnsealed++
	}
}

// isSealed reports whether nothing of an entry remains to be sealed.
func (m *memtable) isSealed(e entry) bool {
	t := e.tail
	return t.deleted || t.sealed == len(t.batches) || e.batch.seq < t.batches[t.sealed].seq
}

// trim drops the oldest sealed batches until the rest fits the budget.
func (m *memtable) trim() {
	n := 0
	for n < m.firstUnsealed && m.bytes > m.budget {
		e := m.fifo[n]
		m.bytes -= e.batch.cost()
		m.fifo[n] = entry{}
		n++
		if e.tail.deleted {
			continue
		}
		e.tail.shift()
		if len(e.tail.batches) == 0 {
			delete(m.tails, e.tail.stream)
			m.evicted++
		}
	}
	m.fifo = m.fifo[n:]
	m.firstUnsealed -= n
}

// deadBefore is the arrival number below which every op is sealed or deleted.
func (m *memtable) deadBefore(next int64) int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.firstUnsealed < len(m.fifo) {
		return m.fifo[m.firstUnsealed].batch.seq
	}
	return next
}

func (m *memtable) unsealed() (unsealed, backlog int) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.unsealedBytes, m.backlogBytes
}

// sizes returns the bytes that are not sealed, and all that are cached.
func (m *memtable) sizes() (unsealed, cached int) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.unsealedBytes, m.bytes
}
