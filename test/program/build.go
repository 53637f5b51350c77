package program

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

// built is the folder with the program that the tests of this process share.
var built string

// Main runs the tests of a package and removes what they have built.
func Main(m *testing.M) {
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built) // a left-over in the temporary folder harms nobody
	}
	os.Exit(code)
}

// Binary is the program under test: TAILRACE_BIN or a fresh build.
func Binary(t testing.TB) string {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

var build = sync.OnceValues(func() (string, error) {
	if bin := os.Getenv("TAILRACE_BIN"); bin != "" {
		return bin, nil
	}
	var err error
	if built, err = os.MkdirTemp("", "tailrace-test"); err != nil {
		return "", err
	}
	bin := filepath.Join(built, "tailrace")
	if runtime.GOOS == "windows" {
		bin += ".exe"
	}
	cmd := exec.Command("go", "build", "-o", bin, "tailrace")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return bin, nil
})
