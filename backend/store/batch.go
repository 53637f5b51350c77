package store

import (
	"encoding/binary"
	"hash/crc32"
	"sort"

	"tailrace/backend/extent"
	"tailrace/backend/protocol"
	"tailrace/backend/varint"
)

// Batch is what one append wrote. It is immutable once it has been handed to
// [DB.Commit]; its Data may be shared by any number of readers.
type Batch struct {
	Stream int64
	// Start and End are the positions before and after the batch. They are equal
	// for a closing request without data.
	Start, End int64
	// First is the ordinal of the first message, TotalBytes the payload bytes of
	// the stream up to and including this batch.
	First, TotalBytes int64
	Time              int64 // unix milliseconds
	Payload           protocol.Payload
	Producer          *protocol.Producer // nil: written without one
	StreamSeq         string             // empty: none
	Closing           bool

	seq int64 // arrival number, assigned by the committer
}

// cost is what the batch takes in memory, roughly. The data of an append may keep
// a larger request body alive.
func (b *Batch) cost() int { return cap(b.Payload.Data) + 8*len(b.Payload.Sizes) + 192 }

// Slice returns the wire bytes of the part of the batch within [from, to).
func (b *Batch) Slice(k protocol.Kind, from, to int64) []byte {
	return slicePayload(k, b.Payload, b.Start, max(from, b.Start), min(to, b.End))
}

// slicePayload cuts the positions [from, to) out of a payload that begins at
// position start.
func slicePayload(k protocol.Kind, p protocol.Payload, start, from, to int64) []byte {
	if from >= to {
		return nil
	}
	if k != protocol.KindJSON {
		return p.Data[from-start : to-start]
	}
	// Messages are joined by single commas: one byte between neighbours.
	lo, hi := 0, -1
	for i, n := range p.Sizes[:to-start] {
		if int64(i) < from-start {
			lo += n + 1
		}
		hi += n + 1
	}
	return p.Data[lo:hi]
}

// appendSizes encodes message lengths as uvarints.
func appendSizes(b []byte, sizes []int) []byte {
	for _, n := range sizes {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return b
}

var errCorruptMeta = &DamagedError{What: "the metadata of a segment"}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func decodeSizes(blob []byte) ([]int, error) {
	r := varint.Reader{Rest: blob}
	var sizes []int
	for len(r.Rest) > 0 {
		sizes = append(sizes, int(r.Uvarint()))
	}
	if r.Bad {
		return nil, errCorruptMeta
	}
	return sizes, nil
}

// segment is a sealed run of one stream.
type segment struct {
	start, end int64
	first      int64
	lastAt     int64
	meta       []byte
	data       []byte
}

// metaVersion is the first byte of a segment's meta, or extentVersion when its
// data lies in a file beside the database.
//
//	meta  = version:1  crc32c(data):4  [file at size]  totalBytes  producers  name*  batches  batch*
//	name  = length bytes
//	batch = flags:1  messages  size*  timeDelta(signed)  [producer epoch seq]
//
// All numbers but version, checksum (big-endian) and flags are varints. totalBytes counts the stream's
// payload before the segment; producer is an index into the names.
const (
	metaVersion   = 1
	extentVersion = 2
)

// metaHeader is the length of version and checksum.
const metaHeader = 1 + 4

// extentHeader is the longest beginning of a meta with the place of its data.
const extentHeader = metaHeader + 3*binary.MaxVarintLen64

// check verifies that a segment's data is what was written.
func (s *segment) check() error {
	if len(s.meta) < metaHeader || s.meta[0] != metaVersion && s.meta[0] != extentVersion {
		return errCorruptMeta
	}
	if binary.BigEndian.Uint32(s.meta[1:]) != crc32.Checksum(s.data, castagnoli) {
		return &DamagedError{What: "the data of a segment"}
	}
	return nil
}

// extentOf returns where a segment's data lies, when that is in a file; meta may
// be cut behind [extentHeader] bytes.
func extentOf(meta []byte) (_ extent.Ref, ok bool) {
	if len(meta) < metaHeader || meta[0] != extentVersion {
		return extent.Ref{}, false
	}
	r := varint.Reader{Rest: meta[metaHeader:]}
	ref := extent.Ref{File: r.Uvarint(), At: r.Uvarint(), Size: r.Uvarint()}
	return ref, !r.Bad
}

// placed returns meta with the place of the data.
func placed(meta []byte, ref extent.Ref) []byte {
	out := append(make([]byte, 0, len(meta)+extentHeader-metaHeader), extentVersion)
	out = append(out, meta[1:metaHeader]...)
	for _, n := range []int64{ref.File, ref.At, ref.Size} {
		out = binary.AppendUvarint(out, uint64(n))
	}
	return append(out, meta[metaHeader:]...)
}

const (
	flagProducer = 1 << iota
	flagClosing
)

// sealSegment builds the segment that holds a contiguous run of batches.
func sealSegment(k protocol.Kind, batches []*Batch) segment {
	first, last := batches[0], batches[len(batches)-1]
	size := 0
	names := map[string]int{}
	var order []string
	for _, b := range batches {
		size += len(b.Payload.Data) + 1
		if b.Producer != nil {
			if _, ok := names[b.Producer.ID]; !ok {
				names[b.Producer.ID] = len(order)
				order = append(order, b.Producer.ID)
			}
		}
	}
	data := []byte{}
	if len(batches) > 1 {
		data = make([]byte, 0, size)
	}
	meta := append(make([]byte, 0, 24+8*len(batches)), metaVersion, 0, 0, 0, 0)
	meta = binary.AppendUvarint(meta, uint64(first.TotalBytes-payloadBytes(first.Payload)))
	meta = binary.AppendUvarint(meta, uint64(len(order)))
	for _, name := range order {
		meta = binary.AppendUvarint(meta, uint64(len(name)))
		meta = append(meta, name...)
	}
	meta = binary.AppendUvarint(meta, uint64(len(batches)))
	var at int64
	for _, b := range batches {
		switch {
		case len(batches) == 1 && len(b.Payload.Data) > 0:
			data = b.Payload.Data // no need to copy
		case k == protocol.KindJSON && len(data) > 0 && len(b.Payload.Data) > 0:
			data = append(data, ',')
			fallthrough
		default:
			data = append(data, b.Payload.Data...)
		}
		var flags byte
		if b.Producer != nil {
			flags |= flagProducer
		}
		if b.Closing {
			flags |= flagClosing
		}
		meta = append(meta, flags)
		meta = binary.AppendUvarint(meta, uint64(len(b.Payload.Sizes)))
		meta = appendSizes(meta, b.Payload.Sizes)
		meta = binary.AppendVarint(meta, b.Time-at)
		at = b.Time
		if b.Producer != nil {
			meta = binary.AppendUvarint(meta, uint64(names[b.Producer.ID]))
			meta = binary.AppendUvarint(meta, uint64(b.Producer.Epoch))
			meta = binary.AppendUvarint(meta, uint64(b.Producer.Seq))
		}
	}
	binary.BigEndian.PutUint32(meta[1:], crc32.Checksum(data, castagnoli))
	return segment{start: first.Start, end: last.End, first: first.First, lastAt: last.Time, meta: meta, data: data}
}

// payloadBytes is the sum of the message lengths: what counts as stream size.
// Commas between JSON messages are ours.
func payloadBytes(p protocol.Payload) int64 {
	var n int64
	for _, s := range p.Sizes {
		n += int64(s)
	}
	return n
}

// batches decodes a segment. The batches share the segment's data.
func (s *segment) batches(stream int64, k protocol.Kind) ([]*Batch, error) {
	r := varint.Reader{Rest: s.meta[metaHeader:]} // check has seen that it is there
	if s.meta[0] == extentVersion {
		_, _, _ = r.Uvarint(), r.Uvarint(), r.Uvarint() // file, at, size
	}
	total := r.Uvarint()
	names := make([]string, 0, 4)
	for n := r.Uvarint(); n > 0 && !r.Bad; n-- {
		names = append(names, string(r.Bytes(r.Uvarint())))
	}
	pos, first, at := s.start, s.first, int64(0)
	data := s.data
	var out []*Batch
	for n := r.Uvarint(); n > 0 && !r.Bad; n-- {
		flags := r.Bytes(1)
		messages := r.Uvarint()
		if messages > int64(len(r.Rest)) { // every size takes at least a byte
			return nil, errCorruptMeta
		}
		b := &Batch{Stream: stream, Start: pos, First: first}
		length := 0
		if messages > 0 {
			b.Payload.Sizes = make([]int, messages)
			for i := range b.Payload.Sizes {
				b.Payload.Sizes[i] = int(r.Uvarint())
				length += b.Payload.Sizes[i]
			}
		}
		total += int64(length)
		if k == protocol.KindJSON && messages > 0 {
			length += int(messages) - 1
			if len(data) != len(s.data) { // behind a neighbour: skip the joining comma
				data = data[min(1, len(data)):]
			}
		}
		if length > len(data) {
			return nil, errCorruptMeta
		}
		b.Payload.Data, data = data[:length:length], data[length:]
		b.End = pos + b.Payload.Length(k)
		b.TotalBytes = total
		at += r.Varint()
		b.Time = at
		if len(flags) == 1 {
			b.Closing = flags[0]&flagClosing != 0
			if flags[0]&flagProducer != 0 {
				name, epoch, seq := r.Uvarint(), r.Uvarint(), r.Uvarint()
				if name >= int64(len(names)) {
					return nil, errCorruptMeta
				}
				b.Producer = &protocol.Producer{ID: names[name], Epoch: epoch, Seq: seq}
			}
		}
		pos, first = b.End, first+messages
		out = append(out, b)
	}
	if r.Bad || pos != s.end || len(data) != 0 {
		return nil, errCorruptMeta
	}
	return out, nil
}

// search returns the index of the first batch that ends behind pos.
func search(batches []*Batch, pos int64) int {
	return sort.Search(len(batches), func(i int) bool { return batches[i].End > pos })
}
