package protocol

import (
	"net/http"
	"unicode/utf8"
)

// Limits bound what one request may ask of the server. A request over a limit
// gets an error that names it.
type Limits struct {
	// BodyBytes is the largest PUT or POST body, in bytes.
	BodyBytes int64
	// PathBytes is the longest decoded stream path, in bytes.
	PathBytes int
	// HeaderValueBytes is the longest value of a protocol header, in bytes.
	HeaderValueBytes int
	// MessagesPerAppend is the largest number of JSON messages in one append.
	MessagesPerAppend int
	// QueryBytes is the longest query string, in bytes.
	QueryBytes int
	// JSONDepth is how deep JSON arrays and objects may nest.
	JSONDepth int
}

// CheckHeaderValue checks a header value that is stored or shown: at most
// l.HeaderValueBytes long, valid UTF-8, no control characters. Errors are
// *BadRequestError or *LimitError.
func CheckHeaderValue(name, v string, l Limits) error {
	if len(v) > l.HeaderValueBytes {
		return &LimitError{
			Field: name, Limit: "max_header_value_bytes", Max: int64(l.HeaderValueBytes),
			Status: http.StatusRequestHeaderFieldsTooLarge,
		}
	}
	if !utf8.ValidString(v) || !isPrintable(v) {
		return &BadRequestError{Field: name, Reason: "not valid UTF-8 text without control characters"}
	}
	return nil
}

// DefaultLimits are the limits when nothing is configured.
func DefaultLimits() Limits {
	return Limits{
		BodyBytes:         64 << 20,
		PathBytes:         1024,
		HeaderValueBytes:  1024,
		QueryBytes:        4096,
		MessagesPerAppend: 65_536,
		JSONDepth:         512,
	}
}
