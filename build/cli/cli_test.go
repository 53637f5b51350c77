package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"tailrace/app"
)

// generate writes the files as make dist does: for nobody's home folder.
func generate(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"XDG_CONFIG_HOME", "XDG_DATA_HOME", "TAILRACE_CONFIG"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", "~")
	dir := t.TempDir()
	if err := write(dir, "1.2.3"); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestDocumentationListsEveryCommand(t *testing.T) {
	generated, err := os.ReadFile(filepath.Join(generate(t), "commands.md"))
	if err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile("../../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(committed), string(generated)); d != "" {
		t.Errorf("docs/commands.md is old: run make commands\n%s", d)
	}
}

// What is executed is tested in test/docs. The rest of what the documentation
// calls must at least be there: commands, their flags, targets of make.
func TestDocumentationCallsWhatIsThere(t *testing.T) {
	model, err := app.CommandLine()
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(files) == 0 {
		t.Fatal("no documentation:", err)
	}
	called := regexp.MustCompile("(?m)(?:`|^|&& |; )(tailrace|make) ([^`\n]*)")
	for _, file := range append(files, "../../README.md", "../../ARCHITECTURE.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range called.FindAllStringSubmatch(string(text), -1) {
			words := strings.Fields(call[2])
			if call[1] == "make" {
				if len(words) > 0 && !strings.Contains(string(makefile), "\n"+words[0]+":") {
					t.Errorf("%s: the Makefile does not make %q", file, words[0])
				}
			} else if err := accepts(collect(model.Node, "")[0], words); err != nil {
				t.Errorf("%s: tailrace %s: %v", file, call[2], err)
			}
		}
	}
}

// accepts reports what a command line calls that the program does not have. Values
// are not looked at.
func accepts(at command, words []string) error {
	value := false // of a flag comes next
	for _, w := range words {
		if w == "--" || w == "#" {
			break
		}
		if value {
			value = false
			continue
		}
		if name, ok := strings.CutPrefix(w, "--"); ok {
			name, _, joined := strings.Cut(name, "=")
			own := at.own
			if d := at.node.DefaultCmd; d != nil {
				own = append(slices.Clone(own), collect(d, "")[0].own...)
			}
			i := slices.IndexFunc(own, func(f *kong.Flag) bool { return f.Name == name })
			if i < 0 && name != "help" {
				return fmt.Errorf("%q has no flag --%s", at.path, name)
			}
			value = i >= 0 && takesValue(own[i]) && !joined
			continue
		}
		i := slices.IndexFunc(at.subs, func(n *kong.Node) bool { return n.Name == w })
		if i >= 0 {
			at = collect(at.subs[i], strings.TrimSpace(at.path+" "+w))[0]
		} else if len(at.subs) > 0 && commandName.MatchString(w) {
			return fmt.Errorf("%q has no command %q", at.path, w)
		}
	}
	return nil
}

var commandName = regexp.MustCompile("^[a-z]+(-[a-z]+)*$")

func TestBashCompletes(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("needs bash")
	}
	dir := generate(t)
	for line, want := range map[string][]string{
		"":                       {"serve", "snapshot", "--data-dir"},
		"snapshot ":              {"create", "verify", "restore"},
		"snapshot cr":            {"create"},
		"serve --eph":            {"--ephemeral"},
		"snapshot create --data": {"--data-dir"},
	} {
		words := append([]string{"tailrace"}, strings.Split(line, " ")...)
		script := `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tailrace; printf '%s\n' "${COMPREPLY[@]}"`
		out, err := exec.Command("bash", append([]string{"-c", script, filepath.Join(dir, "tailrace.bash")}, words...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v\n%s", line, err, out)
		}
		got := strings.Fields(string(out))
		for _, w := range want {
			if !slices.Contains(got, w) {
				t.Errorf("%q is completed by %q, not by %q", line, got, w)
			}
		}
	}
}
