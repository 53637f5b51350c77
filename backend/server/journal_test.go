package server

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tailrace/backend/journal"
	"tailrace/backend/protocol"
)

func journaled(o *Options) { o.Journal = journal.New(journal.Options{Bytes: 1 << 20}) }

// Every decision of the server is in the journal in words.
func TestJournal(t *testing.T) {
	s := newTestServer(t, journaled, func(o *Options) { o.LongPollTimeout = time.Millisecond })
	text := "Content-Type: text/plain"
	by := func(epoch, seq int) []string {
		return []string{text, "Producer-Id: w", fmt.Sprintf("Producer-Epoch: %d", epoch), fmt.Sprintf("Producer-Seq: %d", seq)}
	}
	old := protocol.Offset{Position: 2}.String()
	for i, tt := range []struct {
		method, target, body string
		headers              []string
		want                 string // status, decision, words
	}{
		{"PUT", "a", "", []string{text}, "201 created text/plain"},
		{"PUT", "a", "", []string{text}, "200 exists was there already, with the same settings"},
		{"POST", "a", "hi", []string{text}, "204 stored message 0"},
		{"POST", "a", "hi", by(3, 0), "200 stored w: message 1, epoch 3 seq 0"},
		{"POST", "a", "hi", by(3, 0), "204 duplicate w: seq 0 ≤ last 0"},
		{"POST", "a", "hi", by(3, 9), "409 gap w: expected seq 1, got 9"},
		{"POST", "a", "hi", by(2, 0), "403 fenced w: epoch 2 is fenced by epoch 3"},
		{"POST", "a", "hi", by(4, 7), "400 error a new Producer-Epoch must start with Producer-Seq 0"},
		{"POST", "a", "[]", []string{"Content-Type: application/json"}, "409 error Content-Type: has text/plain, asked for application/json"},
		{"GET", "a?offset=-1", "", nil, "200 read 0 to 4"},
		{"HEAD", "a", "", nil, "200 read tail 4"},
		{"GET", "a?offset=now", "", nil, "200 read nothing behind 4"},
		{"GET", "a?offset=-1&live=long-poll", "", nil, "200 live long-poll from 0 to 4 within "},
		{"GET", "a?offset=now&live=long-poll", "", nil, "204 live long-poll at 4, nothing new for "},
		{"GET", "a?offset=x", "", nil, "400 error offset: "},
		{"POST", "a", "bye", append(by(3, 1), "Stream-Closed: true"), "200 stored w: message 2, epoch 3 seq 1, then closed"},
		{"POST", "a", "", []string{"Stream-Closed: true"}, "204 duplicate closed already"},
		{"POST", "a", "hi", []string{text}, "409 closed the stream is closed at "},
		{"GET", "a?offset=-1&live=sse", "", nil, "200 live SSE from 0 to 7 within "},
		{"DELETE", "a", "", nil, "204 deleted deleted"},
		{"GET", "a", "", nil, "404 missing no stream at this path"},
		{"PUT", "a", "x", []string{text}, "201 created text/plain, message 0"},
		{"GET", "a?offset=" + old, "", nil, "410 stale the offset is of an earlier stream at this path"},
		{"GET", "a", "", []string{"Host: evil.test"}, "403 denied this Host name"},
		{"PUT", "b", strings.Repeat("x", 65), []string{text}, "413 error over max_body_bytes, 64"},
		{"GET", "/v1/stream/__ds/nothing", "", nil, "404 error "},
		{"GET", "/healthz", "", nil, "200 served "},
		{"OPTIONS", "a", "", nil, "204 served "},
	} {
		s.o.Limits.BodyBytes = 64
		s.do(tt.method, tt.target, tt.body, tt.headers...)
		e := s.o.Journal.Entry(uint64(i + 1))
		if e == nil {
			t.Fatalf("%s %s is not in the journal", tt.method, tt.target)
		}
		got := fmt.Sprintf("%d %s %s", e.Status, e.Decision, e.Words())
		if got != tt.want && (!strings.HasSuffix(tt.want, " ") && !strings.HasPrefix(got, tt.want) || !strings.HasPrefix(got, tt.want)) {
			t.Errorf("%s %s: %q, want %q", tt.method, tt.target, got, tt.want)
		}
	}
}

// A message is found in the request that brought it, by its ordinal.
func TestJournalKnowsWhereMessagesCameFrom(t *testing.T) {
	s := newTestServer(t, journaled)
	s.create("j", "application/json")
	s.post("j", "application/json", `[1,2,3]`)
	s.post("j", "application/json", `[4,5]`)
	e := s.o.Journal.Entry(3)
	want := journal.Outcome{Decision: journal.Stored, First: 3, Count: 2, Next: 5}
	if diff := cmp.Diff(want, e.Outcome); diff != "" || e.Received != 5 || e.Stream != "j" {
		t.Errorf("%+v: %s", e, diff)
	}
}

// With the journal a body that is too large still ends its connection.
func TestJournalKeepsLimits(t *testing.T) {
	s := newTestServer(t, journaled, func(o *Options) { o.Limits.BodyBytes = 16 })
	s.create("a", "text/plain")
	url, _ := s.listen(s)
	got := raw(t, url, "POST /v1/stream/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"+
		"20\r\n"+strings.Repeat("x", 32)+"\r\n0\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 413 ") || !strings.Contains(got, "Connection: close") {
		t.Errorf("got %q", got)
	}
	if e := s.o.Journal.Entry(2); e == nil || e.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("the journal has %+v", e)
	}
}
