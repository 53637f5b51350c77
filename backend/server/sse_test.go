package server

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

// sse splits an event stream into its events, comments left out.
func sse(text string) (events []string) {
	for block := range strings.SplitSeq(text, "\n\n") {
		if block != "" && !strings.HasPrefix(block, ":") {
			events = append(events, block)
		}
	}
	return events
}

// maskCursor replaces the cursor of control events, which depends on the time.
func maskCursor(s string) string {
	const key = `"streamCursor":"`
	for i := strings.Index(s, key); i >= 0; {
		start := i + len(key)
		end := start + strings.IndexByte(s[start:], '"')
		s = s[:start] + "C" + s[end:]
		next := strings.Index(s[start:], key)
		if next < 0 {
			break
		}
		i = start + next
	}
	return s
}

func data(lines ...string) string {
	return "event: data\ndata:" + strings.Join(lines, "\ndata:")
}

func control(position int64, rest string) string {
	return `event: control` + "\n" + `data:{"streamNextOffset":"` + token(position) + `"` + rest + `}`
}

const (
	open     = `,"streamCursor":"C","upToDate":true`
	finished = `,"upToDate":true,"streamClosed":true`
)

func TestSSE(t *testing.T) {
	type act func(s *testServer)
	post := func(body string, headers ...string) act {
		return func(s *testServer) {
			contentType := header(s.must("HEAD", "a", "").Header, "Content-Type")
			s.post("a", contentType, body, headers...)
		}
	}
	for _, tt := range []struct {
		name, contentType, offset string
		before                    []act
		acts                      []act
		want                      []string
		done                      bool
	}{
		{"empty stream", "text/plain", "-1", nil, nil, []string{control(0, open)}, false},
		{"catch-up is one event", "text/plain", "-1", []act{post("a"), post("b")}, nil, []string{data("ab"), control(2, open)}, false},
		{"from now", "text/plain", "now", []act{post("old")}, []act{post("new")}, []string{control(3, open), data("new"), control(6, open)}, false},
		{"from a token", "text/plain", token(2), []act{post("abcd")}, nil, []string{data("cd"), control(4, open)}, false},
		{"JSON", "application/json", "-1", []act{post(`[1,{"a":2}]`)}, []act{post("3")}, []string{data(`[1,{"a":2}]`), control(2, open), data("[3]"), control(3, open)}, false},
		{"binary", "image/png", "-1", []act{post("\x00\xff\n")}, []act{post("\x01")}, []string{data("AP8K"), control(3, open), data("AQ=="), control(4, open)}, false},
		{"lines", "text/plain", "-1", []act{post("a\r\n b\rc\n")}, nil, []string{data("a", "  b", "c", ""), control(8, open)}, false},
		{"an injected event stays data", "text/plain", "-1", []act{post("x\n\nevent: control\ndata:{\"streamClosed\":true}\n\n")}, nil, []string{data("x", "", "event: control", `data:{"streamClosed":true}`, "", ""), control(46, open)}, false},
		{"close", "text/plain", "-1", nil, []act{func(s *testServer) { s.must("POST", "a", "", closes) }}, []string{control(0, open), control(0, finished)}, true},
		{"append and close", "text/plain", "-1", nil, []act{post("bye", closes)}, []string{control(0, open), data("bye"), control(3, finished)}, true},
		{"closed before", "text/plain", "-1", []act{post("bye", closes)}, nil, []string{data("bye"), control(3, finished)}, true},
		{"closed before, from now", "text/plain", "now", []act{post("bye", closes)}, nil, []string{control(3, finished)}, true},
		{"deleted", "text/plain", "-1", nil, []act{func(s *testServer) { s.must("DELETE", "a", "") }}, []string{control(0, open)}, true},
		{"deleted and created again", "text/plain", "-1", nil, []act{func(s *testServer) {
			s.must("DELETE", "a", "")
			s.create("a", "text/plain")
			s.post("a", "text/plain", "other")
		}}, []string{control(0, open)}, true},
		{"a character in two appends", "text/plain", "-1", nil, []act{post("a\xf0\x9f"), post("\x98\x80b")}, []string{control(0, open), data("a"), control(1, open), data("😀b"), control(6, open)}, false},
		{"a character in four appends", "text/plain", "-1", nil, []act{post("\xf0"), post("\x9f"), post("\x98"), post("\x80")}, []string{control(0, open), data("😀"), control(4, open)}, false},
		{"half a character at first", "text/plain", "-1", []act{post("\xc3")}, []act{post("\xa9")}, []string{control(0, open), data("é"), control(2, open)}, false},
		{"half a character at the end", "text/plain", "-1", nil, []act{post("a\xc3"), func(s *testServer) { s.must("POST", "a", "", closes) }}, []string{control(0, open), data("a"), control(1, open), data("\xc3"), control(2, finished)}, true},
		{"a line end in two appends", "text/plain", "-1", nil, []act{post("a\r"), post("\nb")}, []string{control(0, open), data("a"), control(1, open), data("", "b"), control(4, open)}, false},
		{"bytes that are no text", "text/plain", "-1", nil, []act{post("\xff\xfe")}, []string{control(0, open), data("\xff\xfe"), control(2, open)}, false},
		{"a duplicate is silent", "text/plain", "-1", []act{post("x", "Producer-Id: p", "Producer-Epoch: 0", "Producer-Seq: 0")}, []act{post("x", "Producer-Id: p", "Producer-Epoch: 0", "Producer-Seq: 0")}, []string{data("x"), control(1, open)}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *testServer) {
				s.create("a", tt.contentType)
				for _, act := range tt.before {
					act(s)
				}
				w := s.start("a?live=sse&offset=" + tt.offset)
				defer func() {
					w.cancel()
					<-w.done
				}()
				synctest.Wait()
				for _, act := range tt.acts {
					act(s)
					synctest.Wait()
				}
				if got, want := sse(maskCursor(w.text())), tt.want; strings.Join(got, "\n\n") != strings.Join(want, "\n\n") {
					t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n\n"), strings.Join(want, "\n\n"))
				}
				if w.isDone() != tt.done {
					t.Errorf("done is %v", w.isDone())
				}
				encoding := "-"
				if tt.contentType == "image/png" {
					encoding = "base64"
				}
				for name, want := range map[string]string{
					"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "Content-Length": "-", "Stream-SSE-Data-Encoding": encoding,
				} {
					if got := header(w.header, name); got != want {
						t.Errorf("%s is %q, want %q", name, got, want)
					}
				}
			})
		})
	}
}

// TestSSELargeMessages: a large message comes in parts of characters, so that a
// slow reader holds a part and not the message.
func TestSSELargeMessages(t *testing.T) {
	for contentType, body := range map[string]string{
		"text/plain":               "x" + strings.Repeat("\U0001f600", 1<<18),
		"application/octet-stream": strings.Repeat("\x00\xff", 1<<19),
	} {
		t.Run(contentType, func(t *testing.T) {
			s := newTestServer(t)
			s.create("a", contentType)
			s.post("a", contentType, body, "Stream-Closed: true")
			var got strings.Builder
			for _, event := range sse(bodyOf(s.must("GET", "a?offset=-1&live=sse", ""))) {
				part, isData := strings.CutPrefix(event, "event: data\ndata:")
				switch {
				case !isData:
					continue
				case contentType != "text/plain":
					b, err := base64.StdEncoding.DecodeString(part)
					if err != nil {
						t.Fatal(err)
					}
					part = string(b)
				case !utf8.ValidString(part):
					t.Error("a character is cut")
				}
				if len(part) > sseChunkBytes {
					t.Errorf("an event of %d bytes", len(part))
				}
				got.WriteString(part)
			}
			if got.String() != body {
				t.Errorf("%d bytes that are not the %d that were sent", got.Len(), len(body))
			}
		})
	}
}

func TestSSELifetime(t *testing.T) {
	t.Run("it ends after its age, give or take a twelfth", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *testServer) {
			s.create("a", "text/plain")
			w := s.start("a?live=sse&offset=-1")
			time.Sleep(54 * time.Second)
			synctest.Wait()
			if w.isDone() {
				t.Fatal("ended early")
			}
			if n := strings.Count(w.text(), ":\n\n"); n != 3 {
				t.Errorf("%d comments in 54 s, want one every 15 s", n)
			}
			time.Sleep(12 * time.Second)
			synctest.Wait()
			if !w.isDone() {
				t.Error("still open after 66 s")
			}
		})
	})
	t.Run("it ends when the client leaves or the server stops", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *testServer) {
			s.create("a", "text/plain")
			w := s.start("a?live=sse&offset=-1")
			synctest.Wait()
			w.cancel()
			synctest.Wait()
			if !w.isDone() {
				t.Error("still open")
			}
		})
	})
	t.Run("a large backlog comes in events, the last one up to date", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *testServer) {
			s.create("a", "text/plain")
			part := strings.Repeat("é", 75_000) + "x"
			for range 6 {
				s.post("a", "text/plain", part)
			}
			w := s.start("a?live=sse&offset=-1")
			synctest.Wait()
			events := sse(maskCursor(w.text()))
			var got strings.Builder
			for i, ev := range events {
				if d, ok := strings.CutPrefix(ev, "event: data\ndata:"); ok {
					got.WriteString(d)
					if len(d) > sseChunkBytes+len(part) {
						t.Errorf("an event of %d bytes", len(d))
					}
				} else if last := i == len(events)-1; strings.Contains(ev, "upToDate") != last {
					t.Errorf("event %d: %s", i, ev)
				}
			}
			if got.String() != strings.Repeat(part, 6) || len(events) < 6 {
				t.Errorf("%d events, content equal: %v", len(events), got.String() == strings.Repeat(part, 6))
			}
			w.cancel()
			<-w.done
		})
	})
	t.Run("a stopped server does not send a backlog to its end", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *testServer) {
			s.create("a", "text/plain")
			for range 64 {
				s.post("a", "text/plain", strings.Repeat("x", sseChunkBytes))
			}
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			w := &tape{header: http.Header{}}
			s.ServeHTTP(w, newRequest("GET", "a?live=sse&offset=-1", "").WithContext(ctx))
			if n := len(sse(w.text())) / 2; n > 40 {
				t.Errorf("%d of 64 chunks after the end", n)
			}
		})
	})
}
