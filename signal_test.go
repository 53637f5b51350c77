//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asProgram makes the test binary run main: the second process of these tests.
const asProgram = "TAILRACE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// serve starts the program and returns it, its data URL and what it prints.
func serve(t *testing.T) (cmd *exec.Cmd, url string, out *bytes.Buffer) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd = exec.Command(exe, "serve", "--listen", "127.0.0.1:0", "--inspect", "127.0.0.1:0", "--data-dir", filepath.Join(dir, "data"))
	cmd.Env = append(os.Environ(), asProgram+"=1", "HOME="+dir, "XDG_CONFIG_HOME="+dir)
	out = &bytes.Buffer{}
	cmd.Stderr = out
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	// The addresses are printed when both of them answer; the data folder comes last.
	printed := make([]byte, 4096)
	for n := 0; !bytes.Contains(printed[:n], []byte(dir)); {
		got, err := stdout.Read(printed[n:])
		if n += got; err != nil {
			t.Fatalf("the program ended: %s%s", printed[:n], out)
		}
	}
	var run struct {
		DataURL string `json:"data_url"`
	}
	data, err := os.ReadFile(filepath.Join(dir, "data", "run.json"))
	if err != nil || json.Unmarshal(data, &run) != nil {
		t.Fatalf("run file %q: %v", data, err)
	}
	return cmd, run.DataURL, out
}

func TestOneSignalEndsItCleanly(t *testing.T) {
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			cmd, _, out := serve(t)
			for range 2 { // the second one follows so closely that it is the same
				if err := cmd.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// An upload that never ends keeps the server from ending; who does not want to
// wait for it asks again.
func TestTheSecondSignalEndsItAtOnce(t *testing.T) {
	cmd, url, out := serve(t)
	body, feed := io.Pipe()
	defer feed.Close()
	req, err := http.NewRequest(http.MethodPut, url+"/v1/stream/a", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "text/plain")
	go func() {
		if res, err := http.DefaultClient.Do(req); err == nil {
			res.Body.Close()
		}
	}()
	if _, err := feed.Write([]byte("a beginning")); err != nil { // returns when it has been sent
		t.Fatal(err)
	}

	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	again := time.NewTicker(echo / 4)
	defer again.Stop()
	for start := time.Now(); ; {
		select {
		case <-again.C:
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && time.Since(start) > 9*time.Second {
				t.Fatal(err)
			}
			continue
		case <-ended:
		}
		if took := time.Since(start); took > 9*time.Second {
			t.Errorf("it took %v: it waited for the upload", took)
		}
		break
	}
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(out.String(), "second signal") {
		t.Errorf("%v: %s", cmd.ProcessState, out)
	}
}
