package protocol

import (
	"strconv"
	"strings"
)

// ETag is the entity tag of a read: which stream, created when (unix
// milliseconds), from where, to where, and whether it ended in closure, so that a
// 304 never hides that a stream was closed or created anew, in another log at the
// same address as well (PROTOCOL §10.1).
func ETag(stream, created, from, to int64, closed bool) string {
	b := make([]byte, 0, 64)
	b = append(b, '"')
	b = strconv.AppendInt(b, stream, 10)
	b = append(b, '.')
	b = strconv.AppendInt(b, created, 36)
	b = append(b, '.')
	b = strconv.AppendInt(b, from, 10)
	b = append(b, '.')
	b = strconv.AppendInt(b, to, 10)
	if closed {
		b = append(b, ".c"...)
	}
	return string(append(b, '"'))
}

// MatchETag reports whether an If-None-Match value names the tag, by weak
// comparison: a list, W/ prefixes and * are understood.
func MatchETag(ifNoneMatch, etag string) bool {
	for v := range strings.SplitSeq(ifNoneMatch, ",") {
		v = strings.TrimSpace(v)
		if v == "*" || strings.TrimPrefix(v, "W/") == etag {
			return true
		}
	}
	return false
}
