package gateway

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// Keys of the server, and the name of the bucket that it has.
const (
	AccessKey = "tester"
	SecretKey = "not-a-secret"
	Bucket    = "snapshots"
)

// Gateway is a running server.
type Gateway struct {
	Endpoint string
	Data     string // a subfolder is a bucket

	t       *testing.T
	sidecar string
	address string
	process *exec.Cmd
}

// Start starts a server, which ends with the test.
func Start(t *testing.T) *Gateway {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &Gateway{t: t, Data: t.TempDir(), sidecar: t.TempDir(), address: l.Addr().String()}
	g.Endpoint = "http://" + g.address
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(g.Data, Bucket), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Kill)
	g.Run()
	return g
}

// Run starts the server again on what it had, at the same address.
func (g *Gateway) Run() {
	g.t.Helper()
	var out bytes.Buffer
	g.process = exec.Command(program(g.t), "--port", g.address, "--access", AccessKey, "--secret", SecretKey, "--quiet",
		"posix", "--sidecar", g.sidecar, g.Data)
	g.process.Stdout, g.process.Stderr = &out, &out
	if err := g.process.Start(); err != nil {
		g.t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		res, err := http.Get(g.Endpoint)
		if err == nil {
			_ = res.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			g.Kill()
			g.t.Fatalf("the S3 server does not answer: %v\n%s", err, out.Bytes())
		}
	}
}

// Kill ends the server as kill -9 does.
func (g *Gateway) Kill() {
	if g.process == nil || g.process.Process == nil {
		return
	}
	_ = g.process.Process.Kill() // it may have ended
	_ = g.process.Wait()
}

func program(t *testing.T) string {
	t.Helper()
	path := os.Getenv("TAILRACE_VERSITYGW")
	if path == "" {
		_, here, _, _ := runtime.Caller(0)
		path = filepath.Join(filepath.Dir(here), "..", "..", "build", "bin", "versitygw-v1.8.0")
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("the S3 server for tests is missing (%v): run scripts/setup.sh test", err)
	}
	return path
}
