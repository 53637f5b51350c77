package testserver_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tailrace/testserver"
)

func do(t *testing.T, method, url, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
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
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

func wantStatus(t *testing.T, res *http.Response, want int) {
	t.Helper()
	if res.StatusCode != want {
		t.Fatalf("%s %s: %s, want %d", res.Request.Method, res.Request.URL, res.Status, want)
	}
}

// What is acknowledged is there again after a restart, at the same address, and a
// repeated append is still a duplicate.
func TestRestart(t *testing.T) {
	for name, o := range map[string]testserver.Options{"throwaway": {}, "in a folder": {Dir: t.TempDir()}} {
		t.Run(name, func(t *testing.T) {
			srv := testserver.StartWith(t, o)
			stream := srv.Stream("chat/room ü 1%")
			once := []string{"Producer-Id", "me", "Producer-Epoch", "0", "Producer-Seq", "0"}
			res, _ := do(t, http.MethodPut, stream, "")
			wantStatus(t, res, http.StatusCreated)
			res, _ = do(t, http.MethodPost, stream, "hello", once...)
			wantStatus(t, res, http.StatusOK)

			url, token := srv.URL, srv.Token
			srv.Stop(t)
			if res, err := http.Get(stream); err == nil {
				_ = res.Body.Close()
				t.Errorf("a stopped server answered %s", res.Status)
			}
			srv.Restart(t)
			if srv.URL != url || srv.Token != token {
				t.Errorf("after the restart it is at %s, before at %s", srv.URL, url)
			}
			res, _ = do(t, http.MethodPost, stream, "hello", once...)
			wantStatus(t, res, http.StatusNoContent)
			if _, text := do(t, http.MethodGet, stream, ""); text != "hello" {
				t.Errorf("read %q", text)
			}
			srv.Restart(t)
			res, _ = do(t, http.MethodHead, stream, "")
			wantStatus(t, res, http.StatusOK)
		})
	}
}

func TestOptions(t *testing.T) {
	var ahead atomic.Int64
	srv := testserver.StartWith(t, testserver.Options{
		LongPollTimeout: time.Millisecond,
		Now:             func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
	})
	stream := srv.Stream("soon-gone")
	expires := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	res, _ := do(t, http.MethodPut, stream, "", "Stream-Expires-At", expires)
	wantStatus(t, res, http.StatusCreated)
	res, _ = do(t, http.MethodGet, stream+"?offset=now&live=long-poll", "")
	wantStatus(t, res, http.StatusNoContent)
	ahead.Store(int64(2 * time.Hour))
	res, _ = do(t, http.MethodGet, stream, "")
	wantStatus(t, res, http.StatusNotFound)
}

// The inspector's API is there, for what tests want to know or to go wrong.
func TestInspector(t *testing.T) {
	srv := testserver.Start(t)
	res, _ := do(t, http.MethodGet, srv.InspectorURL+"/api/info", "", "Authorization", "Bearer "+srv.Token)
	wantStatus(t, res, http.StatusOK)
}
