package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Machine is where a service is installed.
type Machine struct {
	OS         string // as runtime.GOOS
	Home       string // of the user
	ConfigHome string // XDG_CONFIG_HOME; "": .config in Home
	UID        int
	// Run runs a program and returns what it printed, also when it fails.
	Run func(ctx context.Context, name string, args ...string) ([]byte, error)
}

// Here is this machine, for the user with a home folder and an XDG_CONFIG_HOME.
func Here(goos, home, configHome string) *Machine {
	return &Machine{OS: goos, Home: home, ConfigHome: configHome, UID: os.Getuid(), Run: run}
}

func run(ctx context.Context, name string, args ...string) ([]byte, error) {
	return exec.CommandContext(ctx, name, args...).CombinedOutput()
}

// Spec is what the service runs.
type Spec struct {
	Program string   // absolute
	Args    []string // without the program's name
	Env     []string // "NAME=value", beside what the manager sets
}

// Status is what there is.
type Status struct {
	File      string // of the service, whether it is there or not
	Installed bool
	Running   bool
	Log       string // a command that shows what the service prints
}

// ErrNotInstalled says that there is no service.
var ErrNotInstalled = errors.New("the service is not installed")

// Unsupported says that this system has no manager that the package knows.
type Unsupported struct{ OS string }

func (e *Unsupported) Error() string {
	if e.OS == "windows" {
		return "services of Windows run as another user, so Tailrace installs none: put a shortcut to `tailrace serve` into the folder that Win+R shell:startup opens"
	}
	return "Tailrace knows no service manager of " + e.OS + ": start `tailrace serve` from what runs at login there"
}

// manager is a kind of service manager.
type manager interface {
	file() string
	content(Spec) (string, error)
	start(context.Context) error // also again, after the file has changed
	stop(context.Context) error
	running(context.Context) (bool, error)
	afterRemoval(context.Context) error
	log() string
}

func (m *Machine) manager() (manager, error) {
	if m.Home == "" && (m.OS == "linux" || m.OS == "darwin") {
		return nil, errors.New("the environment names no home folder, where services of a user are installed")
	}
	switch m.OS {
	case "linux":
		return systemd{m}, nil
	case "darwin":
		return launchd{m}, nil
	}
	return nil, &Unsupported{m.OS}
}

// mark is in every file that the package wrote.
const mark = "Written by tailrace service install"

// Install writes the service and starts it, now and at every login. One that is
// there already is replaced and started again. It fails with an *[Unsupported]
// where there is no manager, and leaves nothing behind when it fails.
func (m *Machine) Install(ctx context.Context, s Spec) error {
	to, err := m.manager()
	if err != nil {
		return err
	}
	content, err := to.content(s)
	if err != nil {
		return err
	}
	before, err := m.read(to)
	if err != nil {
		return err
	}
	if err := write(to.file(), content); err != nil {
		return err
	}
	if err := to.start(ctx); err != nil {
		if before == "" {
			return errors.Join(err, os.Remove(to.file()))
		}
		return errors.Join(err, write(to.file(), before))
	}
	return nil
}

// Remove stops the service and removes it. It fails with [ErrNotInstalled] when
// there is none.
func (m *Machine) Remove(ctx context.Context) error {
	from, err := m.manager()
	if err != nil {
		return err
	}
	before, err := m.read(from)
	if err != nil {
		return err
	}
	if before == "" {
		return ErrNotInstalled
	}
	if err := from.stop(ctx); err != nil {
		return err
	}
	if err := os.Remove(from.file()); err != nil {
		return fmt.Errorf("remove the service: %w", err)
	}
	return from.afterRemoval(ctx)
}

// Status looks at the service.
func (m *Machine) Status(ctx context.Context) (Status, error) {
	of, err := m.manager()
	if err != nil {
		return Status{}, err
	}
	s := Status{File: of.file(), Log: of.log()}
	content, err := m.read(of)
	if err != nil || content == "" {
		return s, err
	}
	s.Installed = true
	s.Running, err = of.running(ctx)
	return s, err
}

// read returns what the service's file holds, "" when there is none. Another
// program's is an error.
func (m *Machine) read(of manager) (string, error) {
	content, err := os.ReadFile(of.file())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("read the service: %w", err)
	case !strings.Contains(string(content), mark):
		return "", fmt.Errorf("%s was not written by tailrace: remove it first, if you do not need it", of.file())
	}
	return string(content), nil
}

// write makes the file appear whole.
func write(name, content string) error {
	fail := func(err error) error { return fmt.Errorf("write the service: %w", err) }
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fail(err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), ".tailrace.*")
	if err != nil {
		return fail(err)
	}
	_, err = tmp.WriteString(content)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		return fail(errors.Join(err, os.Remove(tmp.Name())))
	}
	return nil
}

// call runs a tool of the manager; what it printed is in the error.
func (m *Machine) call(ctx context.Context, name string, args ...string) error {
	out, err := m.Run(ctx, name, args...)
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
