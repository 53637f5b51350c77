package torture

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"tailrace/test/program"
)

// TestReaders lets one append wake many long-polls and SSE readers. All get it;
// what they cost and how fast they wake is printed. Each reader has a connection
// of its own; where a process may not open that many files, the kinds take turns.
func TestReaders(t *testing.T) {
	n := 1000 // of each kind
	if large() {
		n = 10_000
	}
	kinds := []string{"long-poll", "sse"}
	room := fileLimit() - 200
	if 2*n <= room {
		wakeReaders(t, n, kinds...)
		return
	}
	t.Logf("%d files may be open: one kind of readers after the other", fileLimit())
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) { wakeReaders(t, min(n, room), kind) })
	}
}

// wakeReaders lets one append wake n readers of each kind.
func wakeReaders(t *testing.T, n int, kinds ...string) {
	s := start(t, t.TempDir(), "--max-live-readers", "100000", "--max-live-readers-per-client", "100000",
		"--long-poll-timeout", "10m", "--sse-max-age", "20m")
	s.must(http.StatusCreated, http.MethodPut, "followed", "", "Content-Type", textType)

	type woken struct {
		after time.Duration
		err   error
	}
	var began time.Time
	release := make(chan struct{})
	outcomes := map[string]chan woken{}
	var all []*tail
	before := s.memory()
	t.Logf("resident: %.0f MiB without readers", before/(1<<20))
	for _, kind := range kinds {
		readers, outcome := s.open(t, n, "followed", kind), make(chan woken, n)
		after := s.memory()
		t.Logf("resident: %.0f MiB with %d %s readers more; each takes %.1f KiB",
			after/(1<<20), n, kind, (after-before)/float64(n)/1024)
		before = after
		for _, r := range readers {
			go func() {
				<-release
				err := r.wake(kind, "wake up")
				outcome <- woken{time.Since(began), err}
			}()
		}
		outcomes[kind] = outcome
		all = append(all, readers...)
	}
	began = time.Now()
	close(release)
	s.must(http.StatusNoContent, http.MethodPost, "followed", "wake up", "Content-Type", textType)
	for _, kind := range kinds {
		var times []time.Duration
		deadline := time.After(4 * program.Patience)
		for len(times) < n {
			select {
			case w := <-outcomes[kind]:
				if w.err != nil {
					t.Fatalf("one of the %s readers: %v", kind, w.err)
				}
				times = append(times, w.after)
			case <-deadline:
				t.Fatalf("%d of %d %s readers have woken", len(times), n, kind)
			}
		}
		slices.Sort(times)
		t.Logf("%d %s readers, from sending the append: first %s, p50 %s, p99 %s, last %s", n, kind,
			ms(times[0]), ms(times[n/2]), ms(times[n*99/100]), ms(times[n-1]))
	}
	t.Logf("resident after the wake: %.0f MiB", s.memory()/(1<<20))
	for _, r := range all {
		r.conn.Close()
	}
	program.Until(t, "no live reader is left", func() bool { return s.metric("tailrace_live_readers") == 0 })
}

// wake waits for the message that is to wake the reader.
func (r *tail) wake(kind, message string) error {
	if kind == "sse" {
		return r.skipTo("data:" + message)
	}
	status, body, err := r.poll()
	if err == nil && (status != http.StatusOK || body != message) {
		err = fmt.Errorf("status %d, body %q", status, body)
	}
	return err
}

// memory is the resident memory of the server.
func (s *server) memory() float64 { return s.metric("process_resident_memory_bytes") }

func ms(d time.Duration) string { return d.Round(100 * time.Microsecond).String() }
