package app

import (
	"errors"
	"fmt"
	"strings"

	"tailrace/backend/config"
)

type configCommands struct {
	Init configInitCommand `cmd:"" help:"Write a configuration file with every key, commented."`
	Path configPathCommand `cmd:"" help:"Print which configuration file is read."`
	Show configShowCommand `cmd:"" help:"Print the effective configuration and where each value came from."`
}

type configInitCommand struct {
	Force bool   `help:"Overwrite an existing file."`
	File  string `arg:"" optional:"" help:"Where to write (default ${config_file})."`
}

func (c *configInitCommand) Run(inv *invocation) error {
	path, err := inv.configFile(c.File)
	if err != nil {
		return err
	}
	if err := config.WriteTemplate(path, c.Force); err != nil {
		return err
	}
	fmt.Fprintf(inv.stdout, "Wrote %s\n", path)
	return nil
}

type configPathCommand struct{}

func (configPathCommand) Run(inv *invocation) error {
	path, err := inv.configFile("")
	if err != nil {
		return err
	}
	fmt.Fprintln(inv.stdout, path)
	return nil
}

// configFile is the file that is meant when file is not named.
func (inv *invocation) configFile(file string) (string, error) {
	for _, path := range []string{file, inv.env("TAILRACE_CONFIG"), config.DefaultFile(inv.env)} {
		if path != "" {
			return path, nil
		}
	}
	return "", &usageError{errors.New("the environment names no home folder: say where the configuration file is")}
}

type configShowCommand struct {
	settings `embed:""`
}

func (configShowCommand) Help() string {
	return "Takes the flags of serve, and shows what they would change. The output is itself a configuration file."
}

func (c *configShowCommand) Run(inv *invocation) error {
	loaded, err := inv.load(c.Config)
	if err != nil {
		return err
	}
	if loaded.File != "" {
		fmt.Fprintf(inv.stdout, "# read %s\n", loaded.File)
	} else {
		fmt.Fprintln(inv.stdout, "# no configuration file")
	}
	width := 0
	for _, k := range config.Keys() {
		if value := k.Value(loaded.Config); !strings.Contains(value, "\n") {
			width = max(width, len(k.Name+" = "+value))
		}
	}
	for _, k := range config.Keys() {
		fmt.Fprintf(inv.stdout, "%-*s  # %s\n", width, k.Name+" = "+k.Value(loaded.Config), loaded.From[k.Name])
	}
	return nil
}
