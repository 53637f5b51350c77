package protocol

import (
	"strings"
	"unicode/utf8"
)

// Kind is how the server treats a stream's bytes; the content type decides it.
type Kind uint8

const (
	// KindBytes streams are opaque; SSE carries them as base64.
	KindBytes Kind = iota
	// KindText streams (text/*) are bytes that SSE carries as UTF-8 text.
	KindText
	// KindJSON streams (application/json) are sequences of JSON messages
	// (PROTOCOL §9.1).
	KindJSON
)

// String names the kind: "bytes", "text" or "json".
func (k Kind) String() string {
	switch k {
	case KindJSON:
		return "json"
	case KindText:
		return "text"
	default:
		return "bytes"
	}
}

// DefaultContentType is the type of a stream created without one.
const DefaultContentType = "application/octet-stream"

const mediaTypeJSON = "application/json"

// ParseContentType returns the media type of a Content-Type value: lower case
// and without parameters. A value without the form type/subtype is a
// *BadRequestError.
func ParseContentType(v string) (mediaType string, err error) {
	m, _, _ := strings.Cut(v, ";")
	m = strings.TrimSpace(m)
	typ, sub, ok := strings.Cut(m, "/")
	if !ok || !isToken(typ) || !isToken(sub) || !isPrintable(v) || !isASCII(v) {
		return "", &BadRequestError{
			Field:  "Content-Type",
			Reason: quoteShort(v) + " is not a media type; expected type/subtype such as application/json",
		}
	}
	return strings.ToLower(m), nil
}

// KindOf returns the kind of streams with a media type as ParseContentType
// returns it.
func KindOf(mediaType string) Kind {
	switch {
	case mediaType == mediaTypeJSON:
		return KindJSON
	case strings.HasPrefix(mediaType, "text/"):
		return KindText
	default:
		return KindBytes
	}
}

// isToken reports whether s is a token of RFC 9110 §5.6.2.
func isToken(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func isPrintable(s string) bool {
	for i := range len(s) {
		if (s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f {
			return false
		}
	}
	return true
}
