package backend

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// holdDirEnv makes TestLockHolder hold the lock of the folder it names.
const holdDirEnv = "TAILRACE_TEST_HOLD_LOCK"

// TestLockHolder is the second process of the tests below: it takes the lock,
// publishes a run file, says so and holds both until its standard input ends.
func TestLockHolder(t *testing.T) {
	dir := os.Getenv(holdDirEnv)
	if dir == "" {
		return
	}
	l, err := acquireLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.writeRun(holderRun()); err != nil {
		t.Fatal(err)
	}
	os.Stdout.WriteString("holding\n")
	bufio.NewReader(os.Stdin).ReadString('\n')
	if err := l.release(); err != nil {
		t.Fatal(err)
	}
}

func holderRun() RunFile {
	return RunFile{PID: os.Getpid(), DataURL: "http://127.0.0.1:1", InspectorURL: "http://127.0.0.1:2", Token: "secret"}
}

// holdLock starts a process that holds dir and returns it, and a function that
// makes it let go and waits for its end.
func holdLock(t *testing.T, dir string) (*exec.Cmd, func()) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^TestLockHolder$")
	cmd.Env = append(os.Environ(), holdDirEnv+"="+dir)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	letGo := sync.OnceFunc(func() {
		stdin.Close()
		cmd.Wait()
	})
	t.Cleanup(letGo)
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "holding\n" {
		t.Fatalf("the second process said %q, %v", line, err)
	}
	return cmd, letGo
}

func TestLock(t *testing.T) {
	t.Run("another process is refused with who holds the folder", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "data")
		cmd, letGo := holdLock(t, dir)
		_, err := acquireLock(dir)
		var running *AlreadyRunningError
		if !errors.As(err, &running) {
			t.Fatalf("got %v, want an AlreadyRunningError", err)
		}
		want := holderRun()
		want.PID = cmd.Process.Pid
		if diff := cmp.Diff(&AlreadyRunningError{DataDir: dir, Run: want}, running); diff != "" {
			t.Errorf("the error differs (-want +got):\n%s", diff)
		}
		for _, part := range []string{dir, want.DataURL, want.InspectorURL} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("error %q does not mention %s", err, part)
			}
		}
		if strings.Contains(err.Error(), want.Token) {
			t.Errorf("error %q shows the token", err)
		}

		letGo()
		l, err := acquireLock(dir)
		if err != nil {
			t.Fatalf("the folder is still held after the other process ended: %v", err)
		}
		l.release()
	})

	t.Run("a crashed process leaves nothing in the way", func(t *testing.T) {
		dir := t.TempDir()
		cmd, _ := holdLock(t, dir)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()
		if _, err := ReadRunFile(dir); err != nil {
			t.Fatalf("the crashed process left no run file: %v", err)
		}
		l, err := acquireLock(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer l.release()
		if _, err := ReadRunFile(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the stale run file is still there: %v", err)
		}
	})

	t.Run("a process that is stopping is waited for", func(t *testing.T) {
		dir := t.TempDir()
		_, letGo := holdLock(t, dir)
		if err := os.Remove(filepath.Join(dir, runFileName)); err != nil {
			t.Fatal(err)
		}
		go letGo()
		l, err := acquireLock(dir)
		if err != nil {
			t.Fatal(err)
		}
		l.release()
	})

	t.Run("without a run file the error names the folder", func(t *testing.T) {
		dir := t.TempDir()
		holdLock(t, dir)
		if err := os.Remove(filepath.Join(dir, runFileName)); err != nil {
			t.Fatal(err)
		}
		_, err := acquireLockWithin(dir, 0)
		var running *AlreadyRunningError
		if !errors.As(err, &running) || running.Run.PID != 0 || !strings.Contains(err.Error(), dir) {
			t.Errorf("got %v, want an AlreadyRunningError without a process", err)
		}
	})

	t.Run("a folder that cannot be made", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := acquireLock(filepath.Join(file, "data")); err == nil {
			t.Error("no error for a folder below a file")
		}
	})
}

func TestRunFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	l, err := acquireLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadRunFile(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading before writing: %v, want fs.ErrNotExist", err)
	}
	for range 2 { // the second time replaces
		if err := l.writeRun(holderRun()); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ReadRunFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(holderRun(), got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	if runtime.GOOS != "windows" {
		for name, want := range map[string]fs.FileMode{".": fs.ModeDir | 0o700, runFileName: 0o600, LockFileName: 0o600} {
			if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != want {
				t.Errorf("%s has mode %v, %v, want %v", name, info.Mode(), err, want)
			}
		}
	}

	for range 2 {
		if err := l.release(); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != LockFileName {
		t.Errorf("after release the folder holds %v, %v, want the lock file alone", entries, err)
	}
}

func TestReadRunFileRefusesJunk(t *testing.T) {
	for _, junk := range []string{"", "{", "[]", "{}", `{"pid":0,"inspector_url":"x"}`, `{"pid":1}`} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, runFileName), []byte(junk), 0o600); err != nil {
			t.Fatal(err)
		}
		if run, err := ReadRunFile(dir); err == nil {
			t.Errorf("%q is read as %+v, want an error", junk, run)
		}
	}
}
