package main

import (
	"fmt"
	"strings"
)

// words are what may follow a command: its subcommands and flags.
func words(c command) string {
	var out []string
	for _, s := range c.subs {
		out = append(out, s.Name)
	}
	for _, f := range c.own {
		out = append(out, "--"+f.Name)
	}
	return strings.Join(append(out, "--help"), " ")
}

// bash finds the longest command among the words before the cursor, and offers
// what may follow it. Where a value is due, or nothing fits, it offers files.
func bash(commands []command) string {
	var cases, values strings.Builder
	seen := map[string]bool{}
	for _, c := range commands {
		fmt.Fprintf(&cases, "    '%s') words='%s' ;;\n", c.path, words(c))
		for _, f := range c.own {
			if takesValue(f) && !seen[f.Name] {
				seen[f.Name] = true
				fmt.Fprintf(&values, "|--%s", f.Name)
			}
		}
	}
	var known []string
	for _, c := range commands[1:] {
		known = append(known, "'"+c.path+"'")
	}
	return fmt.Sprintf(`# Completions of tailrace for bash.
_tailrace() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command='' word longer known words
  COMPREPLY=()
  case $previous in
    %s) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ $word == -* ]] && continue
    longer="${command:+$command }$word"
    for known in %s; do
      [[ $longer == "$known" ]] && command=$longer
    done
  done
  case $command in
%s  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [[ ${#COMPREPLY[@]} -eq 0 && $current != -* ]]; then
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}
complete -o filenames -F _tailrace tailrace
`, strings.TrimPrefix(values.String(), "|"), strings.Join(known, " "), cases.String())
}

// zsh takes those of bash, which it understands.
func zsh() string {
	return `#compdef tailrace
# Completions of tailrace for zsh: those for bash, which are installed beside it.
autoload -U +X bashcompinit && bashcompinit
for _tailrace_file in /usr/share/bash-completion/completions/tailrace ${0:A:h}/tailrace.bash; do
  [[ -r $_tailrace_file ]] && source $_tailrace_file && break
done
unset _tailrace_file
`
}

func fish(commands []command) string {
	var b strings.Builder
	b.WriteString("# Completions of tailrace for fish.\n")
	for _, c := range commands {
		var conditions []string
		for _, name := range strings.Fields(c.path) {
			conditions = append(conditions, "__fish_seen_subcommand_from "+name)
		}
		var subs []string
		for _, s := range c.subs {
			subs = append(subs, s.Name)
		}
		here := strings.Join(conditions, "; and ")
		if len(subs) > 0 {
			condition := "not __fish_seen_subcommand_from " + strings.Join(subs, " ")
			if here != "" {
				condition = here + "; and " + condition
			}
			for _, s := range c.subs {
				fmt.Fprintf(&b, "complete -c tailrace -f -n '%s' -a %s -d '%s'\n", condition, s.Name, quoteFish(s.Help))
			}
		}
		if here == "" {
			continue
		}
		for _, f := range c.own {
			follows := ""
			if takesValue(f) {
				follows = " -r"
			}
			fmt.Fprintf(&b, "complete -c tailrace -n '%s' -l %s%s -d '%s'\n", here, f.Name, follows, quoteFish(f.Help))
		}
	}
	return b.String()
}

func quoteFish(s string) string { return strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) }
