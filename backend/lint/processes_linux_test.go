package lint

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"tailrace/backend/journal"
)

// TestAppendingProcess is no test but the program of TestRealProcesses: it appends
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
func TestRealProcesses(t *testing.T) {
	l := &Linter{}
	t.Cleanup(l.Close)
	l.writers.patience = time.Hour // this machine may be slow
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.writers.mu.Lock()
		l.writers.next = time.Time{}
		l.writers.mu.Unlock()
		_, _ = io.Copy(io.Discard, r.Body) // a few bytes
		l.Observe(&journal.Exchange{
			Request: r, Began: time.Now(), Stream: r.URL.Path[1:], Status: http.StatusOK, Outcome: journal.Outcome{Decision: journal.Stored},
		})
		l.writers.looking.Wait() // the program is there as long as it is not answered
	}))
	srv.Config.ConnContext = Connected
	srv.Start()
	t.Cleanup(srv.Close)

	pooled := startAppender(t, srv.URL+"/pooled")
	for seq := range 20 {
		pooled.append(seq, seq%3)
	}
	before, after := startAppender(t, srv.URL+"/handed-over"), startAppender(t, srv.URL+"/handed-over")
	for seq := range 20 {
		if seq < 10 {
			before.append(seq, seq%2)
		} else {
			after.append(seq, seq%2)
		}
	}
	if got := l.Findings(); len(got) > 0 {
		t.Errorf("found %+v", got)
	}
	one, two := startAppender(t, srv.URL+"/shared"), startAppender(t, srv.URL+"/shared")
	for seq := 0; seq < 4; seq += 2 {
		one.append(seq, 0)
		two.append(seq+1, 0)
	}
	found := l.Findings()
	first, second := fmt.Sprintf("process %d, and", min(one.pid, two.pid)), fmt.Sprintf("process %d", max(one.pid, two.pid))
	if len(found) != 1 || found[0].Rule != TwoProcesses || found[0].Stream != "shared" ||
		!strings.Contains(found[0].Client, first) || !strings.HasSuffix(found[0].Client, second) {
		t.Errorf("found %+v", found)
	}
}
