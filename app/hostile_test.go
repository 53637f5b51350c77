package app

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"tailrace/backend/inspect"
)

// TestWhatGoesWrongIsTold: what people type wrong, and places that do not work, on a
// running server and on the folder of a stopped one.
func TestWhatGoesWrongIsTold(t *testing.T) {
	p := Program{Version: "1.2.3"}
	s := start(t, p)
	root := s.root(t)
	request(t, "PUT", root+"orders", `[1,2,3]`, "Content-Type: application/json")
	request(t, "PUT", root+"one", `[1]`, "Content-Type: application/json")
	request(t, "POST", root+"one", `2`, "Content-Type: application/json", "Producer-Id: =HYPERLINK(1)", "Producer-Epoch: 0", "Producer-Seq: 0")

	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("{\"a\":1}\n{\"a\":\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	place := filepath.Join(dir, "odd 'place\" ü;")
	tailrace := func(t *testing.T, status int, args ...string) string {
		t.Helper()
		have, stdout, stderr := run(t, p, append(args, "--data-dir", s.dir)...)
		if have != status {
			t.Errorf("%q: status %d, want %d\n%s%s", args, have, status, stdout, stderr)
		}
		return stdout + stderr
	}
	cases := []struct {
		status int
		words  string
		args   []string
	}{
		{exitUsage, "say where the snapshot goes", []string{"snapshot", "create", "orders"}},
		{exitUsage, `no target "nowhere"`, []string{"snapshot", "create", "orders", "--target", "nowhere"}},
		{exitUsage, "is no bucket", []string{"snapshot", "create", "orders", "--to", "s3://"}},
		{exitConflict, "no stream at this path", []string{"snapshot", "create", "nothing", "--to", dir}},
		{exitTarget, "a file stands where a folder should be", []string{"snapshot", "create", "orders", "--to", file}},
		{exitTarget, "a file stands where a folder should be", []string{"backup", "--to", file}},
		{exitTarget, "there is no such folder", []string{"snapshot", "list", "--at", file + "-none"}},
		{exitTarget, "there is no such folder", []string{"backup", "list", file + "-none"}},
		{exitTarget, "this is a file, not a folder", []string{"backup", "list", file}},
		{exitDamaged, "this is no snapshot", []string{"snapshot", "verify", file}},
		{exitTarget, "there is no such file", []string{"snapshot", "verify", file + "-none"}},
		{exitTarget, "there is no such file", []string{"snapshot", "restore", file + "-none"}},
		{exitUsage, "in the data folder", []string{"backup", "--to", filepath.Join(s.dir, "backups")}},
		{exitDamaged, "no whole backup", []string{"backup", "verify", dir}},
		{exitUsage, "the range ends before message 2", []string{"export", "orders", "--from", "2", "--to", "1"}},
		{exitOK, "0 messages", []string{"export", "orders", "--from", "3"}},
		{exitOK, "'=HYPERLINK(1)", []string{"export", "one", "--format", "csv"}},
		{exitUsage, "line 2: body: invalid JSON", []string{"import", "new", file, "--format", "ndjson"}},
	}
	for _, state := range []string{"running", "stopped"} {
		t.Run(state, func(t *testing.T) {
			for _, tt := range cases {
				out := tailrace(t, tt.status, tt.args...)
				if !strings.Contains(out, tt.words) || strings.Count(out, file+"-none") > 1 {
					t.Errorf("%q says %s", tt.args, out)
				}
			}
			if runtime.GOOS != "windows" { // where a folder is opened as no file at all
				if out := tailrace(t, exitTarget, "snapshot", "verify", dir); !strings.Contains(out, "this is a folder, not a file") {
					t.Errorf("verifying a folder says %s", out)
				}
			}
			var created inspect.Snapshot
			out := tailrace(t, exitOK, "snapshot", "create", "orders", "--to", place+"/", "--json")
			if err := json.Unmarshal([]byte(out), &created); err != nil || created.Messages != 3 || created.Location != filepath.Join(place, filepath.FromSlash(created.Key)) {
				t.Errorf("create says %s", out)
			}
			if out := tailrace(t, exitOK, "snapshot", "verify", created.Location); !strings.Contains(out, "3 messages") {
				t.Errorf("verify says %s", out)
			}
		})
		if state == "running" {
			if status := s.stop(); status != exitOK {
				t.Fatalf("exit status %d: %s", status, s.stderr)
			}
			cases = cases[:10] // both go through the same API
		}
	}
	if entries, err := os.ReadDir(filepath.Join(s.dir, "backups")); err == nil {
		t.Errorf("the data folder has %v", entries)
	}
}
