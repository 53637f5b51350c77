package server

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"tailrace/backend/journal"
)

// discard is a response that costs nothing.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }

func (d *discard) SetReadDeadline(time.Time) error  { return nil }
func (d *discard) SetWriteDeadline(time.Time) error { return nil }

// What a request may allocate, from the handler to the disk, with the journal on,
// the committer's part for a commit of its own included and net/http's not. The
// race detector adds a few. Whoever needs more has to say so here.
func TestAllocationBudget(t *testing.T) {
	s := newTestServer(t, func(o *Options) { o.Journal = journal.New(journal.Options{Bytes: 1 << 20}) })
	for _, path := range []string{"plain", "json", "producer", "read"} {
		kind := "text/plain"
		if path == "json" {
			kind = "application/json"
		}
		s.must("PUT", path, "", "Content-Type: "+kind)
	}
	s.must("POST", "read", "to be read", "Content-Type: text/plain")
	seq := 0
	for _, tt := range []struct {
		name   string
		budget float64
		status int
		make   func() *http.Request
	}{
		{"append", 44, http.StatusNoContent, func() *http.Request {
			return newRequest("POST", "plain", "a message", "Content-Type: text/plain")
		}},
		{"JSON append", 44, http.StatusNoContent, func() *http.Request {
			return newRequest("POST", "json", `{"a":"message"}`, "Content-Type: application/json")
		}},
		{"append by a producer", 55, http.StatusOK, func() *http.Request {
			seq++
			return newRequest("POST", "producer", "a message", "Content-Type: text/plain",
				"Producer-Id: p", "Producer-Epoch: 0", fmt.Sprint("Producer-Seq: ", seq-1))
		}},
		{"read", 25, http.StatusOK, func() *http.Request { return newRequest("GET", "read?offset=-1", "") }},
		{"HEAD", 15, http.StatusOK, func() *http.Request { return newRequest("HEAD", "read", "") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const runs = 200
			made := testing.AllocsPerRun(runs, func() {
				tt.make()
				_ = &discard{header: http.Header{}}
			})
			seq = 0
			got := testing.AllocsPerRun(runs, func() {
				w := &discard{header: http.Header{}}
				s.ServeHTTP(w, tt.make())
				if w.status != tt.status && (w.status != 0 || tt.status != http.StatusOK) {
					t.Fatalf("status %d", w.status)
				}
			}) - made
			t.Logf("%.0f allocations, budget %.0f", got, tt.budget)
			if got > tt.budget {
				t.Errorf("%.0f allocations, budget %.0f", got, tt.budget)
			}
		})
	}
}
