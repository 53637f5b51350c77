package backend

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"tailrace/backend/config"
	"tailrace/backend/lint"
)

// TestAppendingProcess is no test but the program of TestTwoProcesses: it appends
// what it is told to, over as many connections as it is told, and says how it went.
func TestAppendingProcess(t *testing.T) {
	stream := os.Getenv("TAILRACE_TEST_STREAM")
	if stream == "" {
		t.Skip("it runs in processes of their own")
	}
	clients := map[string]*http.Client{}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		seq, connection, _ := strings.Cut(lines.Text(), " ")
		if clients[connection] == nil {
			clients[connection] = &http.Client{Transport: &http.Transport{}}
		}
		req, err := http.NewRequest(http.MethodPost, stream, strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range []string{"Content-Type: text/plain", "Producer-Id: p", "Producer-Epoch: 0", "Producer-Seq: " + seq} {
			name, value, _ := strings.Cut(h, ": ")
			req.Header.Set(name, value)
		}
		res, err := clients[connection].Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body) // empty
		res.Body.Close()
		fmt.Println("status", res.StatusCode)
	}
}

// appender is a process that appends to a stream.
type appender struct {
	t   *testing.T
	pid int
	in  io.WriteCloser
	out *bufio.Scanner
}

func startAppender(t *testing.T, stream string) *appender {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestAppendingProcess$")
	cmd.Env = append(os.Environ(), "TAILRACE_TEST_STREAM="+stream)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	return &appender{t: t, pid: cmd.Process.Pid, in: in, out: bufio.NewScanner(out)}
}

// append stores one message, and returns when it is.
func (a *appender) append(seq, connection int) {
	a.t.Helper()
	fmt.Fprintln(a.in, seq, connection)
	if !a.out.Scan() || a.out.Text() != "status 200" {
		a.t.Fatalf("seq %d: %q", seq, a.out.Text())
	}
}

// Two processes that write by turns as one producer are found, one with many
// connections is not.
func TestTwoProcesses(t *testing.T) {
	b, _ := openBackend(t, func(*config.Config) {})
	streams := map[string]string{}
	for _, name := range []string{"shared", "pooled"} {
		streams[name] = b.DataURL() + "/v1/stream/" + name
		req, _ := http.NewRequest(http.MethodPut, streams[name], nil)
		req.Header.Set("Content-Type", "text/plain")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	one, two := startAppender(t, streams["shared"]), startAppender(t, streams["shared"])
	pooled := startAppender(t, streams["pooled"])
	var found []lint.Finding
	deadline := time.Now().Add(10 * time.Minute)
	for seq := 0; len(found) == 0; seq += 2 {
		if time.Now().After(deadline) {
			t.Fatal("they were not found")
		}
		one.append(seq, 0)
		two.append(seq+1, 0)
		pooled.append(seq, seq%3)
		pooled.append(seq+1, seq%5)
		time.Sleep(10 * time.Millisecond) // spares the machine
		found = b.lint.Findings()
	}
	who := fmt.Sprintf("process %d, and", min(one.pid, two.pid))
	if f := found[0]; len(found) != 1 || f.Rule != lint.TwoProcesses || f.Stream != "shared" || !strings.Contains(f.Client, who) ||
		!strings.HasSuffix(f.Client, fmt.Sprintf("process %d", max(one.pid, two.pid))) {
		t.Errorf("found %+v", found)
	}
}
