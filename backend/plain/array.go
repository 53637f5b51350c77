package plain

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

var errArrayBroken = errors.New("the file ends within the array")

// nextElement returns the text of the next element of the array that the file
// holds. It only looks for where that ends; whether it is a value is for whoever
// frames it.
func (r *Reader) nextElement() ([]byte, error) {
	if r.place == 0 {
		if err := r.openArray(); err != nil {
			return nil, err
		}
	}
	if r.closed {
		return nil, r.closeArray()
	}
	r.place++
	var text []byte
	depth, quoted, escaped := 0, false, false
	for {
		c, err := r.in.ReadByte()
		switch {
		case err == io.EOF:
			return nil, r.wrong(errArrayBroken)
		case err != nil:
			return nil, err
		case escaped:
			escaped = false
		case quoted:
			escaped, quoted = c == '\\', c != '"'
		case c == '"':
			quoted = true
		case c == '[' || c == '{':
			depth++
		case depth > 0 && (c == ']' || c == '}'):
			depth--
		case depth == 0 && (c == ',' || c == ']'):
			r.closed = c == ']'
			if text = bytes.TrimRight(text, jsonSpace); len(text) == 0 && r.closed && r.place == 1 {
				return nil, r.closeArray() // []
			}
			return text, nil
		}
		if len(text) == 0 && isSpace(c) {
			continue
		}
		if text = append(text, c); int64(len(text)) > r.most() {
			return nil, r.wrong(r.tooLarge())
		}
	}
}

const jsonSpace = " \t\r\n"

func isSpace(c byte) bool { return strings.IndexByte(jsonSpace, c) >= 0 }

// skipSpace returns the next byte that is not white space.
func (r *Reader) skipSpace() (byte, error) {
	for {
		c, err := r.in.ReadByte()
		if err != nil || !isSpace(c) {
			return c, err
		}
	}
}

func (r *Reader) openArray() error {
	if mark, _ := r.in.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		_, _ = r.in.Discard(len(mark)) // it is in the buffer
	}
	c, err := r.skipSpace()
	switch {
	case err == io.EOF:
		return &PlaceError{"no array", errors.New("the file is empty; one without messages is []")}
	case err != nil:
		return err
	case c != '[':
		return &PlaceError{"no array", fmt.Errorf("the file begins with %q; with a message on each line it is ndjson", c)}
	}
	return nil
}

// closeArray reads what stands behind the array, which is nothing.
func (r *Reader) closeArray() error {
	c, err := r.skipSpace()
	if err == nil {
		return &PlaceError{"behind the array", fmt.Errorf("%q; a file holds one array, and nothing else", c)}
	}
	return err
}
