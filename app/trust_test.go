package app

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"tailrace/backend/trust"
)

// debian is a machine with a folder for authorities that can be written to or
// not.
func debian(t *testing.T, writable bool) (m *trust.Machine, anchors string) {
	t.Helper()
	m = &trust.Machine{
		OS: "linux", Root: t.TempDir(), Home: t.TempDir(),
		LookPath: func(name string) (string, error) {
			if name != "update-ca-certificates" {
				return "", exec.ErrNotFound
			}
			return name, nil
		},
		Run: func(context.Context, string, ...string) ([]byte, error) {
			if !writable {
				return []byte("Permission denied"), exec.ErrNotFound
			}
			return nil, nil
		},
	}
	anchors = filepath.Join(m.Root, "usr/local/share/ca-certificates")
	if err := os.MkdirAll(anchors, 0o755); err != nil {
		t.Fatal(err)
	}
	return m, anchors
}

func count(t *testing.T, dir string) int {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestTrust(t *testing.T) {
	m, anchors := debian(t, true)
	p := Program{TrustStores: m}
	dir := filepath.Join(t.TempDir(), "data")
	trust := func(command string, extra ...string) (int, string, string) {
		return run(t, p, append([]string{"trust", command, "--data-dir", dir}, extra...)...)
	}

	status, _, stderr := trust("status")
	if status != exitFailed {
		t.Errorf("status before there is a CA: %d", status)
	}
	want(t, "standard error", stderr, dir, "tailrace trust install")
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Error("status made the data folder")
	}

	status, stdout, stderr := trust("install")
	if status != exitOK || count(t, anchors) != 1 {
		t.Fatalf("install: status %d\n%s%s", status, stdout, stderr)
	}
	want(t, "install", stdout, filepath.Join(dir, "ca.pem"), "trusted  system", "restarted")
	_, stdout, _ = trust("install")
	want(t, "a second install", stdout, "as before")
	_, stdout, _ = trust("status")
	want(t, "status", stdout, "trusted      system", filepath.Join(dir, "ca.pem"))

	// A host that the CA does not cover needs a new one, in the place of the old.
	status, stdout, stderr = trust("install", "--hosts", "streams.test")
	if status != exitOK || count(t, anchors) != 1 {
		t.Fatalf("install for a host: status %d, %d files\n%s%s", status, count(t, anchors), stdout, stderr)
	}
	want(t, "install for a host", stdout, "streams.test", "not trusted  system", "\ntrusted  system")
	if _, stdout, _ = trust("install", "--hosts", "streams.test"); count(t, anchors) != 1 {
		t.Errorf("another one was made again:\n%s", stdout)
	}

	status, stdout, stderr = trust("remove")
	if status != exitOK || count(t, anchors) != 0 {
		t.Errorf("remove: status %d\n%s%s", status, stdout, stderr)
	}
	_, stdout, _ = trust("status")
	want(t, "status", stdout, "not trusted  system")
}

func TestTrustWithoutPermission(t *testing.T) {
	m, anchors := debian(t, false)
	dir := t.TempDir()
	status, stdout, stderr := run(t, Program{TrustStores: m}, "trust", "install", "--data-dir", dir)
	if status != exitFailed || count(t, anchors) != 0 {
		t.Errorf("status %d\n%s", status, stdout)
	}
	want(t, "standard output", stdout, "for you to do  system", "Permission denied", "sudo install -m 644 "+filepath.Join(dir, "ca.pem"), "sudo update-ca-certificates")
	want(t, "standard error", stderr, "the commands above do it")
}

func TestTrustWithoutStores(t *testing.T) {
	m := &trust.Machine{OS: "plan9", Root: t.TempDir()}
	dir := t.TempDir()
	status, _, stderr := run(t, Program{TrustStores: m}, "trust", "install", "--data-dir", dir)
	if status != exitFailed {
		t.Errorf("status %d", status)
	}
	want(t, "standard error", stderr, "import "+filepath.Join(dir, "ca.pem"))
}
