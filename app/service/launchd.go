package service

import (
	"context"
	"encoding/xml"
	"fmt"
	"path/filepath"
	"strings"
)

// label is the name of the service to launchd.
const label = "tailrace.server"

// launchd is that of macOS, for the user who is logged in.
type launchd struct{ m *Machine }

func (l launchd) file() string {
	return filepath.Join(l.m.Home, "Library", "LaunchAgents", label+".plist")
}

func (l launchd) logFile() string {
	return filepath.Join(l.m.Home, "Library", "Logs", "tailrace.log")
}

func (l launchd) content(s Spec) (string, error) {
	var arguments, environment strings.Builder
	for _, part := range append([]string{s.Program}, s.Args...) {
		fmt.Fprintf(&arguments, "\t\t<string>%s</string>\n", escape(part))
	}
	for _, variable := range s.Env {
		name, value, _ := strings.Cut(variable, "=")
		fmt.Fprintf(&environment, "\t\t<key>%s</key><string>%s</string>\n", escape(name), escape(value))
	}
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- %s; the next one overwrites it. -->
<plist version="1.0">
<dict>
	<key>Label</key><string>%s</string>
	<key>ProgramArguments</key>
	<array>
%s	</array>
	<key>EnvironmentVariables</key>
	<dict>
%s	</dict>
	<key>RunAtLoad</key><true/>
	<key>KeepAlive</key>
	<dict>
		<key>SuccessfulExit</key><false/>
	</dict>
	<key>StandardOutPath</key><string>%[5]s</string>
	<key>StandardErrorPath</key><string>%[5]s</string>
</dict>
</plist>
`, mark, label, arguments.String(), environment.String(), escape(l.logFile())), nil
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}

func (l launchd) domain() string { return fmt.Sprintf("gui/%d", l.m.UID) }

func (l launchd) start(ctx context.Context) error {
	if err := l.stop(ctx); err != nil {
		return err
	}
	return l.m.call(ctx, "launchctl", "bootstrap", l.domain(), l.file())
}

func (l launchd) stop(ctx context.Context) error {
	if _, err := l.m.Run(ctx, "launchctl", "print", l.domain()+"/"+label); err != nil {
		return nil // launchd does not know it
	}
	return l.m.call(ctx, "launchctl", "bootout", l.domain()+"/"+label)
}

func (l launchd) afterRemoval(context.Context) error { return nil }

func (l launchd) running(ctx context.Context) (bool, error) {
	out, err := l.m.Run(ctx, "launchctl", "print", l.domain()+"/"+label)
	return err == nil && strings.Contains(string(out), "state = running"), nil
}

func (l launchd) log() string { return "tail -f " + l.logFile() }
