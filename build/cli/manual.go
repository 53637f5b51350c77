package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// manual is the page for man, in the language of man(7).
func manual(model *kong.Application, commands []command, version string) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH TAILRACE 1 \"\" \"Tailrace %s\" \"User Commands\"\n", roff(version))
	b.WriteString(".SH NAME\ntailrace \\- a local server and inspector for the Durable Streams protocol\n")
	b.WriteString(".SH SYNOPSIS\n.B tailrace\n[\\fICOMMAND\\fR] [\\fIFLAGS\\fR]\n.SH DESCRIPTION\n")
	paragraphs(&b, model.Help)
	b.WriteString(".SH COMMANDS\n")
	settings := map[string]*kong.Flag{}
	for _, f := range commands[0].own {
		settings[f.Name] = f
	}
	for _, c := range commands {
		if c.path == "" || len(c.subs) > 0 {
			continue
		}
		fmt.Fprintf(&b, ".SS tailrace %s%s\n%s\n", roff(c.path), roff(arguments(c.node)), roff(c.node.Help))
		paragraphs(&b, c.node.Detail)
		all := 0
		for _, f := range c.own {
			if same := settings[f.Name]; same != nil && same.Help == f.Help {
				all++
				continue
			}
			flag(&b, f)
		}
		if all > 0 {
			b.WriteString(".PP\nIt takes flags of the settings below.\n")
		}
	}
	b.WriteString(".SH SETTINGS\n")
	for _, f := range commands[0].own {
		flag(&b, f)
	}
	b.WriteString(".SH SEE ALSO\nThe documentation that comes with the program.\n")
	return b.String()
}

func arguments(n *kong.Node) string {
	var b strings.Builder
	for _, p := range n.Positional {
		b.WriteString(" " + p.Summary())
	}
	return b.String()
}

func flag(b *strings.Builder, f *kong.Flag) {
	fmt.Fprintf(b, ".TP\n\\fB%s\\fR", roff("--"+f.Name))
	if takesValue(f) {
		fmt.Fprintf(b, " \\fI%s\\fR", roff(f.FormatPlaceHolder()))
	}
	fmt.Fprintf(b, "\n%s\n", roff(f.Help))
}

// paragraphs writes a help text: what is indented stays as it is.
func paragraphs(b *strings.Builder, text string) {
	for part := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		switch {
		case part == "":
		case strings.Contains("\n"+part, "\n  "):
			fmt.Fprintf(b, ".PP\n.nf\n%s\n.fi\n", roff(part))
		default:
			fmt.Fprintf(b, ".PP\n%s\n", roff(part))
		}
	}
}

// roff writes text so that it means nothing else to roff.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
