package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// markdown is the page of the documentation that lists every command.
func markdown(commands []command) string {
	var b strings.Builder
	b.WriteString(`# Commands

Written by ` + "`make commands`" + ` from the program itself; ` + "`tailrace COMMAND --help`" + ` prints the same. Exit statuses: 0 done, 1 failed, 2 asked for something that does not exist; commands about snapshots also end with 3 (a file is damaged), 4 (a place cannot be reached or written to) and 5 (there is no such stream, or one is in the way).

`)
	for _, c := range commands {
		if c.path != "" && len(c.subs) == 0 {
			fmt.Fprintf(&b, "- [`tailrace %s`](#%s): %s\n", c.path, anchor(c.path), lower(c.node.Help))
		}
	}
	b.WriteString("- [settings](#settings): flags of `tailrace`, `tailrace serve`, `tailrace config show` and `tailrace service install`\n")
	settings := map[string]*kong.Flag{}
	for _, f := range commands[0].own {
		settings[f.Name] = f
	}
	for _, c := range commands {
		if c.path == "" || len(c.subs) > 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## tailrace %s\n\n```\ntailrace %s%s\n```\n\n%s\n", c.path, c.path, arguments(c.node), c.node.Help)
		for part := range strings.SplitSeq(strings.TrimSpace(c.node.Detail), "\n\n") {
			switch {
			case part == "":
			case strings.HasPrefix(part, "    "):
				fmt.Fprintf(&b, "\n```\n%s\n```\n", strings.ReplaceAll(strings.TrimPrefix(part, "    "), "\n    ", "\n"))
			default:
				fmt.Fprintf(&b, "\n%s\n", part)
			}
		}
		flagTable(&b, c.own, settings)
	}
	b.WriteString("\n## Settings\n")
	flagTable(&b, commands[0].own, nil)
	return b.String()
}

// flagTable lists flags; those of the settings are left to their own table.
func flagTable(b *strings.Builder, flags []*kong.Flag, settings map[string]*kong.Flag) {
	begun, left := false, false
	for _, f := range flags {
		if same := settings[f.Name]; same != nil && same.Help == f.Help {
			left = true
			continue
		}
		if !begun {
			begun = true
			b.WriteString("\n| flag | |\n|---|---|\n")
		}
		value := ""
		if takesValue(f) {
			value = " " + f.FormatPlaceHolder()
		}
		fmt.Fprintf(b, "| `--%s%s` | %s |\n", f.Name, strings.ReplaceAll(value, "|", `\|`), strings.ReplaceAll(f.Help, "|", `\|`))
	}
	if left {
		b.WriteString("\nIt also takes flags of the [settings](#settings).\n")
	}
}

func anchor(path string) string { return "tailrace-" + strings.ReplaceAll(path, " ", "-") }

func lower(s string) string {
	s = strings.TrimSuffix(s, ".")
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
