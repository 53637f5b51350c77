package app

import (
	"fmt"
	"slices"
	"strings"

	"tailrace/backend/access"
	"tailrace/backend/config"
)

type tokenCommands struct {
	Create tokenCreateCommand `cmd:"" help:"Make a token and print its secret once."`
}

type tokenCreateCommand struct {
	Name   string  `required:"" help:"Name of the token, for people: letters, digits, - . and _."`
	Access string  `required:"" placeholder:"LEVEL" help:"What it allows: read (GET, HEAD), append (and POST: append and close), full (and PUT, DELETE, subscriptions)."`
	Paths  *string `placeholder:"GLOB,…" help:"Streams it is good for, such as 'orders/**'; without, every stream."`
	Write  bool    `help:"Add it to the configuration file."`
	Config string  `placeholder:"FILE" help:"Configuration file (default ${config_file}; TAILRACE_CONFIG)."`
}

func (tokenCreateCommand) Help() string {
	return `The secret goes to standard output and is stored nowhere; the configuration holds its SHA-256. Everything else goes to standard error.

Examples:

    tailrace token create --name ci --access append --paths 'orders/**'
    TOKEN=$(tailrace token create --name dev --access full --write)

A running server follows its configuration file.`
}

func (c *tokenCreateCommand) Run(inv *invocation) error {
	level, err := access.ParseLevel(c.Access)
	if err != nil {
		return &usageError{err}
	}
	var paths []string
	if c.Paths != nil {
		// An empty variable of a script must not open everything.
		if paths = strings.Split(*c.Paths, ","); slices.Contains(paths, "") {
			return &usageError{fmt.Errorf("--paths %q: a glob is missing; leave it out for every stream", *c.Paths)}
		}
	}
	secret := access.NewSecret()
	token := access.Token{Name: c.Name, Level: level, Paths: paths, Hash: access.HashOf(secret)}
	if err := token.Check(); err != nil {
		return &usageError{err}
	}
	path, err := inv.configFile(c.Config)
	switch {
	case err != nil && c.Write:
		return err
	case err != nil:
		path = "the configuration file"
	}
	if c.Write {
		if err := config.AddToken(path, token); err != nil {
			return err
		}
		fmt.Fprintf(inv.stderr, "Added to %s; a running server follows the file.\n", path)
	} else {
		fmt.Fprintf(inv.stderr, "Add this to %s:\n\n  %s\n", path,
			strings.ReplaceAll(strings.TrimSpace(config.TokenTable(token)), "\n", "\n  "))
		// The compact form has no way to write these in a glob.
		if !strings.ContainsAny(strings.Join(paths, ""), ", '") {
			fmt.Fprintf(inv.stderr, "\nor set a variable:\n\n  TAILRACE_TOKENS='%s'\n", token.Compact())
		}
	}
	fmt.Fprintf(inv.stderr, "\nThe token, %s. It is shown this once:\n\n", token.Scope())
	fmt.Fprintln(inv.stdout, secret)
	return nil
}
