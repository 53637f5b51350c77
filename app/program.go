package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"

	"tailrace/app/service"
	"tailrace/backend"
	"tailrace/backend/config"
	"tailrace/backend/trust"
)

// Exit statuses of Main.
const (
	exitOK     = 0
	exitFailed = 1 // it was asked for something it can do, and that failed
	exitUsage  = 2 // a flag, argument, variable or configuration value is wrong
	// Of commands about snapshots only.
	exitDamaged  = 3 // the file is not what was written
	exitTarget   = 4 // the folder or bucket does not work
	exitConflict = 5 // there is no such stream, or one is in the way
)

// Program is what the binary brings along.
type Program struct {
	Assets  fs.FS  // built inspector, index.html at its root; nil: it was not built, and the inspector says so
	Icon    []byte // PNG of the window; nil: the desktop's default
	Version string // "0.1.0"
	Commit  string // "": taken from the build information

	Stdin       io.Reader              // nil: the process's
	OpenBrowser func(url string) error // nil: the system's browser
	TrustStores *trust.Machine         // where trust installs; nil: this machine
	Services    *service.Machine       // where service installs; nil: this machine
}

// Main runs the program with the command-line arguments (without the program's
// name) and the environment ("NAME=value") and returns its exit status. When ctx
// ends a running server shuts down cleanly.
func (p Program) Main(ctx context.Context, args, env []string, stdout, stderr io.Writer) int {
	inv := &invocation{Program: p, ctx: ctx, environ: env, env: lookup(env), stdout: stdout, stderr: stderr, level: new(slog.LevelVar)}
	command, err := inv.parse(args)
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "tailrace: %v\n", err)
		var parse *kong.ParseError
		if errors.As(err, &parse) {
			fmt.Fprintf(stderr, "Run %q for what there is.\n", helpCommand(parse.Context))
		}
		return exitUsage
	case command == nil: // --help has been printed
		return exitOK
	}

	err = command.Run(inv)
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(stderr, "tailrace: %s\n", explain(err))
	var usage *usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	var status interface{ exitStatus() int }
	if errors.As(err, &status) {
		return status.exitStatus()
	}
	return exitFailed
}

// invocation is one run of the program.
type invocation struct {
	Program
	ctx            context.Context
	environ        []string
	env            func(string) string
	stdout, stderr io.Writer
	flags          map[string]string // settings given as flags, by key
	beside         []string          // what to run beside the server
	sources        config.Sources    // where the loaded settings came from
	level          *slog.LevelVar    // of what goes to standard error
	throwaway      bool              // the data goes when the server ends
}

// usageError is a wrong configuration: the caller has to change something before
// it makes sense to try again.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

func (inv *invocation) load(file string) (config.Loaded, error) {
	if file == "" {
		file = inv.env("TAILRACE_CONFIG")
	}
	inv.sources = config.Sources{File: file, Bare: inv.throwaway, Env: inv.env, Flags: inv.flags}
	loaded, err := config.Load(inv.sources)
	if err != nil {
		return config.Loaded{}, &usageError{err}
	}
	return loaded, nil
}

func (inv *invocation) logger(level string) *slog.Logger {
	// Validated before: what slog does not know stays info.
	_ = inv.level.UnmarshalText([]byte(level))
	return slog.New(slog.NewTextHandler(inv.stderr, &slog.HandlerOptions{Level: inv.level}))
}

// options are what every way of serving has in common.
func (inv *invocation) options(c config.Config, log *slog.Logger) backend.Options {
	o := backend.Options{
		Config: c, Version: inv.Version, Assets: inv.Assets, Volatile: inv.throwaway, Env: inv.env, Log: log, LogLevel: inv.level,
	}
	// The default file need not exist yet: it is watched, and made when settings are saved.
	if inv.sources.Bare && inv.sources.File == "" {
		// A throwaway server has no default file.
	} else if file, err := inv.configFile(inv.sources.File); err == nil {
		if o.ConfigFile, err = filepath.Abs(file); err != nil {
			o.ConfigFile = ""
		}
	}
	o.Reload = func(data []byte) (config.Loaded, error) {
		s := inv.sources
		if s.Data = data; data != nil {
			s.File = o.ConfigFile
		}
		return config.Load(s)
	}
	return o
}

// lookup makes a getenv of an environment; the last value of a name wins, as it
// does in os/exec.
func lookup(env []string) func(string) string {
	values := make(map[string]string, len(env))
	for _, entry := range env {
		if name, value, ok := strings.Cut(entry, "="); ok {
			values[name] = value
		}
	}
	return func(name string) string { return values[name] }
}
