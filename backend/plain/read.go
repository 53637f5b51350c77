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

// Rule names the way in which files are cut into appends.
const Rule = "1"

// LineError says which line of a file cannot be a message.
type LineError struct {
	Line int64 // counted from 1
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }
func (e *LineError) Unwrap() error { return e.Err }

// Reader cuts a file into appends.
type Reader struct {
	in     *bufio.Reader
	sum    hash.Hash
	total  Summary
	kind   protocol.Kind
	limits protocol.Limits
	next   func() (protocol.Payload, error)
	line   int64
	held   *protocol.Payload // a message that did not fit any more
	rest   []byte            // of raw text: an unfinished character
}

// NewReader begins a file that goes into a stream of a kind.
func NewReader(in io.Reader, format string, k protocol.Kind, l protocol.Limits) (*Reader, error) {
	r := &Reader{sum: sha256.New(), kind: k, limits: l}
	r.in = bufio.NewReaderSize(io.TeeReader(in, writerFunc(r.count)), 64<<10)
	switch {
	case format == NDJSON && k == protocol.KindJSON:
		r.next = r.nextValues
	case format == NDJSON:
		r.next = r.nextString
	case format == Raw && k != protocol.KindJSON:
		r.next = r.nextPiece
	case format == Raw:
		return nil, &FormatError{"raw bytes are no JSON messages; import ndjson into a JSON stream"}
	default:
		return nil, &FormatError{fmt.Sprintf("%q cannot be imported; use ndjson or raw", format)}
	}
	return r, nil
}

func (r *Reader) count(p []byte) error {
	r.total.Bytes += int64(len(p))
	r.sum.Write(p)
	return nil
}

// Next returns the payload of the next append, io.EOF at the end. A line that
// cannot be a message fails with a *[LineError].
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

// nextLine returns the next line that is not blank.
func (r *Reader) nextLine() ([]byte, error) {
	most := r.limits.BodyBytes
	if r.kind != protocol.KindJSON {
		most = 6*most + 64 // as a string, escaped
	}
	for {
		var line []byte
		for {
			part, err := r.in.ReadSlice('\n')
			line = append(line, part...)
			if int64(len(line)) > most+2 {
				return nil, &LineError{r.line + 1, r.tooLarge()}
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
		if r.line++; r.line == 1 {
			line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
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
			line, err := r.nextLine()
			if err != nil {
				return r.last(all, err)
			}
			p, err := protocol.FrameValue(line, r.limits)
			if err == nil && int64(len(p.Data)) > r.limits.BodyBytes {
				err = r.tooLarge()
			}
			if err != nil {
				return r.last(all, &LineError{r.line, err})
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
// that ends the reading it is dropped: the file with its line mended, or sent to
// its end, makes another append of it.
func (r *Reader) last(all protocol.Payload, err error) (protocol.Payload, error) {
	if err == io.EOF && all.Messages() > 0 {
		return all, nil // EOF again comes next
	}
	return protocol.Payload{}, err
}

var errNoString = errors.New(`a message of a stream that is not JSON is a string, or {"base64":"…"}`)

// nextString reads one message that was written as a JSON value.
func (r *Reader) nextString() (protocol.Payload, error) {
	line, err := r.nextLine()
	if err != nil {
		return protocol.Payload{}, err
	}
	data, err := unpack(line, r.limits)
	if err == nil && len(data) == 0 {
		err = errors.New("a message has at least one byte")
	}
	if err == nil && int64(len(data)) > r.limits.BodyBytes {
		err = r.tooLarge()
	}
	if err != nil {
		return protocol.Payload{}, &LineError{r.line, err}
	}
	return protocol.Payload{Data: data, Sizes: []int{len(data)}}, nil
}

func unpack(line []byte, l protocol.Limits) ([]byte, error) {
	if _, err := protocol.FrameValue(line, l); err != nil {
		return nil, err
	}
	if line[0] == '"' {
		var text string
		if err := json.Unmarshal(line, &text); err != nil {
			return nil, errNoString
		}
		const replacement = "\ufffd" // what Go makes of half a pair
		if strings.Count(text, replacement) > bytes.Count(line, []byte(replacement))+bytes.Count(bytes.ToLower(line), []byte(`\ufffd`)) {
			return nil, errors.New("half of a surrogate pair is no character; write bytes that are no text as base64")
		}
		return []byte(text), nil
	}
	var p packed
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if line[0] != '{' || d.Decode(&p) != nil || p.Base64 == nil {
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
