package journal

import (
	"net/http"
	"net/url"
	"strings"

	"tailrace/backend/protocol"
)

// kept are the headers whose values are kept. A header that is not here is known
// by its name only: what it holds may be secret. Entries refer to them by their
// index, so only the end may be added to within one run.
var kept = []string{
	1: "Accept", "Accept-Encoding", "Accept-Language", "Access-Control-Request-Headers", "Access-Control-Request-Method",
	"Cache-Control", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Date", "Expect", "If-None-Match",
	"Last-Event-ID", "Origin", "Range", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Transfer-Encoding", "User-Agent",
	"Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Private-Network", "Access-Control-Max-Age",
	"Allow", "ETag", "Location", "Request-Id", "Retry-After", "Vary", "WWW-Authenticate", "X-Accel-Buffering",
	protocol.HeaderStreamNextOffset, protocol.HeaderStreamCursor, protocol.HeaderStreamUpToDate, protocol.HeaderStreamClosed,
	protocol.HeaderStreamSeq, protocol.HeaderStreamTTL, protocol.HeaderStreamExpiresAt, protocol.HeaderStreamForkedFrom,
	protocol.HeaderStreamForkOffset, protocol.HeaderStreamForkSubOffset, protocol.HeaderProducerID, protocol.HeaderProducerEpoch,
	protocol.HeaderProducerSeq, protocol.HeaderProducerExpectedSeq, protocol.HeaderProducerReceivedSeq,
	protocol.HeaderStreamSSEDataEncoding,
}

// Indices that stand for no kept header.
const (
	endOfHeaders = 0
	leftOut      = 254 // one that every answer carries alike
	onlyName     = 255
)

// keptIndex finds a header by its spelling in a header map.
var keptIndex = func() map[string]byte {
	m := map[string]byte{
		"X-Content-Type-Options": leftOut, "Cross-Origin-Resource-Policy": leftOut, "Content-Security-Policy": leftOut,
		"Access-Control-Expose-Headers": leftOut, "Access-Control-Allow-Headers": leftOut,
	}
	for i, name := range kept[1:] {
		m[name], m[http.CanonicalHeaderKey(name)] = byte(i+1), byte(i+1)
	}
	return m
}()

// Bounds of what is kept of one request, so that none takes the room of many.
const (
	maxHeaders = 64
	maxValue   = 1024
	maxName    = 64
	maxTarget  = 2048
)

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// keepValue is what is kept of a header's value.
func keepValue(name, value string) string {
	if name == protocol.HeaderStreamForkedFrom || name == "Location" {
		value, _, _ = strings.Cut(value, "?")
		if scheme, rest, ok := strings.Cut(value, "://"); ok {
			host, path, _ := strings.Cut(rest, "/")
			value = scheme + "://" + host[strings.LastIndexByte(host, '@')+1:] + "/" + path
		}
	}
	return cut(value, maxValue)
}

// HiddenValue stands for the value of a query parameter that is not kept.
const HiddenValue = "…"

// keepQuery is what is kept of a query: the parameters of the protocol, and the
// names of others.
func keepQuery(raw string) string {
	if raw == "" {
		return ""
	}
	var b strings.Builder
	for pair := range strings.SplitSeq(cut(raw, maxTarget), "&") {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		name, value, valued := strings.Cut(pair, "=")
		decoded, err := url.QueryUnescape(name)
		if err != nil || (decoded != protocol.QueryOffset && decoded != protocol.QueryLive && decoded != protocol.QueryCursor) {
			value = HiddenValue
			if !valued {
				name, valued = "", true // a bare word is as likely a value
			}
		}
		b.WriteString(cut(name, maxName))
		if valued {
			b.WriteByte('=')
			b.WriteString(value)
		}
	}
	return b.String()
}
