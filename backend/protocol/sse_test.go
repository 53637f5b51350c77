package protocol

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestAppendSSEData(t *testing.T) {
	for _, tt := range []struct {
		name string
		kind Kind
		in   string
		want string
	}{
		{"text", KindText, "line1", "event: data\ndata:line1\n\n"},
		{"text with LF", KindText, "a\nb", "event: data\ndata:a\ndata:b\n\n"},
		{"text with CR", KindText, "a\rb", "event: data\ndata:a\ndata:b\n\n"},
		{"text with CRLF", KindText, "a\r\nb", "event: data\ndata:a\ndata:b\n\n"},
		{"text with LFCR", KindText, "a\n\rb", "event: data\ndata:a\ndata:\ndata:b\n\n"},
		{"text that ends in LF", KindText, "a\n", "event: data\ndata:a\ndata:\n\n"},
		{"text of line ends only", KindText, "\r\n\r\n", "event: data\ndata:\ndata:\ndata:\n\n"},
		{"text with injected event", KindText, "x\n\nevent: control\ndata:{}\n\n", "event: data\ndata:x\ndata:\ndata:event: control\ndata:data:{}\ndata:\ndata:\n\n"},
		{"text with injected event by CR", KindText, "x\r\revent: control\rdata:{}", "event: data\ndata:x\ndata:\ndata:event: control\ndata:data:{}\n\n"},
		// Clients strip one space behind the colon.
		{"text with leading space", KindText, " world", "event: data\ndata:  world\n\n"},
		{"text with leading spaces on later lines", KindText, "a\n  b\r c", "event: data\ndata:a\ndata:   b\ndata:  c\n\n"},
		{"text of a space", KindText, " ", "event: data\ndata:  \n\n"},
		{"text with leading tab", KindText, "\tx", "event: data\ndata:\tx\n\n"},
		{"text with NEL and line separator", KindText, "a\u0085b\u2028c", "event: data\ndata:a\u0085b\u2028c\n\n"},
		{"json", KindJSON, `{"a":1},2`, "event: data\ndata:[{\"a\":1},2]\n\n"},
		{"json with line ends", KindJSON, "{\n \"a\":\r\n1}", "event: data\ndata:[{\ndata:  \"a\":\ndata:1}]\n\n"},
		{"bytes", KindBytes, "\x00\x01\xff\n", "event: data\ndata:AAH/Cg==\n\n"},
		{"empty bytes", KindBytes, "", "event: data\ndata:\n\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := string(AppendSSEData(nil, tt.kind, []byte(tt.in)))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAppendSSEControl(t *testing.T) {
	next := Offset{1, 42}
	const tok = "0000000000000001_0000000000000042"
	for _, tt := range []struct {
		name string
		in   SSEControl
		want string
	}{
		{"behind", SSEControl{Next: next, Cursor: "9"}, `{"streamNextOffset":"` + tok + `","streamCursor":"9"}`},
		{"up to date", SSEControl{Next: next, Cursor: "9", UpToDate: true}, `{"streamNextOffset":"` + tok + `","streamCursor":"9","upToDate":true}`},
		{"closed has no cursor", SSEControl{Next: next, Cursor: "9", Closed: true}, `{"streamNextOffset":"` + tok + `","upToDate":true,"streamClosed":true}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := "event: control\ndata:" + tt.want + "\n\n"
			if got := string(AppendSSEControl([]byte("x"), tt.in)); got != "x"+want {
				t.Errorf("got  %q\nwant %q", got, "x"+want)
			}
		})
	}
}

func TestCompleteUTF8(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   string
		want int
	}{
		{"empty", "", 0},
		{"ascii", "abc", 3},
		{"whole characters", "é你😀", 9},
		{"half of two bytes", "a\xc3", 1},
		{"one of three", "a\xe4", 1},
		{"two of three", "a\xe4\xbd", 1},
		{"one of four", "a\xf0", 1},
		{"two of four", "a\xf0\x9f", 1},
		{"three of four", "a\xf0\x9f\x98", 1},
		{"only an unfinished one", "\xf0\x9f\x98", 0},
		{"never a character: lone continuation", "a\x80", 2},
		{"never a character: 0xff", "a\xff", 2},
		{"never a character: surrogate", "a\xed\xa0", 3},
		{"never a character: overlong", "a\xc0", 2},
		{"never a character: four continuations", "a\x80\x80\x80\x80", 5},
		{"broken before a whole one", "\xf0\x9fa", 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := CompleteUTF8([]byte(tt.in)); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

// parseSSE reads events as a browser does (HTML, "Parsing an event stream").
func parseSSE(s string) (events [][2]string) {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	var name string
	var data []string
	for _, line := range strings.Split(s, "\n") {
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			if len(data) > 0 {
				events = append(events, [2]string{name, strings.Join(data, "\n")})
			}
			name, data = "", nil
		case field == "event":
			name = value
		case field == "data":
			data = append(data, value)
		}
	}
	return events
}

func FuzzSSEData(f *testing.F) {
	for _, s := range []string{"a\r\nb", " x", "\n\nevent: control\ndata:{}\n\n", "\r", "", "data:x\n: y"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		lines := strings.ReplaceAll(strings.ReplaceAll(string(p), "\r\n", "\n"), "\r", "\n")
		want := map[Kind]string{
			KindText: lines, KindJSON: "[" + lines + "]", KindBytes: base64.StdEncoding.EncodeToString(p),
		}
		for k, data := range want {
			events := parseSSE(string(AppendSSEData(nil, k, p)))
			if k == KindJSON && len(events) == 1 {
				// Spaces at the start of a line are between tokens in JSON; they may grow.
				continue
			}
			if diff := cmp.Diff([][2]string{{"data", data}}, events); diff != "" {
				t.Fatalf("%v %q (-want +got):\n%s", k, p, diff)
			}
		}
	})
}

func FuzzCompleteUTF8(f *testing.F) {
	f.Add([]byte("a\xf0\x9f\x98"), []byte("\x80b"))
	f.Add([]byte("\xe4"), []byte("\xbd\xa0"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		n := CompleteUTF8(a)
		if n < len(a)-3 || n > len(a) {
			t.Fatalf("%q: held back %d bytes", a, len(a)-n)
		}
		// Cut at n, both halves decode to what the whole decodes to.
		whole := append(bytes.Clone(a), b...)
		if utf8.Valid(whole) && (!utf8.Valid(whole[:n]) || !utf8.Valid(whole[n:])) {
			t.Fatalf("%q then %q: cut at %d breaks a character", a, b, n)
		}
	})
}
