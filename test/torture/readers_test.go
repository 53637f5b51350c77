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
// what they cost and how fast they wake is printed.
func TestReaders(t *testing.T) {
	n := 1000 // of each kind
	if large() {
		n = 10_000
	}
	if room := (fileLimit() - 200) / 2; n > room {
		t.Logf("%d files may be open: %d readers of each kind instead of %d", fileLimit(), room, n)
		n = room
	}
	s := start(t, t.TempDir(), "--max-live-readers", "100000", "--max-live-readers-per-client", "100000",
		"--long-poll-timeout", "10m", "--sse-max-age", "20m")
	s.must(http.StatusCreated, http.MethodPut, "followed", "", "Content-Type", textType)

	base := s.memory()
	polls := s.open(t, n, "followed", "long-poll")
	withPolls := s.memory()
	events := s.open(t, n, "followed", "sse")
	withAll := s.memory()
	t.Logf("resident: %.0f MiB without readers, %.0f MiB with %d long-polls, %.0f MiB with %d SSE readers more",
		base/(1<<20), withPolls/(1<<20), n, withAll/(1<<20), n)
	t.Logf("a long-poll takes %.1f KiB, an SSE reader %.1f KiB", (withPolls-base)/float64(n)/1024, (withAll-withPolls)/float64(n)/1024)

	type woken struct {
		after time.Duration
		err   error
	}
	pollWoken, eventWoken := make(chan woken, n), make(chan woken, n)
	var began time.Time
	release := make(chan struct{})
	for i := range n {
		go func() {
			<-release
			status, body, err := polls[i].poll()
			if err == nil && (status != http.StatusOK || body != "wake up") {
				err = fmt.Errorf("status %d, body %q", status, body)
			}
			pollWoken <- woken{time.Since(began), err}
		}()
		go func() {
			<-release
			err := events[i].skipTo("data:wake up")
			eventWoken <- woken{time.Since(began), err}
		}()
	}
	began = time.Now()
	close(release)
	s.must(http.StatusNoContent, http.MethodPost, "followed", "wake up", "Content-Type", textType)
	for _, kind := range []struct {
		name  string
		woken chan woken
	}{{"long-polls", pollWoken}, {"SSE readers", eventWoken}} {
		var times []time.Duration
		deadline := time.After(4 * program.Patience)
		for len(times) < n {
			select {
			case w := <-kind.woken:
				if w.err != nil {
					t.Fatalf("one of the %s: %v", kind.name, w.err)
				}
				times = append(times, w.after)
			case <-deadline:
				t.Fatalf("%d of %d %s have woken", len(times), n, kind.name)
			}
		}
		slices.Sort(times)
		t.Logf("%d %s, from sending the append: first %s, p50 %s, p99 %s, last %s", n, kind.name,
			ms(times[0]), ms(times[n/2]), ms(times[n*99/100]), ms(times[n-1]))
	}
	t.Logf("resident after the wake: %.0f MiB", s.memory()/(1<<20))
	for _, r := range events {
		r.conn.Close()
	}
	program.Until(t, "no live reader is left", func() bool { return s.metric("tailrace_live_readers") == 0 })
}

// memory is the resident memory of the server.
func (s *server) memory() float64 { return s.metric("process_resident_memory_bytes") }

func ms(d time.Duration) string { return d.Round(100 * time.Microsecond).String() }
