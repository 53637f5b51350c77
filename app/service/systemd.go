package service

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// unit is the name of the service to systemd.
const unit = "tailrace.service"

// systemd is the user's own systemd.
type systemd struct{ m *Machine }

func (s systemd) file() string {
	config := s.m.ConfigHome
	if !filepath.IsAbs(config) {
		config = filepath.Join(s.m.Home, ".config")
	}
	return filepath.Join(config, "systemd", "user", unit)
}

func (s systemd) content(spec Spec) (string, error) {
	var command, environment strings.Builder
	for i, part := range append([]string{spec.Program}, spec.Args...) {
		quoted, err := quote(part)
		if err != nil {
			return "", err
		}
		if i > 0 {
			command.WriteByte(' ')
		}
		// A dollar sign would name a variable, but not in the name of the program.
		if i > 0 {
			quoted = strings.ReplaceAll(quoted, "$", "$$")
		}
		command.WriteString(quoted)
	}
	for _, variable := range spec.Env {
		quoted, err := quote(variable)
		if err != nil {
			return "", err
		}
		environment.WriteString("Environment=" + quoted + "\n")
	}
	// Wrong settings (status 2) do not become right by starting again.
	return fmt.Sprintf(`# %s; the next one overwrites it.
# systemctl --user edit tailrace adds settings that stay.
[Unit]
Description=Tailrace, a server for Durable Streams

[Service]
Type=exec
ExecStart=%s
%sRestart=on-failure
RestartSec=5
RestartPreventExitStatus=2
TimeoutStopSec=20
NoNewPrivileges=yes

[Install]
WantedBy=default.target
`, mark, command.String(), environment.String()), nil
}

// quote writes a value as systemd.syntax(7) wants it.
func quote(s string) (string, error) {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", fmt.Errorf("a service cannot be given %q: it holds a control character", s)
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%").Replace(s) + `"`, nil
}

func (s systemd) ctl(ctx context.Context, args ...string) error {
	err := s.m.call(ctx, "systemctl", append([]string{"--user"}, args...)...)
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("systemctl is missing: this Linux has no systemd, so start `tailrace serve` from what runs at login here")
	}
	return err
}

func (s systemd) start(ctx context.Context) error {
	for _, args := range [][]string{{"daemon-reload"}, {"enable", unit}, {"restart", unit}} {
		if err := s.ctl(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

func (s systemd) stop(ctx context.Context) error { return s.ctl(ctx, "disable", "--now", unit) }

func (s systemd) afterRemoval(ctx context.Context) error { return s.ctl(ctx, "daemon-reload") }

func (s systemd) running(ctx context.Context) (bool, error) {
	out, err := s.m.Run(ctx, "systemctl", "--user", "is-active", unit)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return false, fmt.Errorf("ask systemd: %w", err)
	}
	return err == nil && strings.TrimSpace(string(out)) == "active", nil
}

func (s systemd) log() string { return "journalctl --user -u tailrace" }
