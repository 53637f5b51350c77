package protocol

import (
	"fmt"
	"strconv"
	"strings"
)

// Offset is a position within one incarnation of a stream (PROTOCOL §8).
// Clients see it as the token "%016d_%016d", which sorts lexicographically in
// stream order.
type Offset struct {
	// Incarnation counts how often the path was created anew: 0 for the first
	// stream at a path. An offset of an earlier incarnation is refused instead of
	// silently skipping the data of the stream that now lives there.
	Incarnation int64
	// Position is a payload byte position, for JSON streams a message index.
	Position int64
}

// maxOffsetPart keeps both parts within their 16 digits, so that tokens sort.
const maxOffsetPart = 9_999_999_999_999_999

// String is the token that clients see.
func (o Offset) String() string {
	var b [33]byte
	putDigits(b[:16], o.Incarnation)
	b[16] = '_'
	putDigits(b[17:], o.Position)
	return string(b[:])
}

// Append appends the token to b.
func (o Offset) Append(b []byte) []byte {
	n := len(b)
	b = append(b, "0000000000000000_0000000000000000"...)
	putDigits(b[n:n+16], o.Incarnation)
	putDigits(b[n+17:], o.Position)
	return b
}

func putDigits(b []byte, n int64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
}

// OffsetQuery is what a client asked for with the offset parameter.
type OffsetQuery struct {
	// Start is the sentinel -1, an absent parameter or the zero token: the first
	// byte of whatever stream is there.
	Start bool
	// Now is the sentinel now: the tail at the time of the request.
	Now bool
	// Offset is set when neither sentinel is.
	Offset Offset
}

// ParseOffset parses an offset parameter: "-1", "now" or a token that this
// server issued (`^\d+_\d+$`). Anything else is a *BadRequestError.
func ParseOffset(s string) (OffsetQuery, error) {
	switch s {
	case "-1":
		return OffsetQuery{Start: true}, nil
	case "now":
		return OffsetQuery{Now: true}, nil
	}
	o, err := ParseOffsetToken(s)
	if err != nil {
		return OffsetQuery{}, err
	}
	return OffsetQuery{Start: o == Offset{}, Offset: o}, nil
}

// ParseOffsetToken parses a token without accepting the sentinels.
func ParseOffsetToken(s string) (Offset, error) {
	inc, pos, ok := strings.Cut(s, "_")
	if !ok {
		return Offset{}, badOffset(s)
	}
	i, ok1 := parseOffsetPart(inc)
	p, ok2 := parseOffsetPart(pos)
	if !ok1 || !ok2 {
		return Offset{}, badOffset(s)
	}
	return Offset{Incarnation: i, Position: p}, nil
}

// ParseSubOffset parses Stream-Fork-Sub-Offset (PROTOCOL §4.2): a whole number
// without sign or leading zeros. Anything else is a *BadRequestError.
func ParseSubOffset(s string) (int64, error) {
	n, ok := parseOffsetPart(s)
	if !ok || (len(s) > 1 && s[0] == '0') {
		return 0, &BadRequestError{
			Field:  HeaderStreamForkSubOffset,
			Reason: quoteShort(s) + " is not a whole number in decimal digits without leading zeros",
		}
	}
	return n, nil
}

func parseOffsetPart(s string) (int64, bool) {
	if !isDigits(s) {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n <= maxOffsetPart
}

func badOffset(s string) error {
	return &BadRequestError{
		Field:  QueryOffset,
		Reason: fmt.Sprintf("%s is not an offset; use -1, now, or a token from Stream-Next-Offset", quoteShort(s)),
	}
}

func isDigits(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// quoteShort quotes user input for an error message without letting it grow.
func quoteShort(s string) string {
	const limit = 64
	if len(s) > limit {
		return strconv.Quote(s[:limit]) + "…"
	}
	return strconv.Quote(s)
}
