//go:build linux

package service

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tailrace/test/program"
)

func TestMain(m *testing.M) { program.Main(m) }

// script runs as root of a mount namespace of its own, with a systemd for the
// user that nobody else sees. systemd refuses to run where it did not boot the
// machine, which a folder tells it.
const script = `set -eu
if [ ! -d /run/systemd/system ]; then
  mount -t tmpfs tmpfs /run/systemd 2>/dev/null || { mkdir -p /run/systemd; mount -t tmpfs tmpfs /run/systemd; }
  mkdir /run/systemd/system
fi
"$SYSTEMD" --user >"$HOME/systemd.log" 2>&1 &
trap 'kill $!; wait $! || true' EXIT
for _ in $(seq 200); do [ -S "$XDG_RUNTIME_DIR/systemd/private" ] && break; sleep 0.1; done
status() { "$TAILRACE" service status 2>&1 || echo "status $?"; }
status
"$TAILRACE" service install --listen 127.0.0.1:0 --inspect 127.0.0.1:0 --data-dir data
echo "-- installed"
status
url=$(sed -n 's/.*"data_url": "\(.*\)".*/\1/p' data/run.json)
curl -sS -X PUT "$url/v1/stream/kept" -H 'Content-Type: text/plain' -d kept
kill -9 "$(sed -n 's/.*"pid": \([0-9]*\).*/\1/p' data/run.json)"
echo "-- killed"
for _ in $(seq 300); do "$TAILRACE" open --print --data-dir data >/dev/null 2>&1 && break; sleep 0.1; done
url=$(sed -n 's/.*"data_url": "\(.*\)".*/\1/p' data/run.json)
curl -sS "$url/v1/stream/kept"
echo
"$TAILRACE" service install --listen 127.0.0.1:0 --inspect 127.0.0.1:0 --data-dir data >/dev/null
echo "-- installed again"
status
"$TAILRACE" service remove
[ ! -e data/run.json ] && [ -e data/tailrace.db ] && echo "-- the data stays"
status
`

func TestSystemd(t *testing.T) {
	systemd := ""
	for _, path := range []string{"/lib/systemd/systemd", "/usr/lib/systemd/systemd"} {
		if _, err := os.Stat(path); err == nil {
			systemd = path
		}
	}
	if systemd == "" || os.Getuid() != 0 || exec.Command("unshare", "-m", "true").Run() != nil {
		t.Skip("needs systemd, and root for a place where a second one sees nothing of the first")
	}
	bin, err := filepath.Abs(program.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	runtime := filepath.Join(home, "runtime")
	if err := os.Mkdir(runtime, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "-m", "bash", "-c", script)
	cmd.Dir = home
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_RUNTIME_DIR=" + runtime, "SYSTEMD=" + systemd, "TAILRACE=" + bin}
	out, err := cmd.CombinedOutput()
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(home, "systemd.log"))
		t.Fatalf("%v\n%s\n%s", err, out, log)
	}
	text := string(out)
	for _, part := range []string{
		"not installed", "status 1", "-- installed\n", "Service  running\n", "-- killed\nkept\n",
		"-- installed again\nService  running\n", "Stopped and removed", "-- the data stays\nService  not installed",
	} {
		_, rest, ok := strings.Cut(text, part)
		if !ok {
			t.Fatalf("nothing says %q in order:\n%s", part, out)
		}
		text = rest
	}
}
