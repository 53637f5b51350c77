package segfile

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
	"tailrace/backend/varint"
)

// block is a block as it was read.
type block struct {
	typ, flags byte
	body       []byte
}

// readBlock reads a block and checks its checksum. Memory grows only with what
// really arrives.
func readBlock(r io.Reader, buf []byte, most int) (block, []byte, error) {
	var head [blockHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return block{}, buf, cut(err)
	}
	length := int(binary.BigEndian.Uint32(head[4:]))
	if length > most {
		return block{}, buf, damaged("a block claims %d bytes", length)
	}
	buf = buf[:0]
	for want := length + blockSum; len(buf) < want; {
		n := min(want-len(buf), 1<<20)
		if cap(buf)-len(buf) < n {
			grown := make([]byte, len(buf), min(want, max(2*cap(buf), len(buf)+n)))
			copy(grown, buf)
			buf = grown
		}
		part := buf[len(buf) : len(buf)+n]
		if _, err := io.ReadFull(r, part); err != nil {
			return block{}, buf, cut(err)
		}
		buf = buf[:len(buf)+n]
	}
	body := buf[:length]
	sum := crc32.Update(crc32.Checksum(head[:], castagnoli), castagnoli, body)
	if binary.BigEndian.Uint32(buf[length:]) != sum {
		return block{}, buf, damaged("a block has a wrong checksum")
	}
	return block{typ: head[0], flags: head[1], body: body}, buf, nil
}

// cut says that a file ends too early.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return damaged("it ends too early")
	}
	return err
}

// readPrefix reads magic and version.
func readPrefix(r io.Reader) (raw []byte, err error) {
	raw = make([]byte, prefixBytes)
	n, err := io.ReadFull(r, raw)
	if n >= len(magic) && string(raw[:len(magic)]) != magic || n < len(magic) && (err == io.EOF || err == io.ErrUnexpectedEOF) {
		return nil, ErrNotSnapshot
	}
	if err != nil {
		return nil, cut(err)
	}
	if v := int(binary.BigEndian.Uint16(raw[len(magic):])); v != Version {
		return nil, &VersionError{Have: v}
	}
	return raw, nil
}

// decompressor unpacks segments, for any number of readers. It is costly to make.
var decompressor = sync.OnceValue(func() *zstd.Decoder {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(4), zstd.WithDecoderMaxMemory(maxRaw), zstd.WithDecoderLowmem(true))
	if err != nil {
		panic(err) // the options are fixed
	}
	return z
})

// segment is a decoded block.
type segment struct {
	start, end, first, bytes int64
	messages, batches        int64
	meta, data               []byte
}

func decodeSegment(b block) (segment, error) {
	if b.typ != typeSegment || len(b.body) < segmentHead {
		return segment{}, damaged("a segment was expected, but there is something else")
	}
	n := func(i int) int64 { return int64(binary.BigEndian.Uint64(b.body[8*i:])) }
	m := func(i int) int64 { return int64(binary.BigEndian.Uint32(b.body[32+4*i:])) }
	s := segment{start: n(0), end: n(1), first: n(2), bytes: n(3), messages: m(0), batches: m(1)}
	metaLen, dataLen := m(2), m(3)
	raw := b.body[segmentHead:]
	if metaLen+dataLen > maxRaw {
		return segment{}, damaged("a segment claims %d bytes", metaLen+dataLen)
	}
	if b.flags&flagZstd != 0 {
		var err error
		if raw, err = decompressor().DecodeAll(raw, nil); err != nil {
			return segment{}, damaged("a segment cannot be unpacked: %v", err)
		}
	}
	if int64(len(raw)) != metaLen+dataLen {
		return segment{}, damaged("a segment has %d bytes instead of %d", len(raw), metaLen+dataLen)
	}
	s.meta, s.data = raw[:metaLen], raw[metaLen:]
	return s, nil
}

// decode turns a segment into batches, whose data is a copy.
func (s *segment) decode(k protocol.Kind) ([]*store.Batch, error) {
	r := varint.Reader{Rest: s.meta}
	var names []string
	for n := r.Uvarint(); n > 0 && !r.Bad; n-- {
		names = append(names, string(r.Bytes(r.Uvarint())))
	}
	wire := make([]byte, 0, len(s.data)) // lengths take more than commas
	pos, first, total, at, data := s.start, s.first, s.bytes, int64(0), s.data
	var out []*store.Batch
	for n := s.batches; n > 0 && !r.Bad; n-- {
		flags := r.Bytes(1)
		messages := r.Uvarint()
		if r.Bad || messages == 0 || messages > int64(len(data)/4) || (k != protocol.KindJSON && messages != 1) {
			return nil, damaged("the metadata of a segment is wrong")
		}
		b := &store.Batch{Start: pos, First: first}
		b.Payload.Sizes = make([]int, messages)
		from := len(wire)
		for i := range b.Payload.Sizes {
			if len(data) < 4 {
				return nil, damaged("a message goes beyond its segment")
			}
			size := int64(binary.BigEndian.Uint32(data))
			if data = data[4:]; size > int64(len(data)) {
				return nil, damaged("a message goes beyond its segment")
			}
			if i > 0 {
				wire = append(wire, ',')
			}
			wire = append(wire, data[:size]...)
			data = data[size:]
			b.Payload.Sizes[i] = int(size)
			total += size
		}
		b.Payload.Data = wire[from:len(wire):len(wire)]
		b.End = pos + b.Payload.Length(k)
		b.TotalBytes = total
		at += r.Varint()
		b.Time = at
		if flags[0]&batchProducer != 0 {
			name, epoch, seq := r.Uvarint(), r.Uvarint(), r.Uvarint()
			if name >= int64(len(names)) {
				return nil, damaged("the metadata of a segment is wrong")
			}
			b.Producer = &protocol.Producer{ID: names[name], Epoch: epoch, Seq: seq}
		}
		b.Closing = flags[0]&batchClosing != 0
		pos, first = b.End, first+messages
		out = append(out, b)
	}
	if r.Bad || len(r.Rest) != 0 || len(data) != 0 || pos != s.end || first-s.first != s.messages {
		return nil, damaged("a segment does not add up")
	}
	return out, nil
}
