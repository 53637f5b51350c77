package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/alecthomas/kong"

	"tailrace/app"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: cli FOLDER VERSION")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "cli:", err)
		os.Exit(1)
	}
}

func write(dir, version string) error {
	model, err := app.CommandLine()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	commands := collect(model.Node, "")
	for name, text := range map[string]string{
		"tailrace.1":    manual(model, commands, version),
		"tailrace.bash": bash(commands),
		"tailrace.zsh":  zsh(),
		"tailrace.fish": fish(commands),
		"commands.md":   markdown(commands),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// command is one that a person can type, with what may follow.
type command struct {
	path string // "snapshot create"; "" is the program alone
	node *kong.Node
	subs []*kong.Node
	own  []*kong.Flag // without --help
}

// collect lists the commands of a node and below, in the order of their help.
func collect(n *kong.Node, path string) []command {
	c := command{path: path, node: n}
	for _, f := range n.Flags {
		if !f.Hidden && f.Name != "help" {
			c.own = append(c.own, f)
		}
	}
	var below []command
	for _, child := range n.Children {
		if child.Hidden || child.Name == "window" {
			continue
		}
		c.subs = append(c.subs, child)
		name := child.Name
		if path != "" {
			name = path + " " + name
		}
		below = append(below, collect(child, name)...)
	}
	if path == "" && n.DefaultCmd != nil {
		c.own = append(c.own, collect(n.DefaultCmd, "")[0].own...)
	}
	return append([]command{c}, below...)
}

// takesValue reports whether a flag is followed by a value.
func takesValue(f *kong.Flag) bool { return !f.IsBool() && !f.IsCounter() }
