package segfile

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// segmentBytes is where a segment is full. A larger append makes a larger one.
const segmentBytes = 1 << 20

// Writer writes a file forward. Batches must come in order and fill the range of
// the header exactly. What it makes is hashed and written beside, until
// [Writer.Close]; after an error that is all that may be called.
type Writer struct {
	sink   *sink
	zstd   *zstd.Encoder // nil: not compressed
	header Header
	kind   protocol.Kind

	total   Summary
	entries []Entry
	at      int64 // length of the file so far
	pos     int64 // behind the last batch
	first   int64 // ordinal behind the last batch
	bytes   int64 // payload of the stream before the open segment

	// The open segment.
	names   map[string]int
	order   []string
	batches []byte // encoded, without what comes before them
	data    []byte
	start   int64
	ordinal int64
	count   int
	lastAt  int64
	packed  []byte // data as zstd
}

// NewWriter begins a file. With compress, segments are compressed with zstd.
func NewWriter(out io.Writer, h Header, compress bool) (*Writer, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	w := &Writer{header: h, kind: h.Kind(), pos: h.Start, first: h.First, bytes: h.BytesBefore}
	if compress {
		var err error
		if w.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest)); err != nil {
			return nil, fmt.Errorf("zstd: %w", err)
		}
	}
	w.reset()
	body, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("encode the header: %w", err)
	}
	w.sink = newSink(out)
	prefix := binary.BigEndian.AppendUint16([]byte(magic), Version)
	prefix = binary.BigEndian.AppendUint16(prefix, 0)
	err = w.put(nil, prefix)
	if err == nil {
		err = w.block(typeHeader, 0, body, nil)
	}
	if err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// put hands over the next part of the file, which lies in buffer, or has none to be
// used again.
func (w *Writer) put(buffer []byte, parts ...[]byte) error {
	for _, p := range parts {
		w.at += int64(len(p))
	}
	return w.sink.put(buffer, parts...)
}

// Close lets go of what the file is written to, finished or not.
func (w *Writer) Close() { w.sink.close() }

// block writes one block, whose body comes in two parts: head is copied, data belongs
// to the file from now on.
func (w *Writer) block(typ, flags byte, head, data []byte) error {
	prefix := binary.BigEndian.AppendUint32([]byte{typ, flags, 0, 0}, uint32(len(head)+len(data)))
	prefix = append(prefix, head...)
	sum := binary.BigEndian.AppendUint32(nil, crc32.Update(crc32.Checksum(prefix, castagnoli), castagnoli, data))
	if len(data) == 0 {
		return w.put(nil, append(prefix, sum...))
	}
	return w.put(data, prefix, data, sum)
}

func (w *Writer) reset() {
	w.names, w.order = map[string]int{}, w.order[:0]
	w.batches, w.data, w.count, w.lastAt = w.batches[:0], w.data[:0], 0, 0
	w.start, w.ordinal = w.pos, w.first
}

// Add adds the next batch. Batches without messages leave no trace: what they
// did to the stream is in the header.
func (w *Writer) Add(b *store.Batch) error {
	if b.Payload.Messages() == 0 {
		return nil
	}
	if b.Start != w.pos || b.First != w.first || b.End > w.header.End {
		return fmt.Errorf("snapshot: a batch of positions %d to %d comes behind position %d", b.Start, b.End, w.pos)
	}
	if len(w.data) > 0 && len(w.data)+len(b.Payload.Data) > segmentBytes {
		if err := w.flush(); err != nil {
			return err
		}
	}
	var flags byte
	if b.Producer != nil {
		flags |= batchProducer
	}
	if b.Closing {
		flags |= batchClosing
	}
	w.batches = append(w.batches, flags)
	w.batches = binary.AppendUvarint(w.batches, uint64(b.Payload.Messages()))
	w.batches = binary.AppendVarint(w.batches, b.Time-w.lastAt)
	if p := b.Producer; p != nil {
		name, ok := w.names[p.ID]
		if !ok {
			name = len(w.order)
			w.names[p.ID], w.order = name, append(w.order, p.ID)
		}
		for _, n := range []uint64{uint64(name), uint64(p.Epoch), uint64(p.Seq)} {
			w.batches = binary.AppendUvarint(w.batches, n)
		}
	}
	data := b.Payload.Data
	for _, n := range b.Payload.Sizes {
		w.data = binary.BigEndian.AppendUint32(w.data, uint32(n))
		w.data = append(w.data, data[:n]...)
		data = data[n:]
		if w.kind == protocol.KindJSON && len(data) > 0 {
			data = data[1:] // the comma
		}
	}
	w.lastAt, w.pos = b.Time, b.End
	w.first += int64(b.Payload.Messages())
	w.count++
	w.total.Batches++
	if len(w.data) >= segmentBytes {
		return w.flush()
	}
	return nil
}

// flush writes the open segment, if there is anything in it.
func (w *Writer) flush() error {
	if w.count == 0 {
		return nil
	}
	meta := binary.AppendUvarint(nil, uint64(len(w.order)))
	for _, name := range w.order {
		meta = binary.AppendUvarint(meta, uint64(len(name)))
		meta = append(meta, name...)
	}
	meta = append(meta, w.batches...)
	messages := w.first - w.ordinal
	payload := int64(len(w.data)) - 4*messages
	var head []byte
	for _, n := range []int64{w.start, w.pos, w.ordinal, w.bytes} {
		head = binary.BigEndian.AppendUint64(head, uint64(n))
	}
	for _, n := range []int64{messages, int64(w.count), int64(len(meta)), int64(len(w.data))} {
		head = binary.BigEndian.AppendUint32(head, uint32(n))
	}
	e := Entry{Offset: w.at, Start: w.start, End: w.pos, First: w.ordinal, LastAt: w.lastAt}
	block, flags := &w.data, byte(0)
	if w.zstd != nil {
		w.data = slices.Insert(w.data, 0, meta...)
		w.packed = w.zstd.EncodeAll(w.data, w.packed[:0])
		block, flags = &w.packed, flagZstd
	} else {
		head = append(head, meta...)
	}
	err := w.block(typeSegment, flags, head, *block)
	*block = nil // the file's from now on
	if err != nil {
		return err
	}
	*block = <-w.sink.spare
	e.Length = int(w.at - e.Offset)
	w.entries = append(w.entries, e)
	w.total.Segments++
	w.total.Messages += messages
	w.total.Bytes += payload
	w.bytes += payload
	if cap(w.data) > maxSpare { // it has been packed, and stayed here
		w.data = nil
	}
	w.reset()
	return nil
}

// Finish writes what is left and the end of the file.
func (w *Writer) Finish() (Summary, error) {
	if err := w.flush(); err != nil {
		return Summary{}, err
	}
	if h := &w.header; w.pos != h.End || w.first != h.Messages || w.bytes != h.Bytes {
		return Summary{}, fmt.Errorf("snapshot: the batches end at position %d, message %d, byte %d, but the header says %d, %d, %d",
			w.pos, w.first, w.bytes, h.End, h.Messages, h.Bytes)
	}
	indexAt := w.at
	index := make([]byte, 0, len(w.entries)*indexEntry)
	for i := range w.entries {
		index = w.entries[i].append(index)
	}
	if err := w.block(typeIndex, 0, index, nil); err != nil {
		return Summary{}, err
	}
	if err := w.sink.wait(); err != nil { // the trailer holds the hash of what is before it
		return Summary{}, err
	}
	trailerAt := w.at
	trailer := binary.BigEndian.AppendUint32(nil, uint32(w.total.Segments))
	for _, n := range []int64{w.total.Batches, w.total.Messages, w.total.Bytes, indexAt, trailerAt} {
		trailer = binary.BigEndian.AppendUint64(trailer, uint64(n))
	}
	trailer = w.sink.sum.Sum(trailer)
	footer := append(binary.BigEndian.AppendUint64(nil, uint64(trailerAt)), endMagic...)
	err := w.block(typeTrailer, 0, trailer, nil)
	if err == nil {
		err = w.put(nil, footer)
	}
	if err == nil {
		err = w.sink.wait()
	}
	if err != nil {
		return Summary{}, err
	}
	w.total.Size = w.at
	w.sink.sum.Sum(w.total.SHA256[:0])
	return w.total, nil
}
