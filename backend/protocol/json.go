package protocol

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"unicode/utf8"
)

// frameJSON validates a JSON body and cuts it into messages: the elements of a
// top-level array, or the one value that it is (PROTOCOL §9.1.2). Every message
// keeps its bytes exactly as they came; nothing is re-serialised, so numbers
// keep their digits and objects their duplicate keys.
func frameJSON(body []byte, allowEmptyArray bool, l Limits) (Payload, error) {
	if !utf8.Valid(body) {
		return Payload{}, badJSON("not valid UTF-8")
	}
	if len(body) >= 3 && string(body[:3]) == "\xef\xbb\xbf" {
		return Payload{}, badJSON("starts with a byte order mark; send plain UTF-8")
	}
	s := jsonScanner{b: body, maxDepth: l.JSONDepth}
	s.space()
	if s.i < len(body) && body[s.i] == '[' {
		return s.frameArray(allowEmptyArray, l.MessagesPerAppend)
	}
	return s.frameValue(0)
}

// FrameValue turns one JSON value into one message. Unlike a request body, an
// array is not taken apart: it is an element like any other.
func FrameValue(text []byte, l Limits) (Payload, error) {
	if !utf8.Valid(text) {
		return Payload{}, badJSON("not valid UTF-8")
	}
	s := jsonScanner{b: text, maxDepth: l.JSONDepth}
	s.space()
	return s.frameValue(1)
}

// frameValue reads the one value that there is from s.i on.
func (s *jsonScanner) frameValue(depth int) (Payload, error) {
	start := s.i
	if err := s.value(depth); err != nil {
		return Payload{}, err
	}
	end := s.i
	if err := s.end(); err != nil {
		return Payload{}, err
	}
	return Payload{Data: s.b[start:end], Sizes: []int{end - start}}, nil
}

func badJSON(format string, args ...any) error {
	return &BadRequestError{Field: "body", Reason: "invalid JSON: " + fmt.Sprintf(format, args...)}
}

// jsonScanner checks JSON text (RFC 8259) and finds where values end. It never
// builds the values.
type jsonScanner struct {
	b        []byte
	i        int
	maxDepth int
}

// frameArray reads the top-level array at s.i and returns its elements, joined
// by commas. Where the body already is in that form its memory is used.
func (s *jsonScanner) frameArray(allowEmpty bool, maxMessages int) (Payload, error) {
	s.i++ // '['
	first := s.i
	type span struct{ start, end int }
	var spans []span
	compact := true
	s.space()
	if s.peek() == ']' {
		s.i++
		if err := s.end(); err != nil {
			return Payload{}, err
		}
		if !allowEmpty {
			return Payload{}, &BadRequestError{Field: "body", Reason: "the array [] holds no messages; an append needs at least one"}
		}
		return Payload{}, nil
	}
	prev := first
	for {
		start := s.i
		if err := s.value(1); err != nil {
			return Payload{}, err
		}
		compact = compact && start == prev
		spans = append(spans, span{start, s.i})
		if len(spans) > maxMessages {
			return Payload{}, &LimitError{Limit: "max_messages_per_append", Max: int64(maxMessages), Status: 413}
		}
		s.space()
		switch s.peek() {
		case ',':
			compact = compact && s.i == spans[len(spans)-1].end
			prev = s.i + 1
			s.i++
			s.space()
		case ']':
			s.i++
			if err := s.end(); err != nil {
				return Payload{}, err
			}
			sizes := make([]int, len(spans))
			total := len(spans) - 1
			for k, sp := range spans {
				sizes[k] = sp.end - sp.start
				total += sizes[k]
			}
			if compact {
				return Payload{Data: s.b[first : first+total], Sizes: sizes}, nil
			}
			data := make([]byte, 0, total)
			for k, sp := range spans {
				if k > 0 {
					data = append(data, ',')
				}
				data = append(data, s.b[sp.start:sp.end]...)
			}
			return Payload{Data: data, Sizes: sizes}, nil
		default:
			return Payload{}, s.unexpected("a comma or ] after an array element")
		}
	}
}

// end accepts only white space up to the end of the body.
func (s *jsonScanner) end() error {
	s.space()
	if s.i < len(s.b) {
		return s.unexpected("the end of the body")
	}
	return nil
}

// peek returns the byte at s.i, or 0 at the end of the body (a 0 byte is never
// valid outside a string, nor inside one).
func (s *jsonScanner) peek() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *jsonScanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

func (s *jsonScanner) unexpected(expected string) error {
	if s.i >= len(s.b) {
		return badJSON("the body ends at byte %d; expected %s", len(s.b), expected)
	}
	r, _ := utf8.DecodeRune(s.b[s.i:])
	return badJSON("%q at byte %d; expected %s", r, s.i, expected)
}

// value moves past one value. depth counts the arrays and objects around it.
func (s *jsonScanner) value(depth int) error {
	switch c := s.peek(); {
	case c == '{' || c == '[':
		if depth >= s.maxDepth {
			return &LimitError{Limit: "max_json_depth", Max: int64(s.maxDepth), Status: 400}
		}
		if c == '{' {
			return s.object(depth + 1)
		}
		return s.array(depth + 1)
	case c == '"':
		return s.string()
	case c == '-' || (c >= '0' && c <= '9'):
		return s.number()
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	default:
		return s.unexpected("a value")
	}
}

func (s *jsonScanner) literal(word string) error {
	for k := range len(word) {
		if s.peek() != word[k] {
			return s.unexpected(word)
		}
		s.i++
	}
	return nil
}

func (s *jsonScanner) array(depth int) error {
	s.i++ // '['
	s.space()
	if s.peek() == ']' {
		s.i++
		return nil
	}
	for {
		if err := s.value(depth); err != nil {
			return err
		}
		s.space()
		switch s.peek() {
		case ',':
			s.i++
			s.space()
		case ']':
			s.i++
			return nil
		default:
			return s.unexpected("a comma or ] after an array element")
		}
	}
}

func (s *jsonScanner) object(depth int) error {
	s.i++ // '{'
	s.space()
	if s.peek() == '}' {
		s.i++
		return nil
	}
	for {
		if s.peek() != '"' {
			return s.unexpected("a quoted object key")
		}
		if err := s.string(); err != nil {
			return err
		}
		s.space()
		if s.peek() != ':' {
			return s.unexpected("a colon after an object key")
		}
		s.i++
		s.space()
		if err := s.value(depth); err != nil {
			return err
		}
		s.space()
		switch s.peek() {
		case ',':
			s.i++
			s.space()
		case '}':
			s.i++
			return nil
		default:
			return s.unexpected("a comma or } after an object member")
		}
	}
}

func (s *jsonScanner) string() error {
	s.i++ // opening quote
	for start := s.i; s.i < len(s.b); {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return nil
		case c == '\\':
			s.i++
			if err := s.escape(); err != nil {
				return err
			}
		case c < 0x20:
			return badJSON("control character 0x%02x at byte %d; escape it", c, s.i)
		case s.i-start < 8: // most are short
			s.i++
		default:
			s.i += 1 + plainBytes(s.b[s.i+1:])
		}
	}
	return s.unexpected("a closing quote")
}

// plainBytes is how many bytes there are before the first that means something in a
// string, a quote, a backslash or a control character; or less, where fewer than
// eight are left, since it looks at so many at a time.
func plainBytes(b []byte) int {
	const ones, highs = 0x01010101_01010101, 0x80808080_80808080
	i := 0
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		quote, backslash := w^(ones*'"'), w^(ones*'\\')
		// Of the high bits that a subtraction sets and the minuend has not, the lowest
		// one is that of the first byte that was less: than 0x20 here, than 1 there.
		if found := ((w-ones*0x20)&^w | (quote-ones)&^quote | (backslash-ones)&^backslash) & highs; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	return i
}

// escape moves past what follows a backslash.
func (s *jsonScanner) escape() error {
	switch s.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.i++
		return nil
	case 'u':
		s.i++
		for range 4 {
			c := s.peek()
			if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
				return s.unexpected(`four hexadecimal digits after \u`)
			}
			s.i++
		}
		return nil
	default:
		return s.unexpected(`an escape character after \`)
	}
}

func (s *jsonScanner) number() error {
	if s.peek() == '-' {
		s.i++
	}
	if s.peek() == '0' {
		s.i++
	} else if err := s.digits(); err != nil {
		return err
	}
	if s.peek() == '.' {
		s.i++
		if err := s.digits(); err != nil {
			return err
		}
	}
	if s.peek()|0x20 == 'e' {
		s.i++
		if c := s.peek(); c == '+' || c == '-' {
			s.i++
		}
		return s.digits()
	}
	return nil
}

func (s *jsonScanner) digits() error {
	start := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	if s.i == start {
		return s.unexpected("a digit")
	}
	return nil
}
