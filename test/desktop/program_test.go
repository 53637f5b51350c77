//go:build desktop && linux

package desktop

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long something may take on a busy machine.
const patience = 60 * time.Second

// eventually waits until done; the tests look at another process, which tells
// nobody when it is. done's error is why it is not yet.
func eventually(t *testing.T, what string, done func() error) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := done()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s: not within %v: %v", what, patience, err)
		}
	}
}

// openDisplay starts an X server with nothing on it.
func openDisplay(t *testing.T) (*display, string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	server := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1400x900x24", "-nolisten", "tcp")
	server.ExtraFiles = []*os.File{w}
	if err := server.Start(); err != nil {
		t.Fatalf("start Xvfb (make test installs it): %v", err)
	}
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
	})
	w.Close()
	number, err := io.ReadAll(io.LimitReader(r, 16)) // ends when the server has written it and closed its end
	if err != nil || len(bytes.TrimSpace(number)) == 0 {
		t.Fatalf("Xvfb names no display: %q, %v", number, err)
	}
	name := string(bytes.TrimSpace(number))
	d, err := dial(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.conn.Close() })
	return d, ":" + name
}

// binaryOnce returns the program under test, built once if need be.
var binaryOnce = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("TAILRACE_DESKTOP_BIN"); path != "" {
		return path, nil
	}
	path := filepath.Join(os.TempDir(), "tailrace-desktop-test", "tailrace")
	build := exec.Command("go", "build", "-tags", "desktop,production,webkit2_41", "-o", path, ".")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		return "", errors.Join(err, errors.New(string(out)))
	}
	return path, nil
})

// program is the program, running.
type program struct {
	cmd  *exec.Cmd
	out  *transcript
	done chan struct{} // closed when it has ended
}

// place is a home folder and a data folder for one or more programs.
type place struct{ home, data string }

func newPlace(t *testing.T) place {
	dir := t.TempDir()
	return place{home: dir, data: filepath.Join(dir, "data")}
}

// launch starts the program on a display ("" for none) with free ports.
func (p place) launch(t *testing.T, display string, args ...string) *program {
	t.Helper()
	args = append(args, "--data-dir", p.data, "--inspect", "127.0.0.1:0", "--log-level", "debug")
	if !slices.Contains(args, "--listen") {
		args = append(args, "--listen", "127.0.0.1:0")
	}
	return p.launchBare(t, display, args...)
}

// launchBare starts the program with these arguments alone.
func (p place) launchBare(t *testing.T, display string, args ...string) *program {
	t.Helper()
	path, err := binaryOnce()
	if err != nil {
		t.Fatal(err)
	}
	run := &program{cmd: exec.Command(path, args...), out: &transcript{}, done: make(chan struct{})}
	run.cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + p.home, "XDG_CONFIG_HOME=" + p.home,
		"XDG_RUNTIME_DIR=" + p.home, "NO_AT_BRIDGE=1", "LANG=C.UTF-8",
	}
	if display != "" {
		run.cmd.Env = append(run.cmd.Env, "DISPLAY="+display)
	}
	run.cmd.Stdout, run.cmd.Stderr = run.out, run.out
	if err := run.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(run.done)
		run.cmd.Wait()
	}()
	t.Cleanup(func() {
		run.cmd.Process.Kill()
		<-run.done
		if t.Failed() {
			t.Logf("%s %s printed:\n%s", path, strings.Join(args, " "), run.out)
		}
	})
	return run
}

// printed waits until the program has printed a text.
func (p *program) printed(t *testing.T, text string) {
	t.Helper()
	eventually(t, "printing "+text, func() error {
		if strings.Contains(p.out.String(), text) {
			return nil
		}
		select {
		case <-p.done:
			t.Fatalf("the program ended without printing %q:\n%s", text, p.out)
		default:
		}
		return errors.New("not printed")
	})
}

// stop interrupts the program and waits for its end.
func (p *program) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	p.exits(t, 0)
}

// exits waits for the end of the program and checks its exit status.
func (p *program) exits(t *testing.T, status int) {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Fatalf("the program does not end:\n%s", p.out)
	}
	if got := p.cmd.ProcessState.ExitCode(); got != status {
		t.Fatalf("exit status %d (%v), want %d:\n%s", got, p.cmd.ProcessState, status, p.out)
	}
}

// dataURL is the address of the running program, from its run file.
func (p place) dataURL(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(p.data, "run.json"))
	if err != nil {
		t.Fatal(err)
	}
	var run struct {
		DataURL string `json:"data_url"`
	}
	if err := json.Unmarshal(data, &run); err != nil || run.DataURL == "" {
		t.Fatalf("run file %s: %v", data, err)
	}
	return run.DataURL
}

// transcript is what a program has printed so far.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// colours counts the colours of a picture, up to a hundred: an empty window has
// very few, and anti-aliased text has many.
func colours(img *image.RGBA) int {
	seen := map[[3]uint8]bool{}
	for i := 0; i < len(img.Pix) && len(seen) < 100; i += 4 {
		seen[[3]uint8(img.Pix[i:])] = true
	}
	return len(seen)
}

// keep saves a picture for a person to look at.
func keep(t *testing.T, img *image.RGBA, name string) {
	t.Helper()
	dir := filepath.Join("..", "..", "test-results")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
