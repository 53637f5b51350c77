package journal

import (
	"encoding/binary"
	"iter"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// blockBytes is how much is forgotten at a time.
const blockBytes = 128 << 10

// Options of a journal.
type Options struct {
	// Bytes is how much is kept; 0: the journal is off.
	Bytes int64
	// Observe is called with every exchange as it ends, on the goroutine of its
	// request: it must be quick, and keep nothing of it. Nil: nobody is.
	Observe func(*Exchange)
}

// Journal is the memory of the data port. A nil Journal is one that is off.
type Journal struct {
	on      atomic.Bool
	observe func(*Exchange)
	buffers sync.Pool // *[]byte: entries are encoded outside the lock
	tallies tallies

	mu     sync.Mutex
	limit  int64
	blocks []*block // oldest first
	last   uint64   // id of the newest entry
}

// block holds encoded entries one behind the other. What has been written is not
// changed any more, so it can be read without the lock.
type block struct {
	first    uint64 // id of its first entry
	count    int
	rejected int
	data     []byte
}

// New returns an empty journal.
func New(o Options) *Journal {
	j := &Journal{observe: o.Observe, buffers: sync.Pool{New: func() any { return new([]byte) }}}
	j.SetLimit(o.Bytes)
	return j
}

// SetLimit changes how many bytes are kept. At 0 the journal is off and forgets
// everything, as it does not know what it would be missing.
func (j *Journal) SetLimit(limit int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.limit = limit
	j.on.Store(limit > 0)
	if limit == 0 {
		j.blocks = nil
		j.tallies.forget()
	}
	j.trim(0)
}

// On reports whether requests are recorded.
func (j *Journal) On() bool { return j != nil && j.on.Load() }

// Begin starts the exchange of a request. [Exchange.End] must follow.
func (j *Journal) Begin(w http.ResponseWriter, r *http.Request) *Exchange {
	return &Exchange{ResponseWriter: w, Request: r, Began: time.Now(), journal: j}
}

func (j *Journal) add(x *Exchange) {
	if !j.On() {
		return
	}
	buffer := j.buffers.Get().(*[]byte)
	*buffer = encode((*buffer)[:0], x)
	id := j.put(*buffer, x.Status >= http.StatusBadRequest)
	j.buffers.Put(buffer)
	if id == 0 {
		return
	}
	j.tallies.count(x, id)
	if j.observe != nil {
		j.observe(x)
	}
}

// put appends an encoded entry and returns its id; 0: the journal has been
// switched off.
func (j *Journal) put(entry []byte, rejected bool) uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.limit == 0 {
		return 0
	}
	var b *block
	if n := len(j.blocks); n > 0 {
		b = j.blocks[n-1]
	}
	if b == nil || len(b.data)+len(entry) > cap(b.data) {
		size := max(int(min(blockBytes, j.limit/4)), len(entry))
		j.trim(int64(size))
		b = &block{first: j.last + 1, data: make([]byte, 0, size)}
		j.blocks = append(j.blocks, b)
	}
	b.data = append(b.data, entry...)
	b.count++
	if rejected {
		b.rejected++
	}
	j.last++
	return j.last
}

// trim forgets the oldest blocks until there is room for a new one.
func (j *Journal) trim(size int64) {
	for _, b := range j.blocks {
		size += int64(cap(b.data))
	}
	for size > j.limit && len(j.blocks) > 0 {
		size -= int64(cap(j.blocks[0].data))
		j.blocks[0] = nil
		j.blocks = j.blocks[1:]
	}
}

// Extent is what a journal holds.
type Extent struct {
	On       bool
	First    uint64 // id of the oldest entry
	Last     uint64 // id of the newest, also when it has been forgotten
	Count    int
	Rejected int
	Bytes    int64
	Limit    int64
	Since    time.Time // when the oldest began
}

// Extent returns what the journal holds.
func (j *Journal) Extent() Extent { return j.view().extent }

// view is the journal at a moment.
type view struct {
	extent Extent
	blocks []block
}

func (j *Journal) view() view {
	if j == nil {
		return view{}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	v := view{extent: Extent{On: j.limit > 0, Last: j.last, Limit: j.limit}, blocks: make([]block, 0, len(j.blocks))}
	for _, b := range j.blocks {
		v.blocks = append(v.blocks, *b)
		v.extent.Count += b.count
		v.extent.Rejected += b.rejected
		v.extent.Bytes += int64(cap(b.data))
	}
	if len(v.blocks) > 0 {
		v.extent.First = v.blocks[0].first
		v.extent.Since = time.UnixMicro(record(v.blocks[0].data[4:]).began())
	}
	return v
}

// since yields the entries behind an id, oldest first.
func (v *view) since(after uint64) iter.Seq2[uint64, record] {
	return func(yield func(uint64, record) bool) {
		for _, b := range v.blocks {
			if b.first+uint64(b.count) <= after+1 {
				continue
			}
			for i, r := range b.records() {
				if id := b.first + uint64(i); id > after && !yield(id, r) {
					return
				}
			}
		}
	}
}

// backwards yields all entries, newest first.
func (v *view) backwards(yield func(uint64, record) bool) {
	var list []record
	for n := len(v.blocks) - 1; n >= 0; n-- {
		b := &v.blocks[n]
		list = list[:0]
		for _, r := range b.records() {
			list = append(list, r)
		}
		for i := len(list) - 1; i >= 0; i-- {
			if !yield(b.first+uint64(i), list[i]) {
				return
			}
		}
	}
}

func (b *block) records() iter.Seq2[int, record] {
	return func(yield func(int, record) bool) {
		rest := b.data
		for i := 0; len(rest) > 0; i++ {
			size := binary.LittleEndian.Uint32(rest)
			if !yield(i, record(rest[4:4+size])) {
				return
			}
			rest = rest[4+size:]
		}
	}
}
