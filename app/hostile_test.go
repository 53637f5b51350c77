package app

import (
	"bytes"
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
		{exitUsage, "neither a folder nor s3://", []string{"snapshot", "create", "orders", "--to", "ftp://x/y"}},
		{exitUsage, "neither a folder nor s3://", []string{"backup", "--to", "s3:/bucket"}},
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
		{exitUsage, "messages up to 3", []string{"export", "orders", "--from", "4"}},
		{exitUsage, "messages up to 3", []string{"export", "orders", "--to", "4"}},
		{exitUsage, "give either --from or", []string{"export", "orders", "--from", "1", "--from-offset=-1"}},
		{exitUsage, "give either --from or", []string{"export", "orders", "--to", "1", "--to-offset", "now"}},
		{exitUsage, "expected a duration", []string{"snapshot", "compact", "orders", "--to", dir, "--older", "7y"}},
		{exitOK, "", []string{"snapshot", "compact", "orders", "--to", dir, "--older", "7d", "--dry-run"}},
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
			cases = cases[:12] // the rest is the same; both go through the same API
		}
	}
	if entries, err := os.ReadDir(filepath.Join(s.dir, "backups")); err == nil {
		t.Errorf("the data folder has %v", entries)
	}
}

// TestCommandsLeaveDamagedAndMissingLogsAlone: none of them begins a new log where one
// is damaged, and only those that write begin one where there is none.
func TestCommandsLeaveDamagedAndMissingLogsAlone(t *testing.T) {
	p := Program{Version: "1.2.3"}
	work := t.TempDir()
	file := filepath.Join(work, "in.ndjson")
	if err := os.WriteFile(file, []byte("{\"a\":1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tailrace := func(dir string, args ...string) (int, string) {
		t.Helper()
		status, stdout, stderr := run(t, p, append(args, "--data-dir", dir)...)
		return status, stdout + stderr
	}
	dir := filepath.Join(work, "data")
	snaps, backups := filepath.Join(work, "snaps"), filepath.Join(work, "backups")
	for _, args := range [][]string{{"import", "s", file}, {"snapshot", "create", "s", "--to", snaps}, {"backup", "--to", backups}} {
		if status, out := tailrace(dir, args...); status != exitOK {
			t.Fatalf("%q: %d %s", args, status, out)
		}
	}
	var snapshot string
	err := filepath.WalkDir(snaps, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			snapshot = path
		}
		return err
	})
	if err != nil || snapshot == "" {
		t.Fatalf("no snapshot: %v", err)
	}

	db := filepath.Join(dir, "tailrace.db")
	damaged, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	copy(damaged, "garbage!")
	if err := os.WriteFile(db, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	reading := [][]string{
		{"export", "s"},
		{"backup", "--to", backups},
		{"snapshot", "list"},
		{"snapshot", "create", "s", "--to", snaps},
		{"snapshot", "prune", "--keep-last", "1", "--dry-run"},
		{"mirror", "list"},
		{"mirror", "pause", "x"},
	}
	writing := [][]string{{"import", "s", file}, {"snapshot", "restore", snapshot, "--as", "t"}}
	without := [][]string{{"snapshot", "verify", snapshot}, {"snapshot", "list", "--at", snaps}, {"snapshot", "test", snaps}, {"import", "s", file, "--dry-run"}}
	for _, args := range append(reading, writing...) {
		if status, out := tailrace(dir, args...); status != exitDamaged || !strings.Contains(out, "nothing was changed") {
			t.Errorf("%q on a damaged log: %d %s", args, status, out)
		}
	}
	for _, args := range without {
		if status, out := tailrace(dir, args...); status != exitOK {
			t.Errorf("%q beside a damaged log: %d %s", args, status, out)
		}
	}
	if now, err := os.ReadFile(db); err != nil || !bytes.Equal(now, damaged) {
		t.Errorf("the damaged database was changed: %v", err)
	}
	if aside, err := filepath.Glob(filepath.Join(dir, "*damaged*")); err != nil || len(aside) > 0 {
		t.Errorf("set aside: %v %v", aside, err)
	}
	if kept, err := os.ReadDir(backups); err != nil || len(kept) != 1 {
		t.Errorf("%d backups, %v", len(kept), err)
	}

	missing := filepath.Join(work, "missing")
	for _, args := range reading {
		if status, out := tailrace(missing, args...); status != exitConflict || !strings.Contains(out, "there is no log in "+missing) {
			t.Errorf("%q without a log: %d %s", args, status, out)
		}
	}
	for _, args := range without {
		if status, out := tailrace(missing, args...); status != exitOK {
			t.Errorf("%q without a log: %d %s", args, status, out)
		}
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("a data folder was made")
	}
	for _, args := range writing {
		if status, out := tailrace(filepath.Join(work, args[0]), args...); status != exitOK {
			t.Errorf("%q without a log: %d %s", args, status, out)
		}
	}
}
