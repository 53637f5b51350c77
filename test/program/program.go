package program

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Patience bounds every wait for the program.
const Patience = 30 * time.Second

// Program is a running program.
type Program struct {
	// Addresses, without a slash at the end; known when the program is ready.
	DataURL, DataTLSURL, InspectorURL string

	Output *Output // what it has printed

	t     testing.TB
	cmd   *exec.Cmd
	ready string        // the file that says where it listens
	exit  chan struct{} // closed when the process has ended
}

// Start runs `tailrace serve` until it is ready. A start that is refused fails
// the test.
func Start(t testing.TB, dir string, args ...string) *Program {
	t.Helper()
	p := Launch(t, dir, args...)
	deadline := time.After(Patience)
	for !p.Ready() {
		select {
		case <-p.exit:
			t.Fatalf("the program ended by itself:\n%s", p.Output)
		case <-deadline:
			t.Fatalf("the program is not ready after %s:\n%s", Patience, p.Output)
		case <-time.After(2 * time.Millisecond): // the file's appearance is the only sign
		}
	}
	return p
}

// Launch runs `tailrace serve` and does not wait for it. The log is in dir/data;
// later arguments win over the ones given here.
func Launch(t testing.TB, dir string, args ...string) *Program {
	t.Helper()
	p := &Program{t: t, Output: &Output{}, ready: filepath.Join(dir, "ready.json"), exit: make(chan struct{})}
	if err := os.Remove(p.ready); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	p.cmd = exec.Command(Binary(t), slices.Concat([]string{
		"serve", "--listen", "127.0.0.1:0", "--inspect", "127.0.0.1:0",
		"--data-dir", DataDir(dir), "--ready-file", p.ready,
	}, args)...)
	p.cmd.Env = Env(dir)
	p.cmd.Stdout, p.cmd.Stderr = p.Output, p.Output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in ProcessState
		close(p.exit)
	}()
	t.Cleanup(p.Kill)
	return p
}

// DataDir is the data folder of programs that run in dir.
func DataDir(dir string) string { return filepath.Join(dir, "data") }

// Env is the environment of programs that run in dir: nothing of the person who
// runs the tests gets in.
func Env(dir string) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "TAILRACE_") })
	for _, home := range []string{"HOME", "XDG_CONFIG_HOME", "APPDATA", "LOCALAPPDATA"} {
		env = append(env, home+"="+dir)
	}
	return env
}

// Ready reports whether the program serves, and learns its addresses.
func (p *Program) Ready() bool {
	var info struct {
		DataURL      string `json:"data_url"`
		DataTLSURL   string `json:"data_tls_url"`
		InspectorURL string `json:"inspector_url"`
	}
	b, err := os.ReadFile(p.ready)
	if err != nil || json.Unmarshal(b, &info) != nil {
		return false
	}
	p.DataURL, p.DataTLSURL, p.InspectorURL = info.DataURL, info.DataTLSURL, info.InspectorURL
	return true
}

// PID is the number of the process.
func (p *Program) PID() int { return p.cmd.Process.Pid }

// Kill ends the process at once, if it has not ended, and waits for its end.
func (p *Program) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.exit
}

// Stop asks the program to end and returns its exit status.
func (p *Program) Stop() int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		p.t.Fatal(err)
	}
	return p.Exit()
}

// Exit waits for the end of the program and returns its exit status.
func (p *Program) Exit() int {
	p.t.Helper()
	select {
	case <-p.exit:
	case <-time.After(Patience):
		p.t.Fatalf("the program has not ended after %s:\n%s", Patience, p.Output)
	}
	return p.cmd.ProcessState.ExitCode()
}

// CheckOutput fails the test when the program has logged an error.
func (p *Program) CheckOutput() {
	p.t.Helper()
	for _, bad := range []string{"ERROR", "panic", "damaged"} {
		if strings.Contains(p.Output.String(), bad) {
			p.t.Errorf("the program says %q:\n%s", bad, p.Output)
			return
		}
	}
}

// Until waits for something that the program does by itself.
func Until(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", Patience, what)
		}
		time.Sleep(5 * time.Millisecond) // there is no other sign
	}
}
