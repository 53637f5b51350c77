package segfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// Version is the version of the format that a [Writer] writes.
const Version = 1

// What a file begins and ends with. The first byte is no text and the last one is
// a line feed, so that copying in text mode shows at once.
const (
	magic    = "\x89TRSNAP\n"
	endMagic = "\x89TRSEND\n"
)

// Lengths of what has a fixed one.
const (
	prefixBytes = len(magic) + 2 + 2 // magic, version, reserved
	blockHead   = 1 + 1 + 2 + 4      // type, flags, reserved, length
	blockSum    = 4
	segmentHead = 4*8 + 4*4
	indexEntry  = 8 + 4 + 4*8
	trailerBody = 4 + 3*8 + 2*8 + 32
	footerBytes = 8 + len(endMagic)
)

// Types of blocks, in the order in which they come.
const (
	typeHeader  = 'H'
	typeSegment = 'S'
	typeIndex   = 'I'
	typeTrailer = 'T'
)

// flagZstd: the payload of a segment is a zstd frame.
const flagZstd = 1

const (
	batchProducer = 1 << iota
	batchClosing
)

// maxRaw bounds what one segment unpacks to: the largest body a server takes
// (1 GiB) with the lengths of its messages.
const maxRaw = 1<<30 + 1<<28

// maxHeader bounds the header, which lists every producer.
const maxHeader = 1 << 28

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Header says what a file holds. It is stored as JSON; readers ignore fields that
// they do not know.
type Header struct {
	Path        string `json:"path"`
	ContentType string `json:"content_type"`
	Incarnation int64  `json:"incarnation"`
	CreatedAt   int64  `json:"created_at"`            // unix milliseconds, as all times
	TTL         *int64 `json:"ttl_seconds,omitempty"` // sliding window
	ExpiresAt   string `json:"expires_at,omitempty"`  // as the creator sent it
	Fork        *Fork  `json:"fork,omitempty"`

	// The file holds the positions from Start to End, whose first message has the
	// ordinal First and BytesBefore payload bytes before it.
	Start       int64 `json:"start"`
	End         int64 `json:"end"`
	First       int64 `json:"first"`
	BytesBefore int64 `json:"bytes_before"`

	// The stream as it stood at End.
	Messages     int64           `json:"messages"`
	Bytes        int64           `json:"bytes"`
	LastAppendAt int64           `json:"last_append_at,omitempty"`
	StreamSeq    string          `json:"stream_seq,omitempty"`
	Closed       bool            `json:"closed"`
	ClosedAt     int64           `json:"closed_at,omitempty"`
	ClosedBy     *Producer       `json:"closed_by,omitempty"`
	Producers    []ProducerState `json:"producers,omitempty"`

	TakenAt int64  `json:"taken_at"`
	Program string `json:"program,omitempty"` // what wrote the file
}

// Fork tells where a fork came from. The file holds what it inherited as well.
type Fork struct {
	From         string `json:"from"`
	Offset       string `json:"offset,omitempty"` // as the creator sent it
	SubOffset    int64  `json:"sub_offset,omitempty"`
	Base         int64  `json:"base"` // first position of its own
	BaseMessages int64  `json:"base_messages"`
}

// Producer is the triple of a request.
type Producer struct {
	ID    string `json:"id"`
	Epoch int64  `json:"epoch"`
	Seq   int64  `json:"seq"`
}

// ProducerState is the last accepted request of a producer.
type ProducerState struct {
	Producer
	LastAppendAt int64 `json:"last_append_at"`
}

// Kind is how the stream's positions count.
func (h *Header) Kind() protocol.Kind {
	media, err := protocol.ParseContentType(h.ContentType)
	if err != nil {
		return protocol.KindBytes // check has refused it
	}
	return protocol.KindOf(media)
}

// StartOffset and EndOffset are the tokens of the range.
func (h *Header) StartOffset() string { return h.offset(h.Start) }

// EndOffset is the token behind the last message.
func (h *Header) EndOffset() string { return h.offset(h.End) }

func (h *Header) offset(position int64) string {
	return protocol.Offset{Incarnation: h.Incarnation, Position: position}.String()
}

// check refuses headers that no stream can have.
func (h *Header) check() error {
	if err := protocol.CheckPath(h.Path, protocol.Limits{PathBytes: 1 << 16}); err != nil {
		return damaged("the header names no stream: %v", err)
	}
	if _, err := protocol.ParseContentType(h.ContentType); err != nil {
		return damaged("the header has a wrong content type: %v", err)
	}
	if _, err := h.Expiry(); err != nil {
		return damaged("the header has a wrong expiry: %v", err)
	}
	const most = 1 << 53
	for _, n := range []int64{h.Incarnation, h.Start, h.End - h.Start, h.First, h.Messages - h.First, h.BytesBefore, h.Bytes - h.BytesBefore} {
		if n < 0 || n > most {
			return damaged("the header has a wrong range")
		}
	}
	return nil
}

// Expiry is the expiry as it was asked for.
func (h *Header) Expiry() (protocol.Expiry, error) {
	var ttl string
	if h.TTL != nil {
		ttl = fmt.Sprint(*h.TTL)
	}
	return protocol.ParseExpiry(ttl, h.TTL != nil, h.ExpiresAt, h.ExpiresAt != "")
}

// NewHeader describes the whole of a stream with its producers.
func NewHeader(s *store.Stream, producers []store.Producer) Header {
	h := Header{
		Path: s.Path, ContentType: s.ContentType, Incarnation: s.Incarnation, CreatedAt: s.CreatedAt,
		ExpiresAt: s.Expiry.AtRaw,
		End:       s.Tail, Messages: s.Messages, Bytes: s.Bytes, LastAppendAt: s.LastAppendAt, StreamSeq: s.StreamSeq,
		Closed: s.Closed, ClosedAt: s.ClosedAt,
	}
	if s.Expiry.HasTTL {
		ttl := s.Expiry.TTL
		h.TTL = &ttl
	}
	if f := s.Fork; f != nil {
		h.Fork = &Fork{From: f.From, Offset: f.Offset, SubOffset: f.SubOffset, Base: f.Base, BaseMessages: f.BaseMessages}
	}
	if p := s.ClosedBy; p != nil {
		h.ClosedBy = &Producer{ID: p.ID, Epoch: p.Epoch, Seq: p.Seq}
	}
	for _, p := range producers {
		h.Producers = append(h.Producers, ProducerState{Producer{p.ID, p.Epoch, p.Seq}, p.LastAppendAt})
	}
	return h
}

// Entry tells where a segment lies.
type Entry struct {
	Offset int64 // of its block in the file
	Length int   // of its block
	Start  int64
	End    int64
	First  int64 // ordinal of its first message
	LastAt int64 // time of its last batch
}

func (e *Entry) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(e.Offset))
	b = binary.BigEndian.AppendUint32(b, uint32(e.Length))
	for _, n := range []int64{e.Start, e.End, e.First, e.LastAt} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	return b
}

// Summary is what a whole file amounts to.
type Summary struct {
	Segments int
	Batches  int64
	Messages int64
	Bytes    int64 // payload
	Size     int64 // of the file
	SHA256   [32]byte
}

// DamagedError: the file is not what a writer has written.
type DamagedError struct{ Reason string }

func (e *DamagedError) Error() string { return "the snapshot is damaged: " + e.Reason }

func damaged(format string, args ...any) error {
	return &DamagedError{Reason: fmt.Sprintf(format, args...)}
}

// ErrNotSnapshot: the file is something else.
var ErrNotSnapshot = errors.New("this is no snapshot of a stream")

// VersionError: the file was written by a newer program.
type VersionError struct{ Have int }

func (e *VersionError) Error() string {
	return fmt.Sprintf("the snapshot has format version %d, this program knows versions up to %d: it was written by a newer Tailrace", e.Have, Version)
}
