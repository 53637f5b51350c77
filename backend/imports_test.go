package backend

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// layer says who may import whom: only packages of a lower layer. A package that
// is not listed must be given its place here.
var layer = map[string]int{
	"backend/protocol":         0,
	"backend/filter":           0,
	"backend/varint":           0,
	"backend/extent":           0,
	"backend/loopback":         0,
	"backend/peer":             0,
	"backend/port":             0,
	"backend/trust":            0,
	"backend/update":           0,
	"bench":                    1,
	"backend/access":           1,
	"backend/wire":             1,
	"backend/demo":             1,
	"backend/fault":            1,
	"backend/lint":             2,
	"backend/journal":          1,
	"backend/localca":          1,
	"backend/store":            1,
	"backend/live":             1,
	"backend/config":           2,
	"backend/plain":            2,
	"backend/engine":           2,
	"backend/activity":         3,
	"backend/mirror":           3,
	"backend/snapshot":         3,
	"backend/snapshot/backup":  2,
	"backend/snapshot/bucket":  1,
	"backend/snapshot/segfile": 2,
	"backend/metrics":          3,
	"backend/subscription":     3,
	"backend/server":           4,
	"backend/inspect":          5,
	"backend":                  6,
	"app/window":               6,
	"app/service":              6,
	"testserver":               7,
	"app":                      7,
	"":                         8,
}

// owners are the only packages that may know a library.
var owners = map[string]string{
	"github.com/wailsapp/":      "app",
	"modernc.org/sqlite":        "backend/store",
	"github.com/minio/minio-go": "backend/snapshot",
}

// source is one Go file of the product.
type source struct {
	file, pkg string // relative to the module
	test      bool
	imports   []string
}

// sources lists the Go files of the product: not the tools beside it.
func sources(t *testing.T) (all []source) {
	t.Helper()
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := filepath.ToSlash(strings.TrimPrefix(strings.TrimPrefix(name, ".."), string(filepath.Separator)))
		if d.IsDir() {
			if slices.Contains([]string{"frontend", "build", "test", "scripts", "zz"}, rel) || (rel != "" && strings.HasPrefix(d.Name(), ".")) || d.Name() == "testdata" {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(rel) != ".go" {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		s := source{file: rel, pkg: strings.TrimSuffix(path.Dir(rel), "."), test: strings.HasSuffix(rel, "_test.go")}
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, imported)
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Fatalf("only %d files found", len(all))
	}
	return all
}

func TestImportsGoOneWay(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue // a test may use what its package must not
		}
		from, ok := layer[s.pkg]
		if !ok {
			t.Errorf("%s: the package %s has no layer", s.file, s.pkg)
			continue
		}
		for _, imported := range s.imports {
			pkg, ours := strings.CutPrefix(imported, "tailrace/")
			if !ours {
				continue
			}
			if to, ok := layer[pkg]; !ok || to >= from {
				t.Errorf("%s: %q may not import %q", s.file, s.pkg, pkg)
			}
		}
	}
}

func TestLibrariesHaveOneOwner(t *testing.T) {
	for _, s := range sources(t) {
		for _, imported := range s.imports {
			for library, owner := range owners {
				if strings.HasPrefix(imported, library) && s.pkg != owner && !strings.HasPrefix(s.pkg, owner+"/") {
					t.Errorf("%s imports %s, which only %s may", s.file, imported, owner)
				}
			}
		}
	}
}

func TestEveryPackageHasDoc(t *testing.T) {
	packages := map[string]bool{}
	for _, s := range sources(t) {
		packages[s.pkg] = true
	}
	for pkg := range packages {
		if pkg == "" {
			continue // package main
		}
		if _, err := os.Stat(filepath.Join("..", filepath.FromSlash(pkg), "doc.go")); err != nil {
			t.Errorf("%s has no doc.go", pkg)
		}
	}
}
