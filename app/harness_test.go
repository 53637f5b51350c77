package app

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// `tailrace bench --ceiling` starts its own program once more, which is this one.
	if len(os.Args) == 2 && os.Args[1] == "bench-noop" {
		os.Exit(Program{}.Main(context.Background(), os.Args[1:], nil, os.Stdout, os.Stderr))
	}
	// Connections of the HTTP client that the tests themselves use stay open.
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"))
}

// output collects what the program writes and lets a test wait for a part of it.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func newOutput() *output { return &output{changed: make(chan struct{}, 1)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.changed <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *output) waitFor(t *testing.T, part string) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for !strings.Contains(o.String(), part) {
		select {
		case <-o.changed:
		case <-timeout:
			t.Fatalf("nothing was printed that holds %q:\n%s", part, o)
		}
	}
}

// started is a program that serves.
type started struct {
	dir            string
	ready          string
	stdout, stderr *output
	stop           func() int // ends it and returns its exit status
}

func environment(t *testing.T) []string {
	home := t.TempDir()
	return []string{"HOME=" + home, "XDG_CONFIG_HOME=" + home, "APPDATA=" + home, "LOCALAPPDATA=" + home}
}

// start runs `tailrace serve` on free ports until stop.
func start(t *testing.T, p Program, extra ...string) *started {
	t.Helper()
	return startCommand(t, p, []string{"serve"}, extra...)
}

func startCommand(t *testing.T, p Program, command []string, extra ...string) *started {
	t.Helper()
	return startOn(t, p, filepath.Join(t.TempDir(), "data"), command, extra...)
}

// startOn runs a command that serves on a data folder, which may be there already.
func startOn(t *testing.T, p Program, dir string, command []string, extra ...string) *started {
	t.Helper()
	s := &started{dir: dir, ready: filepath.Join(t.TempDir(), "ready.json"), stdout: newOutput(), stderr: newOutput()}
	ctx, cancel := context.WithCancel(t.Context())
	args := slices.Concat(command, []string{
		"--listen", "127.0.0.1:0", "--inspect=127.0.0.1:0", "--data-dir", s.dir, "--ready-file", s.ready,
	}, extra)
	status := make(chan int, 1)
	env := environment(t)
	go func() { status <- p.Main(ctx, args, env, s.stdout, s.stderr) }()
	s.stop = sync.OnceValue(func() int {
		cancel()
		return <-status
	})
	t.Cleanup(func() { s.stop() })
	s.stdout.waitFor(t, s.dir)
	return s
}

// run runs the program to its end.
func run(t *testing.T, p Program, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	return runIn(t, p, environment(t), args...)
}

func runIn(t *testing.T, p Program, env []string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	status = p.Main(ctx, args, env, &out, &errOut)
	return status, out.String(), errOut.String()
}

func want(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s does not hold %q:\n%s", what, part, text)
		}
	}
}
