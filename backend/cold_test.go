package backend

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tailrace/backend/access"
	"tailrace/backend/config"
	"tailrace/test/gateway"
)

// askAPI calls the inspector API.
func askAPI(t testing.TB, b *Backend, method, path string, in, out any) (status int) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(method, b.InspectorURL()+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+b.gate.Token())
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if out != nil && res.StatusCode/100 == 2 {
		if err := json.Unmarshal(text, out); err != nil {
			t.Fatalf("%s %s: %v in %s", method, path, err, text)
		}
	}
	if res.StatusCode/100 != 2 {
		t.Logf("%s %s: %s %s", method, path, res.Status, text)
	}
	return res.StatusCode
}

// finish runs a job to its end.
func finish(t testing.TB, b *Backend, path string, in any) {
	t.Helper()
	var j struct {
		ID    int64   `json:"id"`
		State string  `json:"state"`
		Error *string `json:"error"`
	}
	if status := askAPI(t, b, http.MethodPost, path, in, &j); status != http.StatusAccepted {
		t.Fatalf("%s: status %d", path, status)
	}
	for j.State == "running" {
		askAPI(t, b, http.MethodGet, fmt.Sprintf("/api/jobs/%d?wait=10000", j.ID), nil, &j)
	}
	if j.Error != nil {
		t.Fatalf("%s: %s", path, *j.Error)
	}
}

// get reads from the data listener.
func get(t *testing.T, b *Backend, query string) (*http.Response, string) {
	t.Helper()
	res, err := http.Get(b.DataURL() + "/v1/stream/" + query)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// TestCompactedStreamsAreReadFromABucket compacts a stream into an S3 bucket and
// reads it in every way there is; then the bucket's server is killed, and comes
// back.
func TestCompactedStreamsAreReadFromABucket(t *testing.T) {
	g := gateway.Start(t)
	t.Setenv("AWS_ACCESS_KEY_ID", gateway.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", gateway.SecretKey)
	dir := t.TempDir()
	configure := func(c *config.Config) {
		c.DataDir = dir
		c.Targets = []string{"cloud=s3://" + gateway.Bucket + "/cold?endpoint=" + g.Endpoint + "&region=us-east-1&path_style=true"}
	}
	b, _, stop := openStoppable(t, configure)
	line := strings.Repeat("x", 50_000)
	var want strings.Builder
	for _, path := range []string{"a", "hot"} {
		call(t, b, http.MethodPut, "/v1/stream/"+path, "")
	}
	for i := range 60 {
		body := fmt.Sprintf("%d %s\n", i, line)
		want.WriteString(body)
		if status, _ := call(t, b, http.MethodPost, "/v1/stream/a", body); status/100 != 2 {
			t.Fatalf("append: %d", status)
		}
	}
	call(t, b, http.MethodPost, "/v1/stream/hot", "hot")
	head, _ := get(t, b, "a?offset=now")
	tail := head.Header.Get("Stream-Next-Offset")
	finish(t, b, "/api/snapshots/compact", map[string]any{"streams": "a", "target": "cloud"})
	if err := stop(); err != nil { // what is in memory goes
		t.Fatal(err)
	}
	b, _, stop = openStoppable(t, configure)

	var read strings.Builder
	for offset := "-1"; ; {
		res, body := get(t, b, "a?offset="+offset)
		if res.StatusCode != http.StatusOK {
			t.Fatalf("a cold read: %s %s", res.Status, body)
		}
		read.WriteString(body)
		offset = res.Header.Get("Stream-Next-Offset")
		if res.Header.Get("Stream-Up-To-Date") != "" {
			if offset != tail {
				t.Errorf("it ends at %s, before compaction at %s", offset, tail)
			}
			break
		}
	}
	if read.String() != want.String() {
		t.Error("it reads differently")
	}
	if res, body := get(t, b, "a?offset=-1&live=long-poll"); res.StatusCode != http.StatusOK || !strings.HasPrefix(body, "0 xxx") {
		t.Errorf("a long-poll: %s", res.Status)
	}
	if text := events(t, b, "a?offset=-1&live=sse", "event: control"); !strings.Contains(text, "data:0 xxx") && !strings.Contains(text, "data: 0 xxx") {
		t.Errorf("server-sent events begin with %.80q", text)
	}
	var found struct {
		Ordinal int64 `json:"ordinal"`
	}
	if askAPI(t, b, http.MethodGet, "/api/streams/a/seek?offset="+tail, nil, &found); found.Ordinal != 60 {
		t.Errorf("the end is message %d", found.Ordinal)
	}
	var row struct {
		ColdUntil string `json:"cold_until"`
	}
	if askAPI(t, b, http.MethodGet, "/api/streams/a", nil, &row); row.ColdUntil != tail {
		t.Errorf("cold until %q", row.ColdUntil)
	}

	// Nothing is in memory, and the server is gone.
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	g.Kill()
	b, _, _ = openStoppable(t, configure)
	for _, query := range []string{"a?offset=-1", "a?offset=-1&live=long-poll", "a?offset=-1&live=sse"} {
		res, body := get(t, b, query)
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !strings.Contains(body, "COLD_UNAVAILABLE") || !strings.Contains(body, "s3://snapshots/cold/stream/") {
			t.Errorf("%s without its server: %s %s", query, res.Status, body)
		}
	}
	if status := askAPI(t, b, http.MethodGet, "/api/streams/a/messages?from=0&limit=1", nil, nil); status != http.StatusServiceUnavailable {
		t.Errorf("messages without its server: %d", status)
	}
	if res, body := get(t, b, "hot?offset=-1"); res.StatusCode != http.StatusOK || body != "hot" {
		t.Errorf("a hot read: %s %s", res.Status, body)
	}
	if status, answer := call(t, b, http.MethodPost, "/v1/stream/a", "more"); status/100 != 2 {
		t.Errorf("an append behind what is cold: %d %s", status, answer)
	}
	if res, body := get(t, b, "a?offset="+tail); res.StatusCode != http.StatusOK || body != "more" {
		t.Errorf("a read behind what is cold: %s %s", res.Status, body)
	}
	g.Run()
	if res, body := get(t, b, "a?offset=-1"); res.StatusCode != http.StatusOK || !strings.HasPrefix(body, "0 xxx") {
		t.Errorf("with its server again: %s %.200s", res.Status, body)
	}
}

// events reads from an SSE response until something has come.
func events(t *testing.T, b *Backend, query, until string) string {
	t.Helper()
	res, err := http.Get(b.DataURL() + "/v1/stream/" + query)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var text strings.Builder
	buf := make([]byte, 64<<10)
	for !strings.Contains(text.String(), until) {
		n, err := res.Body.Read(buf)
		text.Write(buf[:n])
		if err != nil {
			t.Fatalf("the response ends with %v after %.200q", err, text.String())
		}
	}
	return text.String()
}

// TestPlacesAreHidden reads a fork of a stream that was compacted, with a token that
// does not cover the source: what cannot be read now has a place that tells its path.
func TestPlacesAreHidden(t *testing.T) {
	data, keep := t.TempDir(), filepath.Join(t.TempDir(), "keep")
	const all, some = "0123456789abcdef-all", "0123456789abcdef-some"
	configure := func(c *config.Config) {
		c.DataDir = data
		c.Tokens = []access.Token{
			{Name: "all", Level: access.Full, Hash: access.HashOf(all)},
			{Name: "some", Level: access.Read, Paths: []string{"open/**"}, Hash: access.HashOf(some)},
		}
	}
	b, _, stop := openStoppable(t, configure)
	if status, answer := call(t, b, http.MethodPut, "/v1/stream/hidden", strings.Repeat("x", 100_000), "Authorization", "Bearer "+all); status != http.StatusCreated {
		t.Fatalf("create: %d %s", status, answer)
	}
	if status, answer := call(t, b, http.MethodPut, "/v1/stream/open/fork", "",
		"Authorization", "Bearer "+all, "Stream-Forked-From", "/v1/stream/hidden"); status != http.StatusCreated {
		t.Fatalf("fork: %d %s", status, answer)
	}
	finish(t, b, "/api/snapshots/compact", map[string]any{"streams": "hidden", "location": keep})
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(keep, keep+".away"); err != nil {
		t.Fatal(err)
	}
	b, _, _ = openStoppable(t, configure)
	for token, told := range map[string]bool{all: true, some: false} {
		status, answer := call(t, b, http.MethodGet, "/v1/stream/open/fork", "", "Authorization", "Bearer "+token)
		if status != http.StatusServiceUnavailable || !strings.Contains(answer, "COLD_UNAVAILABLE") {
			t.Errorf("%s: %d %s", token, status, answer)
		}
		if strings.Contains(answer, "keep") != told {
			t.Errorf("%s is told %s", token, answer)
		}
	}
}
