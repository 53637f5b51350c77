package app

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tailrace/backend/inspect"
)

// Both on a running server and on the folder of a stopped one.
func TestExportAndImport(t *testing.T) {
	p := Program{Version: "1.2.3"}
	s := start(t, p)
	files := t.TempDir()
	in := filepath.Join(files, "in.ndjson")
	if err := os.WriteFile(in, []byte("{\"n\":9007199254740993}\n\"two\"\n[3]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := ""
	steps := func(name string) func(t *testing.T) {
		return func(t *testing.T) {
			tailrace := func(status int, stdin string, args ...string) (stdout, stderr string) {
				t.Helper()
				p := p
				p.Stdin = strings.NewReader(stdin)
				have, stdout, stderr := run(t, p, append(args, "--data-dir", s.dir)...)
				if have != status {
					t.Fatalf("%q: status %d, want %d\n%s%s", args, have, status, stdout, stderr)
				}
				return stdout, stderr
			}
			var r inspect.ImportResult
			for _, appended := range []int64{3, 0} { // idempotent
				out, _ := tailrace(exitOK, "", "import", name, in, "--json")
				if err := json.Unmarshal([]byte(out), &r); err != nil || r.Messages != 3 || r.Appended != appended || r.Duplicates != 3-appended {
					t.Errorf("import says %s", out)
				}
			}
			out := filepath.Join(files, name+".ndjson")
			says, _ := tailrace(exitOK, "", "export", name, "-o", out)
			file, err := os.ReadFile(out)
			if err != nil || string(file) != "{\"n\":9007199254740993}\n\"two\"\n[3]\n" {
				t.Errorf("exported %q, %v", file, err)
			}
			want(t, "export", says, "3 messages", fmt.Sprintf("%x", sha256.Sum256(file)))
			_, stderr := tailrace(exitUsage, "", "export", name, "-o", out)
			want(t, "export over a file", stderr, "--force")
			data, stderr := tailrace(exitOK, "", "export", name, "--format", "csv", "--where", "$.n > 1", "--json")
			var e inspect.Export
			if err := json.Unmarshal([]byte(stderr), &e); err != nil || e.Messages != 1 || *e.SHA256 != fmt.Sprintf("%x", sha256.Sum256([]byte(data))) {
				t.Errorf("%q with %s", data, stderr)
			}
			tailrace(exitConflict, "", "export", "nothing-there")
			tailrace(exitUsage, "", "export", name, "--format", "raw")

			array := filepath.Join(files, name+".json")
			tailrace(exitOK, "", "export", name, "-o", array, "--format", "json")
			tailrace(exitOK, "", "import", name+"-array", array)
			if back, _ := tailrace(exitOK, "", "export", name+"-array"); back != string(file) {
				t.Errorf("an array came back as %q", back)
			}

			_, stderr = tailrace(exitUsage, "1\noops\n", "import", name, "-", "--format", "ndjson")
			want(t, "a bad line", stderr, "line 2", "'o'")
			tailrace(exitOK, "one\ntwo\n", "import", name+"-text", "-", "--content-type", "text/plain")
			if text, _ = tailrace(exitOK, "", "export", name+"-text"); text != "one\ntwo\n" {
				t.Errorf("text came back as %q", text)
			}
			entries, err := os.ReadDir(files)
			if err != nil || strings.Contains(fmt.Sprint(entries), ".tmp") {
				t.Errorf("left behind: %v %v", entries, err)
			}
		}
	}
	t.Run("running", steps("one"))
	res, err := http.Get(s.dataURL(t) + "/v1/stream/one-text")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, _ := io.ReadAll(res.Body); string(b) != "one\ntwo\n" || res.Header.Get("Content-Type") != "text/plain" {
		t.Errorf("over the protocol: %q %v", b, res.Header)
	}
	s.stop()
	t.Run("stopped", steps("two"))
}

// An export that breaks off says what the server has met.
func TestExportSaysWhyItBreaksOff(t *testing.T) {
	p := Program{Version: "1.2.3"}
	dir, keep := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "keep")
	file := filepath.Join(t.TempDir(), "big.log")
	if err := os.WriteFile(file, bytes.Repeat([]byte("a line of a log\n"), 24<<16), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startOn(t, p, dir, []string{"serve"})
	for _, args := range [][]string{{"import", "big", file}, {"snapshot", "compact", "big", "--to", keep}} {
		if status, _, stderr := run(t, p, append(args, "--data-dir", dir)...); status != exitOK {
			t.Fatalf("%q: %d %s", args, status, stderr)
		}
	}
	s.stop() // so that nothing of it is in memory
	s = startOn(t, p, dir, []string{"serve"})
	res, err := http.Get(s.dataURL(t) + "/v1/stream/big?offset=-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v", res.Status, err)
	}
	if err := os.Rename(keep, keep+".away"); err != nil {
		t.Fatal(err)
	}
	status, _, stderr := run(t, p, "export", "big", "-o", filepath.Join(t.TempDir(), "out"), "--data-dir", dir)
	if status != exitFailed {
		t.Errorf("status %d", status)
	}
	want(t, "export", stderr, "broke off after", keep)
}
