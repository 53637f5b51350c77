package protocol

import (
	"bytes"
	"encoding/base64"
	"unicode/utf8"
)

// AppendSSEData appends one data event that carries p to b (PROTOCOL §5.8): JSON
// messages as one array, text with every line prefixed, bytes as base64. p is
// in the form of Payload.Data.
func AppendSSEData(b []byte, k Kind, p []byte) []byte {
	b = append(b, "event: data\n"...)
	switch k {
	case KindJSON:
		b = append(b, "data:["...)
		b = appendSSELines(b, p)
		b = append(b, "]\n"...)
	case KindText:
		b = append(b, "data:"...)
		b = appendSSELines(b, p)
		b = append(b, '\n')
	default:
		b = append(b, "data:"...)
		b = base64.StdEncoding.AppendEncode(b, p)
		b = append(b, '\n')
	}
	return append(b, '\n')
}

// appendSSELines appends p behind a "data:", beginning a new data: line at every
// CRLF, CR and LF, so that no payload can end a line of ours. Clients strip one
// space behind the colon, so a line that begins with one gets another.
func appendSSELines(b, p []byte) []byte {
	for {
		if len(p) > 0 && p[0] == ' ' {
			b = append(b, ' ')
		}
		i := bytes.IndexAny(p, "\r\n")
		if i < 0 {
			return append(b, p...)
		}
		b = append(b, p[:i]...)
		b = append(b, "\ndata:"...)
		if p[i] == '\r' && i+1 < len(p) && p[i+1] == '\n' {
			i++
		}
		p = p[i+1:]
	}
}

// SSEControl is the content of a control event.
type SSEControl struct {
	Next     Offset
	Cursor   string // left out when Closed
	UpToDate bool
	Closed   bool
}

// AppendSSEControl appends a control event to b.
func AppendSSEControl(b []byte, c SSEControl) []byte {
	b = append(b, "event: control\ndata:{\"streamNextOffset\":\""...)
	b = c.Next.Append(b)
	b = append(b, '"')
	if !c.Closed {
		b = append(b, `,"streamCursor":"`...)
		b = append(b, c.Cursor...)
		b = append(b, '"')
	}
	if c.UpToDate || c.Closed {
		b = append(b, `,"upToDate":true`...)
	}
	if c.Closed {
		b = append(b, `,"streamClosed":true`...)
	}
	return append(b, "}\n\n"...)
}

// CompleteText returns how many leading bytes of p can be sent as lines of text:
// all but what CompleteUTF8 holds back, or a carriage return at the end, which
// may be half of a line end.
func CompleteText(p []byte) int {
	n := CompleteUTF8(p)
	if n == len(p) && n > 0 && p[n-1] == '\r' {
		return n - 1
	}
	return n
}

// CompleteUTF8 returns how many leading bytes of p can be sent as text: all but
// an unfinished character at the end, which may be completed by the next append.
// Bytes that can never become a character are not held back.
func CompleteUTF8(p []byte) int {
	for k := 1; k <= min(utf8.UTFMax-1, len(p)); k++ {
		c := p[len(p)-k]
		if utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(p[len(p)-k:]) {
				return len(p) - k
			}
			break
		}
	}
	return len(p)
}
