package trust

import (
	"bytes"
	"context"
	"crypto/sha1" // how macOS and Windows name certificates
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"unicode"
)

// Machine is where authorities are installed. Use Here; tests make their own.
type Machine struct {
	OS   string // as runtime.GOOS
	Root string // of the file system: "/"
	Home string // of the user; "": there is none
	// Run runs a program and returns what it printed, also when it fails.
	Run func(ctx context.Context, name string, args ...string) ([]byte, error)
	// LookPath finds a program.
	LookPath func(name string) (string, error)
}

// Here is this machine, as the user with a home folder.
func Here(goos, home string) *Machine {
	return &Machine{OS: goos, Root: "/", Home: home, Run: run, LookPath: lookPath}
}

func run(ctx context.Context, name string, args ...string) ([]byte, error) {
	return exec.CommandContext(ctx, name, args...).CombinedOutput()
}

// lookPath also looks where users who are not root have no path to.
func lookPath(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if path, sbinErr := exec.LookPath(filepath.Join(dir, name)); sbinErr == nil {
			return path, nil
		}
	}
	return "", err
}

// Authority is what is installed.
type Authority struct {
	Cert *x509.Certificate
	File string // where its certificate lies, in PEM
	PEM  []byte
}

// name is the authority's own name in a store: more than one may be there, of
// other data folders.
func (a *Authority) name() string {
	sum := sha256.Sum256(a.Cert.Raw)
	return a.Cert.Subject.CommonName + " " + hex.EncodeToString(sum[:4])
}

// fileName is name for a folder.
func (a *Authority) fileName() string {
	return strings.ToLower(strings.ReplaceAll(a.name(), " ", "-")) + ".crt"
}

func (a *Authority) sha1() string {
	sum := sha1.Sum(a.Cert.Raw)
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// Store is one place that can hold an authority.
type Store struct {
	Name string
	// trusted reports whether it holds the authority.
	trusted func(ctx context.Context, a *Authority) (bool, error)
	add     func(ctx context.Context, a *Authority) error
	remove  func(ctx context.Context, a *Authority) error
	// addSteps and removeSteps are what a person can type instead.
	addSteps, removeSteps func(a *Authority) []string
}

// Result is what became of one store.
type Result struct {
	Store   string
	Trusted bool     // it holds the authority now
	Changed bool     // it did not, or did, before
	Err     error    // why it could not be told or changed
	Steps   []string // commands that do it by hand, when Err is set
}

// Status tells which stores hold an authority.
func (m *Machine) Status(ctx context.Context, a *Authority) []Result {
	return m.each(func(s *Store) Result {
		ok, err := s.trusted(ctx, a)
		return Result{Store: s.Name, Trusted: ok, Err: err}
	})
}

// Install adds an authority to all stores.
func (m *Machine) Install(ctx context.Context, a *Authority) []Result {
	return m.each(func(s *Store) Result { return s.change(ctx, a, true) })
}

// Remove takes an authority out of all stores.
func (m *Machine) Remove(ctx context.Context, a *Authority) []Result {
	return m.each(func(s *Store) Result { return s.change(ctx, a, false) })
}

func (m *Machine) each(do func(*Store) Result) []Result {
	var results []Result
	for _, s := range m.stores() {
		results = append(results, do(&s))
	}
	return results
}

// change makes a store hold an authority or not, and looks whether it does: some
// tools succeed without effect.
func (s *Store) change(ctx context.Context, a *Authority, want bool) Result {
	do, steps := s.remove, s.removeSteps
	if want {
		do, steps = s.add, s.addSteps
	}
	before, err := s.trusted(ctx, a)
	if err == nil && before == want {
		return Result{Store: s.Name, Trusted: want}
	}
	if err == nil {
		err = do(ctx, a)
	}
	now := before
	if err == nil {
		now, err = s.trusted(ctx, a)
	}
	if err == nil && now != want {
		err = errors.New("it took no effect")
	}
	r := Result{Store: s.Name, Trusted: now, Changed: now != before, Err: err}
	if err != nil {
		r.Steps = steps(a)
	}
	return r
}

// stores lists the stores that this machine has.
func (m *Machine) stores() []Store {
	switch m.OS {
	case "darwin":
		return []Store{m.keychain()}
	case "windows":
		return []Store{m.windowsRoot()}
	case "linux":
		return append(m.linuxSystem(), m.nss()...)
	}
	return nil
}

// Manual tells how to trust an authority where nothing is known to install it in.
func Manual(a *Authority) string {
	return "import " + a.File + " as a certificate authority for websites, in the system or in the browser"
}

// tool runs a program and turns what it printed into the error.
func (m *Machine) tool(ctx context.Context, name string, args ...string) ([]byte, error) {
	path, err := m.LookPath(name)
	if err != nil {
		return nil, fmt.Errorf("%s is not installed", name)
	}
	out, err := m.Run(ctx, path, args...)
	if err != nil {
		if text := strings.TrimSpace(string(out)); text != "" {
			return out, fmt.Errorf("%s: %s (%w)", name, text, err)
		}
		return out, fmt.Errorf("%s: %w", name, err)
	}
	return out, nil
}

// under is a path below the root of the file system.
func (m *Machine) under(path string) string { return filepath.Join(m.Root, path) }

// sameFile reports whether a file holds the certificate.
func sameFile(path string, a *Authority) (bool, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return bytes.Equal(data, a.PEM), err
}

// Quote writes an argument so that it can be pasted into a shell of a system.
func Quote(goos, s string) string {
	if goos == "windows" { // no path holds a quote there
		if strings.ContainsAny(s, " &()^;,=") {
			return `"` + s + `"`
		}
		return s
	}
	special := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("/._-+:,@%=", r)
	}
	if s == "" || strings.ContainsFunc(s, special) {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}
