package app

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A throwaway server leaves nothing, reads nobody's configuration and stands in
// nobody's way.
func TestServeEphemeral(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	left := filepath.Join(os.TempDir(), ephemeralPrefix+"left")
	for _, name := range []string{left, filepath.Join(os.TempDir(), ephemeralPrefix+"new")} {
		if err := os.Mkdir(name, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-2 * ephemeralAge)
	if err := os.Chtimes(left, old, old); err != nil {
		t.Fatal(err)
	}

	env := environment(t)
	home := strings.TrimPrefix(env[0], "HOME=")
	file := filepath.Join(home, "tailrace", "config.toml")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("this is no configuration"), 0o600); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	ready := filepath.Join(t.TempDir(), "ready.json")
	stdout, stderr := newOutput(), newOutput()
	status := make(chan int, 1)
	go func() {
		status <- Program{}.Main(ctx, []string{"serve", "--ephemeral", "--ready-file", ready}, env, stdout, stderr)
	}()
	t.Cleanup(func() {
		cancel()
		<-status
	})
	stdout.waitFor(t, ephemeralPrefix)

	text, err := os.ReadFile(ready)
	if err != nil {
		t.Fatal(err)
	}
	var at struct {
		DataURL string `json:"data_url"`
	}
	if err := json.Unmarshal(text, &at); err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(at.DataURL, ":4437") {
		t.Errorf("it took the usual port: %s", at.DataURL)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, at.DataURL+"/v1/stream/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		t.Errorf("a creation was answered %s", res.Status)
	}
	if held := folders(t); len(held) != 2 {
		t.Errorf("while it serves there are the folders %q, wanted its own and the one that is too new to be left behind", held)
	}

	cancel()
	code := <-status
	status <- code
	if code != exitOK {
		t.Errorf("status %d: %s", code, stderr)
	}
	if held := folders(t); len(held) != 1 || !strings.HasSuffix(held[0], "new") {
		t.Errorf("it left %q", held)
	}

	code, _, message := runIn(t, Program{}, env, "serve", "--ephemeral", "--data-dir", t.TempDir())
	if code != exitUsage || !strings.Contains(message, "--data-dir") {
		t.Errorf("with --data-dir: status %d, %s", code, message)
	}
}

func folders(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(os.TempDir(), ephemeralPrefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// A command beside the server finds it, and its end is that of the program.
func TestServeBesideACommand(t *testing.T) {
	serve := func(ctx context.Context, script string) (int, *output, *output) {
		stdout, stderr := newOutput(), newOutput()
		env := append(environment(t), "PATH="+os.Getenv("PATH"))
		return Program{}.Main(ctx, []string{"serve", "--ephemeral", "--", "sh", "-c", script}, env, stdout, stderr), stdout, stderr
	}
	status, stdout, stderr := serve(t.Context(), `echo "$DURABLE_STREAMS_URL"; exit 7`)
	if status != 7 || !strings.HasPrefix(stdout.String(), "http://127.0.0.1:") || !strings.HasSuffix(stdout.String(), "/v1/stream\n") {
		t.Errorf("status %d, printed %q and %q", status, stdout, stderr)
	}
	if status, stdout, stderr := serve(t.Context(), "true"); status != exitOK || stdout.String()+stderr.String() != "" {
		t.Errorf("status %d, printed %q and %q", status, stdout, stderr)
	}

	if status, _, stderr := serve(t.Context(), "kill -9 $$"); status != 128+9 || stderr.String() != "tailrace: sh: signal: killed\n" {
		t.Errorf("killed: status %d, printed %q", status, stderr)
	}

	ctx, cancel := context.WithCancel(t.Context())
	stdout, stderr = newOutput(), newOutput()
	ended := make(chan int, 1)
	go func() {
		env := append(environment(t), "PATH="+os.Getenv("PATH"))
		ended <- Program{}.Main(ctx, []string{"serve", "--ephemeral", "--", "sh", "-c", `trap 'echo stopped; exit 0' INT; echo runs; while :; do sleep 0.05; done`}, env, stdout, stderr)
	}()
	stdout.waitFor(t, "runs")
	cancel()
	if status := <-ended; status != exitOK || !strings.Contains(stdout.String(), "stopped") {
		t.Errorf("interrupted: status %d, printed %q and %q", status, stdout, stderr)
	}

	status, _, message := runIn(t, Program{}, environment(t), "serve", "--ephemeral", "--", "no-such-program-here")
	if status != exitUsage || !strings.Contains(message, "no-such-program-here") {
		t.Errorf("a program that is not there: status %d, %s", status, message)
	}
}
