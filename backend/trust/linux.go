package trust

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// anchors are where distributions take additional authorities from, and how they
// are told to.
var anchors = []struct {
	dir    string
	update []string
}{
	{"etc/pki/ca-trust/source/anchors", []string{"update-ca-trust", "extract"}}, // Fedora, RHEL
	{"etc/ca-certificates/trust-source/anchors", []string{"update-ca-trust"}},   // Arch
	{"usr/share/pki/trust/anchors", []string{"update-ca-certificates"}},         // openSUSE
	{"usr/local/share/ca-certificates", []string{"update-ca-certificates"}},     // Debian, Ubuntu, Alpine
}

// linuxSystem is the store that OpenSSL, curl, Go and others use.
func (m *Machine) linuxSystem() []Store {
	for _, anchor := range anchors {
		dir := m.under(anchor.dir)
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			continue
		}
		if _, err := m.LookPath(anchor.update[0]); err != nil {
			continue
		}
		update := func(ctx context.Context) error {
			_, err := m.tool(ctx, anchor.update[0], anchor.update[1:]...)
			return err
		}
		path := func(a *Authority) string { return filepath.Join(dir, a.fileName()) }
		sudo := "sudo " + strings.Join(anchor.update, " ")
		return []Store{{
			Name:    "system (" + dir + ")",
			trusted: func(_ context.Context, a *Authority) (bool, error) { return sameFile(path(a), a) },
			add: func(ctx context.Context, a *Authority) error {
				if err := os.WriteFile(path(a), a.PEM, 0o644); err != nil {
					return err
				}
				// What lies there counts as trusted.
				if err := update(ctx); err != nil {
					return errors.Join(err, os.Remove(path(a)))
				}
				return nil
			},
			remove: func(ctx context.Context, a *Authority) error {
				if err := os.Remove(path(a)); err != nil {
					return err
				}
				if err := update(ctx); err != nil {
					return errors.Join(err, os.WriteFile(path(a), a.PEM, 0o644))
				}
				return nil
			},
			addSteps: func(a *Authority) []string {
				return []string{"sudo install -m 644 " + Quote(m.OS, a.File) + " " + Quote(m.OS, path(a)), sudo}
			},
			removeSteps: func(a *Authority) []string { return []string{"sudo rm " + Quote(m.OS, path(a)), sudo} },
		}}
	}
	return nil
}

// databases are where Chromium and Firefox may keep their NSS databases, packaged
// in any way.
var databases = []struct{ browser, glob string }{
	{"Chromium", ".pki/nssdb"},
	{"Chromium", "snap/chromium/current/.pki/nssdb"},
	{"Chromium", ".var/app/*/data/pki/nssdb"},
	{"Firefox", ".mozilla/firefox/*"},
	{"Firefox", ".config/mozilla/firefox/*"},
	{"Firefox", "snap/firefox/common/.mozilla/firefox/*"},
	{"Firefox", ".var/app/org.mozilla.firefox/.mozilla/firefox/*"},
}

// nss are the databases of browsers; one of a browser that was never started does
// not exist yet.
func (m *Machine) nss() []Store {
	if m.Home == "" {
		return nil
	}
	var stores []Store
	for _, d := range databases {
		dirs, err := filepath.Glob(filepath.Join(globQuote(m.Home), d.glob))
		if err != nil {
			continue // cannot happen: the patterns are well-formed
		}
		for _, dir := range dirs {
			if _, err := os.Stat(filepath.Join(dir, "cert9.db")); err == nil {
				stores = append(stores, m.nssDatabase(d.browser, dir))
			}
		}
	}
	return stores
}

func (m *Machine) nssDatabase(browser, dir string) Store {
	db := "sql:" + dir
	addArgs := func(a *Authority) []string {
		// C: trusted to certify servers, and nothing else.
		return []string{"-A", "-d", db, "-t", "C,,", "-n", a.name(), "-i", a.File}
	}
	removeArgs := func(a *Authority) []string { return []string{"-D", "-d", db, "-n", a.name()} }
	steps := func(args []string) []string {
		quoted := slices.Clone(args)
		for i := range quoted {
			quoted[i] = Quote(m.OS, quoted[i])
		}
		step := "certutil " + strings.Join(quoted, " ")
		if _, err := m.LookPath("certutil"); err != nil {
			return []string{"install certutil (package libnss3-tools or nss-tools), then", step}
		}
		return []string{step}
	}
	do := func(ctx context.Context, args []string) error {
		_, err := m.tool(ctx, "certutil", args...)
		return err
	}
	return Store{
		Name: browser + " (" + dir + ")",
		trusted: func(ctx context.Context, a *Authority) (bool, error) {
			out, err := m.tool(ctx, "certutil", "-L", "-d", db, "-n", a.name(), "-a")
			if err != nil && strings.Contains(string(out), "Could not find cert") {
				return false, nil
			}
			return holds(out, a.Cert), err
		},
		add:         func(ctx context.Context, a *Authority) error { return do(ctx, addArgs(a)) },
		remove:      func(ctx context.Context, a *Authority) error { return do(ctx, removeArgs(a)) },
		addSteps:    func(a *Authority) []string { return steps(addArgs(a)) },
		removeSteps: func(a *Authority) []string { return steps(removeArgs(a)) },
	}
}

// holds reports whether a text in PEM holds a certificate.
func holds(text []byte, cert *x509.Certificate) bool {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if bytes.Equal(block.Bytes, cert.Raw) {
			return true
		}
	}
	return false
}

// globQuote keeps a path from being read as a pattern.
func globQuote(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}
