package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
