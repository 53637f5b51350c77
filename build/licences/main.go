package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

func main() {
	if err := write(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

// part is something that is built in.
type part struct{ name, version, dir string }

func write(w io.Writer) error {
	modules, err := goModules()
	if err != nil {
		return err
	}
	packages, err := npmPackages("frontend")
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	fmt.Fprint(out, "Tailrace is built from the following.\n")
	for _, p := range slices.Concat(modules, packages) {
		texts, err := licences(p.dir)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		fmt.Fprintf(out, "\n%s\n%s %s\n%[1]s\n\n", strings.Repeat("=", 72), p.name, p.version)
		for _, text := range texts {
			fmt.Fprintln(out, strings.TrimSpace(text))
		}
	}
	return out.Flush()
}

// platforms are those that packages are made for: each brings modules of its own.
var platforms = []string{"darwin", "linux", "windows"}

// goModules are Go and the modules of the packages that the program imports, on
// any platform.
func goModules() ([]part, error) {
	var lines []string
	for _, goos := range platforms {
		list := exec.Command("go", "list", "-deps", "-tags", "desktop,production,webkit2_41",
			"-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}", ".")
		list.Env = append(os.Environ(), "GOOS="+goos, "GOARCH=amd64", "CGO_ENABLED=1")
		list.Stderr = os.Stderr
		printed, err := list.Output()
		if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		lines = append(lines, strings.Split(strings.TrimSpace(string(printed)), "\n")...)
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	parts := []part{{"Go", runtime.Version(), strings.TrimSpace(string(root))}}
	slices.Sort(lines)
	for _, line := range slices.Compact(lines) {
		if f := strings.Split(line, "\t"); len(f) == 3 {
			parts = append(parts, part{f[0], f[1], f[2]})
		}
	}
	return parts, nil
}

// runtimeOf are the packages whose code is compiled into the page with Svelte's
// own; the others that it depends on are its compiler's.
var runtimeOf = map[string][]string{"svelte": {"clsx", "esm-env"}}

// npmPackages are those that the page needs when it runs.
func npmPackages(dir string) ([]part, error) {
	found := map[string]part{}
	var visit func(name string, optional bool) error
	visit = func(name string, optional bool) error {
		if _, ok := found[name]; ok {
			return nil
		}
		at := filepath.Join(dir, "node_modules", filepath.FromSlash(name))
		about, err := readPackage(at)
		if optional && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		found[name] = part{name, about.Version, at}
		needed := slices.Collect(maps.Keys(about.Dependencies))
		if some, ok := runtimeOf[name]; ok {
			needed = some
		}
		for _, needs := range needed {
			if err := visit(needs, false); err != nil {
				return err
			}
		}
		for needs := range about.PeerDependencies {
			if err := visit(needs, true); err != nil {
				return err
			}
		}
		return nil
	}
	page, err := readPackage(dir)
	if err != nil {
		return nil, err
	}
	for name := range page.Dependencies {
		if err := visit(name, false); err != nil {
			return nil, err
		}
	}
	if err := visit("svelte", false); err != nil {
		return nil, err
	}
	parts := make([]part, 0, len(found))
	for _, p := range found {
		parts = append(parts, p)
	}
	slices.SortFunc(parts, func(a, b part) int { return strings.Compare(a.name, b.name) })
	return parts, nil
}

// about is what matters of a package.json.
type about struct {
	Version          string            `json:"version"`
	Dependencies     map[string]string `json:"dependencies"`
	PeerDependencies map[string]string `json:"peerDependencies"`
}

func readPackage(dir string) (a about, err error) {
	data, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal(data, &a)
}

// licences returns the texts in a folder whose names say that they are one.
func licences(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, e := range entries {
		name := strings.ToLower(e.Name())
		if e.IsDir() || !strings.HasPrefix(name, "licen") && !strings.HasPrefix(name, "copying") && !strings.HasPrefix(name, "notice") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		texts = append(texts, string(text))
	}
	if len(texts) == 0 {
		return nil, errors.New("no licence in " + dir)
	}
	return texts, nil
}
