package backend

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tailrace/backend/config"
	"tailrace/backend/store"
)

// call makes a request to the data listener; headers are names and values in turn.
func call(t *testing.T, b *Backend, method, path, body string, headers ...string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequest(method, b.DataURL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "text/plain")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(got)
}

// A damaged database is kept, named and replaced; a sound one stays.
func TestDamagedDatabaseIsKeptAside(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"no database at all": func([]byte) []byte { return []byte("these are not the bytes of a database, whatever its name says") },
		"overwritten pages": func(b []byte) []byte {
			for i := 4096; i < len(b); i++ {
				b[i] = 0xa5
			}
			return b
		},
		"cut short": func(b []byte) []byte { return b[:len(b)/2] },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			same := func(c *config.Config) { c.DataDir = dir }
			b, _, stop := openStoppable(t, same)
			if status, answer := call(t, b, "PUT", "/v1/stream/a", "kept"); status != http.StatusCreated {
				t.Fatalf("create: %d %s", status, answer)
			}
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, store.FileName)
			sound, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			damaged := damage(bytes.Clone(sound))
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}

			b, _, stop = openStoppable(t, same)
			if status, _ := call(t, b, "GET", "/v1/stream/a", ""); status != http.StatusNotFound {
				t.Errorf("the new log answers %d", status)
			}
			if status, _ := call(t, b, "PUT", "/v1/stream/b", "new"); status != http.StatusCreated {
				t.Errorf("the new log takes no writes: %d", status)
			}
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			kept, err := filepath.Glob(path + ".damaged-*")
			if err != nil || len(kept) != 1 {
				t.Fatalf("kept: %v, %v", kept, err)
			}
			if got, err := os.ReadFile(kept[0]); err != nil || !bytes.Equal(got, damaged) {
				t.Errorf("what was kept is not what was there: %v", err)
			}

			b, _, _ = openStoppable(t, same)
			if _, answer := call(t, b, "GET", "/v1/stream/b", ""); answer != "new" {
				t.Errorf("after another start: %q", answer)
			}
		})
	}
}

func TestMetricsAndReadiness(t *testing.T) {
	b, _ := openBackend(t, nil)
	call(t, b, "PUT", "/v1/stream/a", "four")
	_, answer := call(t, b, "GET", "/metrics", "")
	for _, line := range []string{
		"tailrace_streams 1", "tailrace_appends_total 1", "tailrace_append_bytes_total 4", "tailrace_live_readers 0",
		"tailrace_commit_failures_total 0", `tailrace_commit_seconds_bucket{le="+Inf"}`, "go_goroutines",
	} {
		if !strings.Contains(answer, line) {
			t.Errorf("/metrics does not say %q", line)
		}
	}
	if status, answer := call(t, b, "GET", "/healthz", ""); status != http.StatusOK || answer != `{"live":true,"ready":true}`+"\n" {
		t.Errorf("/healthz: %d %s", status, answer)
	}
}
