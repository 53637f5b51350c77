package segfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"sort"

	"tailrace/backend/store"
)

// RangeReader reads length bytes of a file from offset on.
type RangeReader func(offset int64, length int) ([]byte, error)

// Index is the map of a file, for reading parts of it.
type Index struct {
	Header  Header
	Entries []Entry
}

// trailerBlock is the trailer with what every block has around it.
const trailerBlock = blockHead + trailerBody + blockSum

func decodeEntry(b []byte) Entry {
	n := func(at int) int64 { return int64(binary.BigEndian.Uint64(b[at:])) }
	return Entry{
		Offset: n(0), Length: int(binary.BigEndian.Uint32(b[8:])), Start: n(12), End: n(20), First: n(28), LastAt: n(36),
	}
}

// ReadIndex reads header and index of a file of some size, not its segments.
func ReadIndex(read RangeReader, size int64) (*Index, error) {
	const least = int64(prefixBytes + trailerBlock + footerBytes)
	if size < least {
		return nil, damaged("it is too short")
	}
	end, err := read(size-int64(trailerBlock+footerBytes), trailerBlock+footerBytes)
	if err != nil {
		return nil, err
	}
	footer := end[trailerBlock:]
	if string(footer[8:]) != endMagic || int64(binary.BigEndian.Uint64(footer)) != size-int64(trailerBlock+footerBytes) {
		return nil, damaged("it does not end as a snapshot does")
	}
	b, _, err := readBlock(bytes.NewReader(end), nil, trailerBody)
	if err != nil {
		return nil, err
	}
	t, err := decodeTrailer(b)
	if err != nil {
		return nil, err
	}
	if t.indexAt < int64(prefixBytes) || t.indexAt > t.trailerAt || t.trailerAt-t.indexAt > 1<<31 {
		return nil, damaged("the trailer is wrong")
	}
	x := &Index{}
	raw, err := read(t.indexAt, int(t.trailerAt-t.indexAt))
	if err != nil {
		return nil, err
	}
	if b, _, err = readBlock(bytes.NewReader(raw), nil, len(raw)); err != nil {
		return nil, err
	}
	if b.typ != typeIndex || len(b.body)%indexEntry != 0 || len(b.body)/indexEntry != t.segments {
		return nil, damaged("the index is wrong")
	}
	for at := 0; at < len(b.body); at += indexEntry {
		e := decodeEntry(b.body[at:])
		if e.Offset < int64(prefixBytes) || e.Length < blockHead+segmentHead+blockSum || e.Offset+int64(e.Length) > t.indexAt {
			return nil, damaged("the index is wrong")
		}
		x.Entries = append(x.Entries, e)
	}
	x.Header, err = readHeaderAt(read, t.indexAt)
	return x, err
}

// readHeaderAt reads the header of a file whose other blocks begin before limit.
func readHeaderAt(read RangeReader, limit int64) (Header, error) {
	raw, err := read(0, int(min(limit, 64<<10)))
	if err != nil {
		return Header{}, err
	}
	r := bytes.NewReader(raw)
	if _, err := readPrefix(r); err != nil {
		return Header{}, err
	}
	if r.Len() < blockHead {
		return Header{}, damaged("it has no header")
	}
	whole := int64(prefixBytes+blockHead+blockSum) + int64(binary.BigEndian.Uint32(raw[prefixBytes+4:]))
	if whole > limit || whole > maxHeader {
		return Header{}, damaged("the header is too long")
	}
	if whole > int64(len(raw)) {
		if raw, err = read(0, int(whole)); err != nil {
			return Header{}, err
		}
		r = bytes.NewReader(raw[prefixBytes:])
	}
	b, _, err := readBlock(r, nil, maxHeader)
	if err != nil {
		return Header{}, err
	}
	return decodeHeader(b)
}

// AtPosition is the number of the segment that holds a position; -1: none.
func (x *Index) AtPosition(pos int64) int {
	return x.find(func(e *Entry) bool { return e.End > pos }, func(e *Entry) bool { return e.Start <= pos })
}

// AtOrdinal is the number of the segment that holds a message; -1: none.
func (x *Index) AtOrdinal(ordinal int64) int {
	i := sort.Search(len(x.Entries), func(i int) bool { return x.Entries[i].First > ordinal }) - 1
	if i < 0 || ordinal >= x.Header.Messages {
		return -1
	}
	return i
}

// AtTime is the number of the first segment with a batch of a time or later; -1:
// none.
func (x *Index) AtTime(at int64) int {
	return x.find(func(e *Entry) bool { return e.LastAt >= at }, func(*Entry) bool { return true })
}

func (x *Index) find(reached, holds func(*Entry) bool) int {
	i := sort.Search(len(x.Entries), func(i int) bool { return reached(&x.Entries[i]) })
	if i == len(x.Entries) || !holds(&x.Entries[i]) {
		return -1
	}
	return i
}

// Segment reads and checks segment number i.
func (x *Index) Segment(read RangeReader, i int) ([]*store.Batch, error) {
	e := &x.Entries[i]
	raw, err := read(e.Offset, e.Length)
	if err != nil {
		return nil, err
	}
	if len(raw) != e.Length {
		return nil, fmt.Errorf("read a segment: %w", io.ErrUnexpectedEOF)
	}
	b, _, err := readBlock(bytes.NewReader(raw), nil, len(raw))
	if err != nil {
		return nil, err
	}
	s, err := decodeSegment(b)
	if err != nil {
		return nil, err
	}
	if s.start != e.Start || s.end != e.End || s.first != e.First {
		return nil, damaged("the index does not fit the segments")
	}
	return s.decode(x.Header.Kind())
}
