package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"tailrace/app/service"
	"tailrace/backend"
	"tailrace/backend/config"
)

// servicePatience is how long a service may take until it answers.
const servicePatience = 20 * time.Second

type serviceCommands struct {
	Install serviceInstallCommand `cmd:"" help:"Serve without a window from login on. Again: with other settings, or a newer program."`
	Remove  serviceRemoveCommand  `cmd:"" help:"Undo install. The data stays."`
	Status  serviceStatusCommand  `cmd:"" help:"Tell whether there is a service and whether it runs."`
}

// services is the machine whose service manager is used.
func (inv *invocation) services() *service.Machine {
	if inv.Services != nil {
		return inv.Services
	}
	return service.Here(runtime.GOOS, config.Home(inv.env), inv.env("XDG_CONFIG_HOME"))
}

type serviceInstallCommand struct {
	settings `embed:""`
}

func (serviceInstallCommand) Help() string {
	return `Has the user's own service manager (systemd, on macOS launchd) run "tailrace serve" with the flags given here, now and from login on. It needs no rights beyond the user's. The app then becomes the window of that server.

Examples:

    tailrace service install
    tailrace service install --listen 127.0.0.1:5000
    tailrace service status
    tailrace service remove`
}

func (c *serviceInstallCommand) Run(inv *invocation) error {
	if _, ok := inv.flags["tokens"]; ok {
		return &usageError{errors.New("a service's command can be read by others: put tokens into the configuration file, not into --token")}
	}
	loaded, err := inv.load(c.Config)
	if err != nil {
		return err
	}
	m, dir := inv.services(), loaded.Config.DataDir
	before, err := m.Status(inv.ctx)
	if err != nil {
		return err
	}
	if run, err := backend.ReadRunFile(dir); err == nil && !before.Running {
		if _, err := askLink(inv.ctx, run); err == nil {
			return &backend.AlreadyRunningError{DataDir: dir, Run: run}
		}
	}
	spec, left, err := inv.serviceSpec(c.Config, dir)
	if err != nil {
		return err
	}
	if err := m.Install(inv.ctx, spec); err != nil {
		return fmt.Errorf("install the service: %w", err)
	}
	fmt.Fprintf(inv.stdout, "Installed %s\n", before.File)
	if len(left) > 0 {
		fmt.Fprintf(inv.stdout, "Not handed to it, for others could read them there: %s. Put what it needs into the configuration file.\n", strings.Join(left, ", "))
	}
	run, err := awaitServer(inv.ctx, dir)
	if err != nil {
		return fmt.Errorf("the service was installed, but no server answers on %s: %w; look with `%s`", dir, err, before.Log)
	}
	fmt.Fprintf(inv.stdout, "Running\n  Streams    %s/v1/stream/\n  Inspector  tailrace open, or the app\n  Data       %s\n  Log        %s\n", run.DataURL, dir, before.Log)
	return nil
}

// isSecret reports whether a variable stays out of the service's file, which others
// may read. AWS has several names for keys and tokens.
func isSecret(name string) bool {
	return name == "TAILRACE_TOKENS" || strings.HasPrefix(name, "AWS_") && (strings.Contains(name, "_KEY") || strings.HasSuffix(name, "_TOKEN"))
}

// serviceSpec is what a service runs, and which variables of this environment it
// goes without. It has no working folder and little environment: files become
// absolute, and the variables that name folders or settings go with it.
func (inv *invocation) serviceSpec(file, dir string) (spec service.Spec, left []string, err error) {
	if spec.Program, err = os.Executable(); err == nil {
		spec.Program, err = filepath.EvalSymlinks(spec.Program)
	}
	if err != nil {
		return spec, nil, fmt.Errorf("find this program: %w", err)
	}
	spec.Args = []string{"serve"}
	if file != "" {
		if file, err = filepath.Abs(file); err != nil {
			return spec, nil, fmt.Errorf("find the configuration file: %w", err)
		}
		spec.Args = append(spec.Args, "--config="+file)
	}
	keys := config.Keys()
	for _, k := range keys {
		text, ok := inv.flags[k.Name]
		if !ok {
			continue
		}
		if k.Name == "data_dir" {
			text = dir
		}
		spec.Args = append(spec.Args, k.Flag()+"="+text)
	}
	for _, variable := range inv.environ {
		name, value, _ := strings.Cut(variable, "=")
		isKey := slices.ContainsFunc(keys, func(k config.Key) bool { return k.Env() == name })
		switch {
		case value == "":
		case isSecret(name):
			left = append(left, name)
		case name == "TAILRACE_DATA_DIR":
			spec.Env = append(spec.Env, name+"="+dir)
		case name == "TAILRACE_CONFIG":
			if value, err = filepath.Abs(value); err != nil {
				return spec, nil, fmt.Errorf("find the configuration file: %w", err)
			}
			spec.Env = append(spec.Env, name+"="+value)
		case isKey, name == "XDG_DATA_HOME", name == "XDG_CONFIG_HOME", strings.HasPrefix(name, "AWS_"):
			spec.Env = append(spec.Env, variable)
		}
	}
	return spec, left, nil
}

// awaitServer waits until a server answers on a data folder.
func awaitServer(ctx context.Context, dir string) (backend.RunFile, error) {
	ctx, cancel := context.WithTimeout(ctx, servicePatience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		run, err := backend.ReadRunFile(dir)
		if err == nil {
			if _, err = askLink(ctx, run); err == nil {
				return run, nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return run, err
		}
	}
}

type serviceRemoveCommand struct{}

func (c *serviceRemoveCommand) Run(inv *invocation) error {
	loaded, err := inv.load("")
	if err != nil {
		return err
	}
	m := inv.services()
	switch err := m.Remove(inv.ctx); {
	case errors.Is(err, service.ErrNotInstalled):
		fmt.Fprintln(inv.stdout, "There is no service to remove.")
		return nil
	case err != nil:
		return fmt.Errorf("remove the service: %w", err)
	}
	fmt.Fprintf(inv.stdout, "Stopped and removed the service. Its data stays: in %s, unless it was told another folder.\n", loaded.Config.DataDir)
	return nil
}

type serviceStatusCommand struct {
	JSON bool `name:"json" help:"Print it as JSON."`
}

func (serviceStatusCommand) Help() string {
	return "The exit status is 0 when the service runs, 1 when it does not or there is none."
}

func (c *serviceStatusCommand) Run(inv *invocation) error {
	s, err := inv.services().Status(inv.ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(inv.stdout).Encode(map[string]any{"installed": s.Installed, "running": s.Running, "file": s.File})
	} else {
		state := "not installed"
		switch {
		case s.Running:
			state = "running"
		case s.Installed:
			state = "installed, not running"
		}
		_, err = fmt.Fprintf(inv.stdout, "Service  %s\nFile     %s\nLog      %s\n", state, s.File, s.Log)
	}
	if err == nil && !s.Running {
		err = errServiceStopped
	}
	return err
}

// errServiceStopped sets the exit status of `tailrace service status`.
var errServiceStopped = errors.New("the service does not run")
