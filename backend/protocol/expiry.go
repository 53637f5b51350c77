package protocol

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxTTL keeps now + TTL within the range of a timestamp: about 317 years.
const maxTTL = 10_000_000_000

// Expiry is when a stream goes away by itself (PROTOCOL §5.1). The zero value is
// never.
type Expiry struct {
	// HasTTL is set when Stream-TTL was sent; TTL is the sliding window in seconds.
	HasTTL bool
	TTL    int64
	// At is the absolute instant of Stream-Expires-At; AtRaw is the header as it
	// was sent, which is how it is echoed. AtRaw is empty when there is none.
	At    time.Time
	AtRaw string
}

// ParseExpiry reads the values of Stream-TTL and Stream-Expires-At; ok flags
// tell whether each header was sent. Both at once, a TTL that is no plain
// decimal without leading zeros, or an instant that is not RFC 3339 are
// *BadRequestError.
func ParseExpiry(ttl string, hasTTL bool, at string, hasAt bool) (Expiry, error) {
	if hasTTL && hasAt {
		return Expiry{}, &BadRequestError{Field: HeaderStreamTTL, Reason: "cannot be combined with Stream-Expires-At; send one of the two"}
	}
	if hasTTL {
		n, err := parseTTL(ttl)
		return Expiry{HasTTL: true, TTL: n}, err
	}
	if hasAt {
		t, err := time.Parse(time.RFC3339, strings.ToUpper(at)) // t and z may be small (RFC 3339 §5.6)
		// time.Parse also takes T5:00:00Z and a comma before the fraction.
		if err != nil || at[len("2006-01-02T15")] != ':' || strings.Contains(at, ",") {
			return Expiry{}, &BadRequestError{
				Field:  HeaderStreamExpiresAt,
				Reason: quoteShort(at) + " is not an RFC 3339 time such as 2030-01-31T12:00:00Z",
			}
		}
		return Expiry{At: t, AtRaw: at}, nil
	}
	return Expiry{}, nil
}

func parseTTL(v string) (int64, error) {
	if isDigits(v) && (v == "0" || v[0] != '0') {
		if n, err := strconv.ParseInt(v, 10, 64); err == nil && n <= maxTTL {
			return n, nil
		}
	}
	return 0, &BadRequestError{
		Field:  HeaderStreamTTL,
		Reason: fmt.Sprintf("%s is not a number of seconds from 0 to %d without sign, fraction or leading zeros", quoteShort(v), int64(maxTTL)),
	}
}

// Equal reports whether two expiries are the same configuration; instants are
// compared as instants, not as text.
func (e Expiry) Equal(o Expiry) bool {
	if e.HasTTL != o.HasTTL || (e.AtRaw == "") != (o.AtRaw == "") {
		return false
	}
	return e.TTL == o.TTL && (e.AtRaw == "" || e.At.Equal(o.At))
}

// String describes the expiry for an error message.
func (e Expiry) String() string {
	switch {
	case e.HasTTL:
		return fmt.Sprintf("a TTL of %d s", e.TTL)
	case e.AtRaw != "":
		return "expiry at " + e.AtRaw
	default:
		return "no expiry"
	}
}
