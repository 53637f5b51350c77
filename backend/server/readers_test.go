package server

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"
)

// follow opens a live reader and waits until it is listed.
func (s *testServer) follow(url, query string) (*http.Response, *Reader) {
	s.t.Helper()
	before := len(s.Readers().List())
	answer := make(chan *http.Response, 1)
	go func() {
		resp, err := http.Get(url + "/v1/stream/" + query)
		if err != nil {
			s.t.Error(err)
		}
		answer <- resp
	}()
	for len(s.Readers().List()) == before {
		time.Sleep(time.Millisecond) // there is nothing that tells when a request has come in
	}
	list := s.Readers().List()
	rd := list[len(list)-1]
	if !rd.SSE {
		return nil, rd
	}
	resp := <-answer
	s.t.Cleanup(func() { resp.Body.Close() })
	return resp, rd
}

func TestReadersAreListed(t *testing.T) {
	s := newTestServer(t)
	s.create("a", "text/plain")
	s.post("a", "text/plain", "12345")
	url, _ := s.listen(s)
	resp, rd := s.follow(url, "a?offset=-1&live=sse")
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() && !strings.Contains(lines.Text(), "12345") {
	}
	for rd.At() != 5 {
		time.Sleep(time.Millisecond) // it is counted a moment after it has arrived
	}
	if rd.Stream != "a" || rd.From != 0 || rd.Sent() == 0 || rd.Writes() != 1 || !rd.Stuck().IsZero() || !strings.HasPrefix(rd.Agent, "Go-http-client") {
		t.Errorf("%+v", rd)
	}
	_, poll := s.follow(url, "a?offset=now&live=long-poll")
	if poll.SSE || poll.From != 5 || len(s.Readers().List()) != 2 {
		t.Errorf("%+v", poll)
	}
	// Each ends for itself when it is disconnected.
	for _, id := range []uint64{rd.ID, poll.ID} {
		if !s.Readers().Disconnect(id) {
			t.Errorf("reader %d cannot be disconnected", id)
		}
	}
	for lines.Scan() { // until the response has ended
	}
	for len(s.Readers().List()) > 0 {
		time.Sleep(time.Millisecond)
	}
	if s.Readers().Disconnect(rd.ID) {
		t.Error("a reader that has left was disconnected")
	}
}

// A reader whose client takes nothing is disconnected at once, not when its write
// runs out of time.
func TestStuckReadersAreDisconnected(t *testing.T) {
	s := newTestServer(t)
	s.create("a", "application/octet-stream")
	url, _ := s.listen(s)
	_, rd := s.follow(url, "a?offset=-1&live=sse")
	for i := 0; rd.Stuck().IsZero() || time.Since(rd.Stuck()) < 200*time.Millisecond; i++ {
		if i > 64 {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		s.post("a", "application/octet-stream", strings.Repeat("x", 1<<20))
	}
	s.Readers().Disconnect(rd.ID)
	for began := time.Now(); len(s.Readers().List()) > 0; time.Sleep(time.Millisecond) {
		if time.Since(began) > sseWriteDeadline/2 {
			t.Fatal("it is still there")
		}
	}
}
