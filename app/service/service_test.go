package service

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// machine is a home folder and a manager that notes what it is told. The real
// systemd is asked in test/service.
func machine(t *testing.T, goos string, fail func(call string) error) (*Machine, *[]string) {
	t.Helper()
	calls := &[]string{}
	return &Machine{OS: goos, Home: t.TempDir(), UID: 501, Run: func(_ context.Context, name string, args ...string) ([]byte, error) {
		call := name + " " + strings.Join(args, " ")
		*calls = append(*calls, call)
		if fail != nil {
			if err := fail(call); err != nil {
				return []byte("it says why"), err
			}
		}
		return []byte("active\n"), nil
	}}, calls
}

var spec = Spec{Program: `/opt/a b/tailrace`, Args: []string{"serve", `--data-dir=/x/"100%" $HOME\`}, Env: []string{"XDG_DATA_HOME=/d & e"}}

func TestSystemdUnit(t *testing.T) {
	m, calls := machine(t, "linux", nil)
	if err := m.Install(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(m.Home, ".config/systemd/user/tailrace.service"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`ExecStart="/opt/a b/tailrace" "serve" "--data-dir=/x/\"100%%\" $$HOME\\"`,
		`Environment="XDG_DATA_HOME=/d & e"`,
	} {
		if !strings.Contains(string(text), line+"\n") {
			t.Errorf("the unit lacks %s:\n%s", line, text)
		}
	}
	want := []string{"systemctl --user daemon-reload", "systemctl --user enable tailrace.service", "systemctl --user restart tailrace.service"}
	if d := cmp.Diff(want, *calls); d != "" {
		t.Error(d)
	}
	if s, err := m.Status(t.Context()); err != nil || !s.Installed || !s.Running {
		t.Errorf("status %+v, %v", s, err)
	}
	if err := m.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := m.Remove(t.Context()); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("removed twice: %v", err)
	}
	control := Spec{Program: "/t", Args: []string{"a\nExecStart=/bin/evil"}}
	if err := m.Install(t.Context(), control); err == nil {
		t.Error("a line break got into the unit")
	}
}

// A failed installation leaves what was there.
func TestFailedInstall(t *testing.T) {
	refuse := errors.New("exit status 1")
	broken := false
	m, _ := machine(t, "linux", func(call string) error {
		if broken && strings.Contains(call, "restart") {
			return refuse
		}
		return nil
	})
	broken = true
	err := m.Install(t.Context(), spec)
	if !errors.Is(err, refuse) || !strings.Contains(err.Error(), "it says why") {
		t.Errorf("install: %v", err)
	}
	if s, err := m.Status(t.Context()); err != nil || s.Installed {
		t.Errorf("status %+v, %v", s, err)
	}
	broken = false
	if err := m.Install(t.Context(), Spec{Program: "/first"}); err != nil {
		t.Fatal(err)
	}
	broken = true
	if err := m.Install(t.Context(), Spec{Program: "/second"}); err == nil {
		t.Error("no error")
	}
	s, err := m.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(s.File); err != nil || !strings.Contains(string(text), "/first") {
		t.Errorf("the unit is now %s, %v", text, err)
	}
}

func TestAnothersFileStays(t *testing.T) {
	m, calls := machine(t, "linux", nil)
	s, err := m.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := write(s.File, "[Service]\nExecStart=/mine\n"); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{"install": m.Install(t.Context(), spec), "remove": m.Remove(t.Context())} {
		if err == nil || !strings.Contains(err.Error(), s.File) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if len(*calls) > 0 {
		t.Errorf("systemd was told %q", *calls)
	}
}

func TestLaunchAgent(t *testing.T) {
	loaded := false
	m, calls := machine(t, "darwin", func(call string) error {
		if strings.Contains(call, "print") && !loaded {
			return errors.New("exit status 113")
		}
		return nil
	})
	if err := m.Install(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	s, err := m.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(s.File)
	if err != nil {
		t.Fatal(err)
	}
	var strs []string
	for d := xml.NewDecoder(strings.NewReader(string(text))); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the property list is not XML: %v\n%s", err, text)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "string" {
			var value string
			if err := d.DecodeElement(&value, &start); err != nil {
				t.Fatal(err)
			}
			strs = append(strs, value)
		}
	}
	log := filepath.Join(m.Home, "Library/Logs/tailrace.log")
	want := []string{label, spec.Program, spec.Args[0], spec.Args[1], "/d & e", log, log}
	if d := cmp.Diff(want, strs); d != "" {
		t.Error(d)
	}
	loaded = true
	if err := m.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	told := strings.Join(*calls, "\n")
	for _, call := range []string{"launchctl bootstrap gui/501 " + s.File, "launchctl bootout gui/501/" + label} {
		if !strings.Contains(told, call) {
			t.Errorf("launchd was not told %s:\n%s", call, told)
		}
	}
}

func TestUnsupported(t *testing.T) {
	for _, goos := range []string{"windows", "plan9"} {
		m, _ := machine(t, goos, nil)
		var unsupported *Unsupported
		if err := m.Install(t.Context(), spec); !errors.As(err, &unsupported) || !strings.Contains(err.Error(), "tailrace serve") {
			t.Errorf("%s: %v", goos, err)
		}
	}
}
