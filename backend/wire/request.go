package wire

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
)

// maxBody is the size of the largest body that is plain: what of it a handler does
// not read is read here. With larger ones net/http's work for a request does not
// matter.
const maxBody = 256 << 10

var endOfHead = []byte("\r\n\r\n")

// field is a line of the head. Clients repeat themselves: what the last request on
// a connection said as well is not made into strings again.
type field struct {
	name   string // as it was sent
	key    string // in its canonical form
	values []string
}

// parse makes c.r the request at the start of the buffer, and reports whether it
// is plain. It then leaves the buffer at the body; otherwise where it was.
//
// Plain is, and only that:
//   - its head is in the buffer as a whole, and its lines end with CR LF;
//   - it asks for a path, in HTTP/1.1, with one Host;
//   - names and values hold what RFC 9110 §5 allows, and values fit on their line;
//   - its body has a length, given once, of at most maxBody, and is sent at once;
//   - it has none if the request waits, since what comes next tells whether the
//     client is there;
//   - the connection is to stay what it is: no Connection but keep-alive, no
//     Upgrade, no Transfer-Encoding, no Trailer.
func (c *conn) parse() bool {
	head := c.buf[c.start:c.end]
	size := bytes.Index(head, endOfHead)
	if size < 0 {
		return false
	}
	line, rest, _ := bytes.Cut(head[:size+2], []byte("\r\n"))
	method, line, ok1 := bytes.Cut(line, []byte(" "))
	target, version, ok2 := bytes.Cut(line, []byte(" "))
	if !ok1 || !ok2 || string(version) != "HTTP/1.1" || !isMethod(method) || !c.parseTarget(target) {
		return false
	}
	r := c.r
	*r = *c.blank // a handler may have left something in the one before
	r.Method, r.ContentLength = methodName(method), -1
	clear(r.Header)
	n := 0
	for ; len(rest) > 0; n++ {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, ok := bytes.Cut(line, []byte(":"))
		value = bytes.Trim(value, " \t")
		if !ok || !isToken(name) || !isValue(value) {
			return false
		}
		if !c.take(c.remember(n, name, value)) {
			return false
		}
	}
	c.fields = c.fields[:n]
	if r.Host == "" {
		return false
	}
	r.ContentLength = max(r.ContentLength, 0)
	if r.ContentLength > 0 && c.s.o.Waits(r) {
		return false
	}
	c.body.left, c.body.err = r.ContentLength, nil
	r.Body = http.NoBody
	if r.ContentLength > 0 {
		r.Body = &c.body
	}
	c.start += size + len(endOfHead)
	return true
}

func (c *conn) parseTarget(target []byte) bool {
	if len(target) == 0 || target[0] != '/' {
		return false
	}
	if string(target) == c.target {
		return true
	}
	text := string(target)
	u, err := url.ParseRequestURI(text)
	if err != nil {
		return false
	}
	c.target, c.blank.RequestURI, c.blank.URL = text, text, u
	return true
}

// remember returns the n-th field as strings.
func (c *conn) remember(n int, name, value []byte) *field {
	if n == len(c.fields) {
		c.fields = append(c.fields, field{})
	}
	f := &c.fields[n]
	if f.name != string(name) {
		f.name = string(name)
		f.key = textproto.CanonicalMIMEHeaderKey(f.name)
		f.values = nil
	}
	if len(f.values) == 0 || f.values[0] != string(value) {
		f.values = []string{string(value)}
	}
	return f
}

// take adds a field to the request, and reports whether it leaves it plain.
func (c *conn) take(f *field) bool {
	r, value := c.r, f.values[0]
	switch f.key {
	case "Host":
		if r.Host != "" || !isHost(value) {
			return false
		}
		r.Host = value
		return true // net/http does not leave it among the headers either
	case "Content-Length":
		length, err := strconv.ParseUint(value, 10, 63)
		if err != nil || value[0] == '+' || r.ContentLength >= 0 || length > maxBody {
			return false
		}
		r.ContentLength = int64(length)
	case "Connection":
		if !strings.EqualFold(value, "keep-alive") {
			return false
		}
	case "Transfer-Encoding", "Trailer", "Te", "Expect", "Upgrade", "Http2-Settings", "Proxy-Connection", "Pragma":
		return false
	}
	if others, sent := r.Header[f.key]; sent {
		r.Header[f.key] = append(others[:len(others):len(others)], value)
	} else {
		r.Header[f.key] = f.values[:1:1]
	}
	return true
}

// methodName returns the usual methods without making a string.
func methodName(method []byte) string {
	switch string(method) {
	case http.MethodGet:
		return http.MethodGet
	case http.MethodHead:
		return http.MethodHead
	case http.MethodPost:
		return http.MethodPost
	case http.MethodPut:
		return http.MethodPut
	case http.MethodDelete:
		return http.MethodDelete
	}
	return string(method)
}

func isMethod(b []byte) bool {
	for _, c := range b {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return len(b) > 0
}

// isToken reports whether b is a token (RFC 9110 §5.6.2).
func isToken(b []byte) bool {
	for _, c := range b {
		if !tokenByte[c] {
			return false
		}
	}
	return len(b) > 0
}

var tokenByte = bytesOf("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")

// isValue reports whether b holds what a value may (RFC 9110 §5.5).
func isValue(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// isHost reports whether s holds what names, addresses and ports consist of.
func isHost(s string) bool {
	for i := range len(s) {
		if !hostByte[s[i]] {
			return false
		}
	}
	return s != ""
}

var hostByte = bytesOf(".-_:[]0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")

func bytesOf(s string) (set [256]bool) {
	for i := range len(s) {
		set[s[i]] = true
	}
	return set
}
