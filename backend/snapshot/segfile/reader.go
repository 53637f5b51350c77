package segfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"hash"
	"io"

	"tailrace/backend/store"
)

// Reader reads a file from its beginning to its end and checks all of it.
type Reader struct {
	in     *counter
	header Header
	buf    []byte

	total   Summary
	entries []Entry
	pos     int64
	first   int64
	bytes   int64
	done    bool
}

// counter hashes and counts what goes through it.
type counter struct {
	r   io.Reader
	sum hash.Hash
	n   int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	c.sum.Write(p[:n])
	return n, err
}

// NewReader reads the beginning of a file. It fails with [ErrNotSnapshot], a
// *[VersionError] or a *[DamagedError], or as r does.
func NewReader(r io.Reader) (*Reader, error) {
	f := &Reader{in: &counter{r: r, sum: sha256.New()}}
	if _, err := readPrefix(f.in); err != nil {
		return nil, err
	}
	b, buf, err := readBlock(f.in, nil, maxHeader)
	if err != nil {
		return nil, err
	}
	f.buf = buf
	if f.header, err = decodeHeader(b); err != nil {
		return nil, err
	}
	f.pos, f.first, f.bytes = f.header.Start, f.header.First, f.header.BytesBefore
	return f, nil
}

func decodeHeader(b block) (Header, error) {
	var h Header
	if b.typ != typeHeader {
		return h, damaged("it has no header")
	}
	if err := json.Unmarshal(b.body, &h); err != nil {
		return h, damaged("the header is no JSON: %v", err)
	}
	return h, h.check()
}

// Header is what the file says it holds.
func (r *Reader) Header() *Header { return &r.header }

// Summary is what the whole file amounts to, once Next has returned io.EOF.
func (r *Reader) Summary() Summary { return r.total }

// Next returns the batches of the next segment. At the end of the file it
// returns io.EOF, if all that came before adds up.
func (r *Reader) Next() ([]*store.Batch, error) {
	if r.done {
		return nil, io.EOF
	}
	at := r.in.n
	b, buf, err := readBlock(r.in, r.buf, maxRaw+segmentHead)
	r.buf = buf
	if err != nil {
		return nil, err
	}
	if b.typ == typeIndex {
		return nil, r.end(at, b)
	}
	s, err := decodeSegment(b)
	if err != nil {
		return nil, err
	}
	batches, err := s.decode(r.header.Kind())
	if err != nil {
		return nil, err
	}
	if s.start != r.pos || s.first != r.first || s.bytes != r.bytes {
		return nil, damaged("a segment begins at position %d, but the one before ends at %d", s.start, r.pos)
	}
	if len(batches) == 0 {
		return nil, damaged("a segment is empty")
	}
	last := batches[len(batches)-1]
	r.entries = append(r.entries, Entry{
		Offset: at, Length: int(r.in.n - at), Start: s.start, End: s.end, First: s.first, LastAt: last.Time,
	})
	r.pos, r.first = s.end, s.first+s.messages
	r.total.Segments++
	r.total.Batches += s.batches
	r.total.Messages += s.messages
	r.total.Bytes += last.TotalBytes - r.bytes
	r.bytes = last.TotalBytes
	return batches, nil
}

// end checks index, trailer and footer against what was read.
func (r *Reader) end(indexAt int64, index block) error {
	var want []byte
	for i := range r.entries {
		want = r.entries[i].append(want)
	}
	if !bytes.Equal(index.body, want) {
		return damaged("the index does not fit the segments")
	}
	if h := &r.header; r.pos != h.End || r.first != h.Messages || r.bytes != h.Bytes {
		return damaged("it ends at position %d, but the header says %d", r.pos, h.End)
	}
	trailerAt := r.in.n
	sum := r.in.sum.Sum(nil)
	b, _, err := readBlock(r.in, nil, trailerBody)
	if err != nil {
		return err
	}
	t, err := decodeTrailer(b)
	if err != nil {
		return err
	}
	if t.segments != r.total.Segments || t.batches != r.total.Batches || t.messages != r.total.Messages || t.bytes != r.total.Bytes ||
		t.indexAt != indexAt || t.trailerAt != trailerAt {
		return damaged("the trailer does not fit what comes before it")
	}
	if !bytes.Equal(t.sum, sum) {
		return damaged("the SHA-256 of the trailer does not fit what comes before it")
	}
	footer := make([]byte, footerBytes)
	if _, err := io.ReadFull(r.in, footer); err != nil {
		return cut(err)
	}
	if at := int64(binary.BigEndian.Uint64(footer)); at != trailerAt || string(footer[8:]) != endMagic {
		return damaged("the footer is wrong")
	}
	r.total.Size = r.in.n
	r.in.sum.Sum(r.total.SHA256[:0])
	if n, err := io.ReadFull(r.in, make([]byte, 1)); n != 0 {
		return damaged("there is something behind its end")
	} else if err != io.EOF {
		return err
	}
	r.done = true
	return io.EOF
}

// trailer is the last block, decoded.
type trailer struct {
	segments                 int
	batches, messages, bytes int64
	indexAt, trailerAt       int64
	sum                      []byte
}

func decodeTrailer(b block) (trailer, error) {
	if b.typ != typeTrailer || len(b.body) != trailerBody {
		return trailer{}, damaged("it has no trailer")
	}
	n := func(i int) int64 { return int64(binary.BigEndian.Uint64(b.body[4+8*i:])) }
	return trailer{
		segments: int(binary.BigEndian.Uint32(b.body)), batches: n(0), messages: n(1), bytes: n(2),
		indexAt: n(3), trailerAt: n(4), sum: b.body[4+5*8:],
	}, nil
}
