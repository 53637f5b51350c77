package filter

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
)

// isNumber reports whether a JSON value is a number.
func isNumber(value []byte) bool {
	return len(value) > 0 && (value[0] == '-' || (value[0] >= '0' && value[0] <= '9')) && json.Valid(value)
}

// decimal is a number as digits: 0.digits × 10^exponent, with neither leading nor
// trailing zeros among the digits. Zero has no digits.
type decimal struct {
	negative bool
	digits   string
	exponent int64
}

func parseDecimal(s string) decimal {
	var d decimal
	s, d.negative = strings.CutPrefix(s, "-")
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		// An exponent beyond 64 bits is as good as the largest one.
		d.exponent, _ = strconv.ParseInt(strings.TrimPrefix(s[i+1:], "+"), 10, 64)
		d.exponent = min(max(d.exponent, -1<<61), 1<<61)
		s = s[:i]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	d.exponent += int64(len(whole) - (len(whole) + len(fraction) - len(digits)))
	d.digits = strings.TrimRight(digits, "0")
	if d.digits == "" {
		return decimal{}
	}
	return d
}

// compareNumbers orders two JSON numbers exactly, however long they are.
func compareNumbers(a, b string) int {
	x, y := parseDecimal(a), parseDecimal(b)
	switch {
	case x.negative != y.negative:
		return cmp.Compare(x.sign(), y.sign())
	case x.digits == "" || y.digits == "":
		return cmp.Compare(x.sign(), y.sign())
	}
	order := cmp.Compare(x.exponent, y.exponent)
	if order == 0 {
		order = strings.Compare(x.digits, y.digits)
	}
	return order * x.sign()
}

func (d decimal) sign() int {
	switch {
	case d.digits == "":
		return 0
	case d.negative:
		return -1
	default:
		return 1
	}
}
