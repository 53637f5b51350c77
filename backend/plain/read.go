package plain

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"tailrace/backend/protocol"
)

// What an append of an import holds. These numbers are part of what makes imports
// idempotent: other ones need another [Rule].
const (
	appendBytes    = 256 << 10 // JSON: full from here on
	appendMessages = 1000      // JSON: or with so many
	pieceBytes     = 1 << 20   // raw bytes
)

// Rule names the way in which files of a format are cut into appends. A file that
// can be read in two formats is other appends in each.
func Rule(format string) string {
	if format == JSON {
		return "1a"
	}
	return "1"
}

// PlaceError says which line or element of a file cannot be a message.
type PlaceError struct {
	Place string
	Err   error
}

func (e *PlaceError) Error() string { return e.Place + ": " + e.Err.Error() }
func (e *PlaceError) Unwrap() error { return e.Err }

// Reader cuts a file into appends.
type Reader struct {
	in     *bufio.Reader
	sum    hash.Hash
	total  Summary
	kind   protocol.Kind
	limits protocol.Limits
	next   func() (protocol.Payload, error)
	text   func() ([]byte, error) // the JSON text of the next message
	unit   string                 // what holds one: a line, or an element
	place  int64                  // of the latest unit, counted from 1
	closed bool                   // the array has ended
	held   *protocol.Payload      // a message that did not fit any more
	rest   []byte                 // of raw text: an unfinished character
}

// NewReader begins a file that goes into a stream of a kind.
func NewReader(in io.Reader, format string, k protocol.Kind, l protocol.Limits) (*Reader, error) {
	r := &Reader{sum: sha256.New(), kind: k, limits: l}
	r.in = bufio.NewReaderSize(io.TeeReader(in, writerFunc(r.count)), 64<<10)
	r.next = r.nextString
	if k == protocol.KindJSON {
		r.next = r.nextValues
	}
	switch {
	case format == NDJSON:
		r.text, r.unit = r.nextLine, "line"
	case format == JSON:
		r.text, r.unit = r.nextElement, "element"
	case format == Raw && k != protocol.KindJSON:
		r.next = r.nextPiece
	case format == Raw:
		return nil, &FormatError{"raw bytes are no JSON messages; import ndjson or json into a JSON stream"}
	default:
		return nil, &FormatError{fmt.Sprintf("%q cannot be imported; use ndjson, json or raw", format)}
	}
	return r, nil
}

func (r *Reader) count(p []byte) error {
	r.total.Bytes += int64(len(p))
	r.sum.Write(p)
	return nil
}

// Next returns the payload of the next append, io.EOF at the end. A line or an
// element that cannot be a message fails with a *[PlaceError].
func (r *Reader) Next() (protocol.Payload, error) {
	p, err := r.next()
	r.total.Messages += int64(p.Messages())
	return p, err
}

// Summary is what has been read.
func (r *Reader) Summary() Summary {
	s := r.total
	r.sum.Sum(s.SHA256[:0])
	return s
}

// wrong says where the text is that was read last.
func (r *Reader) wrong(err error) error {
	return &PlaceError{fmt.Sprintf("%s %d", r.unit, r.place), err}
}

// most is how long the text of a message can be.
func (r *Reader) most() int64 {
	if r.kind != protocol.KindJSON {
		return 6*r.limits.BodyBytes + 64 // as a string, escaped
	}
	return r.limits.BodyBytes
}

// byteOrderMark may stand before the text of a file.
const byteOrderMark = "\xef\xbb\xbf"

// nextLine returns the next line that is not blank.
func (r *Reader) nextLine() ([]byte, error) {
	for {
		r.place++
		var line []byte
		for {
			part, err := r.in.ReadSlice('\n')
			line = append(line, part...)
			if int64(len(line)) > r.most()+2 {
				return nil, r.wrong(r.tooLarge())
			}
			if err == io.EOF && len(line) > 0 {
				break // the last one, which nothing ends
			}
			if err == nil {
				break
			}
			if !errors.Is(err, bufio.ErrBufferFull) {
				return nil, err
			}
		}
		if r.place == 1 {
			line = bytes.TrimPrefix(line, []byte(byteOrderMark))
		}
		if line = bytes.Trim(line, " \t\r\n"); len(line) > 0 {
			return line, nil
		}
	}
}

func (r *Reader) tooLarge() error {
	return &protocol.LimitError{Limit: "max_body_bytes", Max: r.limits.BodyBytes, Status: 413}
}

// nextValues gathers JSON values.
func (r *Reader) nextValues() (all protocol.Payload, err error) {
	for {
		one := r.held
		if r.held = nil; one == nil {
			text, err := r.text()
			if err != nil {
				return r.last(all, err)
			}
			p, err := protocol.FrameValue(text, r.limits)
			if err == nil && int64(len(p.Data)) > r.limits.BodyBytes {
				err = r.tooLarge()
			}
			if err != nil {
				return r.last(all, r.wrong(err))
			}
			one = &p
		}
		if len(all.Data) > 0 && len(all.Data)+len(one.Data) > appendBytes {
			r.held = one
			return all, nil
		}
		if len(all.Data) > 0 {
			all.Data = append(all.Data, ',')
		}
		all.Data = append(all.Data, one.Data...)
		all.Sizes = append(all.Sizes, one.Sizes...)
		if len(all.Data) >= appendBytes || len(all.Sizes) >= appendMessages {
			return all, nil
		}
	}
}

// last returns what has been gathered at the end of the file. Before anything else
// that ends the reading it is dropped: the file mended, or sent to its end, makes
// another append of it.
func (r *Reader) last(all protocol.Payload, err error) (protocol.Payload, error) {
	if err == io.EOF && all.Messages() > 0 {
		return all, nil // EOF again comes next
	}
	return protocol.Payload{}, err
}

var errNoString = errors.New(`a message of a stream that is not JSON is a string, or {"base64":"…"}`)

// nextString reads one message that was written as a JSON value.
func (r *Reader) nextString() (protocol.Payload, error) {
	text, err := r.text()
	if err != nil {
		return protocol.Payload{}, err
	}
	data, err := unpack(text, r.limits)
	if err == nil && len(data) == 0 {
		err = errors.New("a message has at least one byte")
	}
	if err == nil && int64(len(data)) > r.limits.BodyBytes {
		err = r.tooLarge()
	}
	if err != nil {
		return protocol.Payload{}, r.wrong(err)
	}
	return protocol.Payload{Data: data, Sizes: []int{len(data)}}, nil
}

func unpack(value []byte, l protocol.Limits) ([]byte, error) {
	if _, err := protocol.FrameValue(value, l); err != nil {
		return nil, err
	}
	if value[0] == '"' {
		var text string
		if err := json.Unmarshal(value, &text); err != nil {
			return nil, errNoString
		}
		const replacement = "\ufffd" // what Go makes of half a pair
		if strings.Count(text, replacement) > bytes.Count(value, []byte(replacement))+bytes.Count(bytes.ToLower(value), []byte(`\ufffd`)) {
			return nil, errors.New("half of a surrogate pair is no character; write bytes that are no text as base64")
		}
		return []byte(text), nil
	}
	var p packed
	d := json.NewDecoder(bytes.NewReader(value))
	d.DisallowUnknownFields()
	if value[0] != '{' || d.Decode(&p) != nil || p.Base64 == nil {
		return nil, errNoString
	}
	data, err := base64.StdEncoding.DecodeString(*p.Base64)
	if err != nil {
		return nil, errors.New("base64: not valid base64")
	}
	return data, nil
}

// nextPiece cuts raw bytes; of text never within a character.
func (r *Reader) nextPiece() (protocol.Payload, error) {
	piece := make([]byte, pieceBytes)
	n, ended := copy(piece, r.rest), false
	for n < len(piece) && !ended {
		m, err := r.in.Read(piece[n:])
		n += m
		if ended = err == io.EOF; err != nil && !ended {
			return protocol.Payload{}, err
		}
	}
	piece = piece[:n]
	r.rest = nil
	if r.kind == protocol.KindText && !ended {
		whole := protocol.CompleteUTF8(piece)
		piece, r.rest = piece[:whole], piece[whole:]
	}
	if len(piece) == 0 {
		return protocol.Payload{}, io.EOF
	}
	return protocol.Payload{Data: piece, Sizes: []int{len(piece)}}, nil
}
