package torture

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"tailrace/test/program"
)

// TestEnd removes a stream under 200 live readers. SSE responses end cleanly and
// hold nothing but what the protocol puts there; long-polls are told.
func TestEnd(t *testing.T) {
	const n = 100 // of each kind
	s := start(t, t.TempDir(), "--max-live-readers-per-client", "1000")
	for _, test := range []struct {
		name   string
		header func() []string
		end    func(t *testing.T, path string)
		status int
		code   string
	}{
		{"delete", nil, func(t *testing.T, path string) {
			s.must(http.StatusNoContent, http.MethodDelete, path, "")
		}, http.StatusNotFound, "STREAM_NOT_FOUND"},
		{"delete with a fork", nil, func(t *testing.T, path string) {
			s.must(http.StatusCreated, http.MethodPut, path+"-fork", "", "Stream-Forked-From", "/v1/stream/"+path)
			s.must(http.StatusNoContent, http.MethodDelete, path, "")
		}, http.StatusGone, "STREAM_DELETED"},
		{"expire", func() []string {
			return []string{"Stream-Expires-At", time.Now().Add(3 * time.Second).UTC().Format(time.RFC3339Nano)}
		}, func(*testing.T, string) {}, http.StatusNotFound, "STREAM_NOT_FOUND"},
	} {
		t.Run(strings.ReplaceAll(test.name, " ", "_"), func(t *testing.T) {
			path := strings.ReplaceAll("end "+test.name, " ", "-")
			header := []string{"Content-Type", textType}
			if test.header != nil {
				header = append(header, test.header()...)
			}
			s.must(http.StatusCreated, http.MethodPut, path, "before", header...)
			polls := s.open(t, n, path, "long-poll")
			events := s.open(t, n, path, "sse")
			ended := make(chan error, 2*n)
			for i := range n {
				go func() {
					status, body, err := polls[i].poll()
					if err == nil && (status != test.status || !strings.Contains(body, test.code)) {
						err = fmt.Errorf("a long-poll got %d, %s", status, body)
					}
					ended <- err
				}()
				go func() { ended <- endOfEvents(events[i]) }()
			}
			test.end(t, path)
			deadline := time.After(program.Patience)
			for i := range 2 * n {
				select {
				case err := <-ended:
					if err != nil {
						t.Fatal(err)
					}
				case <-deadline:
					t.Fatalf("%d of %d readers have ended", i, 2*n)
				}
			}
			program.Until(t, "no live reader is left", func() bool { return s.metric("tailrace_live_readers") == 0 })
		})
	}
}

// endOfEvents reads an SSE response, whose first control event has begun, to its
// end. An end that is cut off is an error, and so is any text that is not the
// rest of an event.
func endOfEvents(r *tail) error {
	b, err := io.ReadAll(r.body)
	if err != nil {
		return fmt.Errorf("an SSE response ended with %w after %q", err, b)
	}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\n")
		data, isData := strings.CutPrefix(line, "data:")
		if line == "" || line == ":" {
			continue
		}
		if !isData || !json.Valid([]byte(data)) || strings.Contains(data, "error") {
			return fmt.Errorf("an SSE response says %q", line)
		}
	}
	return nil
}
