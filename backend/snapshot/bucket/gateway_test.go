package bucket_test

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"tailrace/backend/snapshot/bucket"
)

// gateway is a real S3 server, versitygw on a folder.
type gateway struct {
	endpoint string
	data     string // a subfolder is a bucket
	process  *exec.Cmd
}

var gatewayKeys = &bucket.Keys{Access: "tester", Secret: "not-a-secret"}

func startGateway(t *testing.T) *gateway {
	t.Helper()
	program := os.Getenv("TAILRACE_VERSITYGW")
	if program == "" {
		program = "../../../build/bin/versitygw-v1.8.0"
	}
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("the S3 server for tests is missing (%v): run scripts/setup.sh test", err)
	}
	program, err := filepath.Abs(program)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	g := &gateway{endpoint: "http://" + address, data: t.TempDir()}
	if err := os.Mkdir(filepath.Join(g.data, "snapshots"), 0o700); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	g.process = exec.Command(program, "--port", address, "--access", gatewayKeys.Access, "--secret", gatewayKeys.Secret, "--quiet",
		"posix", "--sidecar", t.TempDir(), g.data)
	g.process.Stdout, g.process.Stderr = &out, &out
	if err := g.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.kill)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		res, err := http.Get(g.endpoint)
		if err == nil {
			_ = res.Body.Close()
			return g
		}
		if time.Now().After(deadline) {
			t.Fatalf("the S3 server does not answer: %v\n%s", err, out.Bytes())
		}
	}
}

// kill ends the server as kill -9 does.
func (g *gateway) kill() {
	_ = g.process.Process.Kill() // it may have ended
	_ = g.process.Wait()
}

func (g *gateway) target(location string) bucket.Target {
	return bucket.Target{Location: location, Endpoint: g.endpoint, Region: "us-east-1", PathStyle: true, Keys: gatewayKeys}
}

func open(t *testing.T, target bucket.Target) bucket.Bucket {
	t.Helper()
	b, err := bucket.Open(target)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
