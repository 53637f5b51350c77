package trust

import (
	"context"
	"path/filepath"
	"strings"
)

// keychain is the user's keychain of macOS, which asks for the user's consent in
// a dialog of its own.
func (m *Machine) keychain() Store {
	keychain := filepath.Join(m.Home, "Library", "Keychains", "login.keychain-db")
	addArgs := func(a *Authority) []string {
		return []string{"add-trusted-cert", "-r", "trustRoot", "-p", "ssl", "-k", keychain, a.File}
	}
	// -t also deletes the trust settings.
	removeArgs := func(a *Authority) []string { return []string{"delete-certificate", "-t", "-Z", a.sha1(), keychain} }
	return m.commands("login keychain", "security", addArgs, removeArgs,
		func(ctx context.Context, a *Authority) (bool, error) {
			out, err := m.tool(ctx, "security", "find-certificate", "-a", "-c", a.Cert.Subject.CommonName, "-p", keychain)
			if err != nil && strings.Contains(string(out), "could not be found") {
				return false, nil
			}
			return holds(out, a.Cert), err
		})
}

// windowsRoot is the user's store of root authorities of Windows, which asks for
// the user's consent in a dialog of its own.
func (m *Machine) windowsRoot() Store {
	addArgs := func(a *Authority) []string { return []string{"-user", "-addstore", "Root", a.File} }
	removeArgs := func(a *Authority) []string { return []string{"-user", "-delstore", "Root", a.sha1()} }
	return m.commands("user's root certificates", "certutil", addArgs, removeArgs,
		func(ctx context.Context, a *Authority) (bool, error) {
			if _, err := m.LookPath("certutil"); err != nil {
				return false, err
			}
			// It fails when there is no such certificate, in the language of the system.
			_, err := m.tool(ctx, "certutil", "-user", "-store", "Root", a.sha1())
			return err == nil, nil
		})
}

// commands is a store that one program manages.
func (m *Machine) commands(name, program string, addArgs, removeArgs func(*Authority) []string,
	trusted func(context.Context, *Authority) (bool, error),
) Store {
	do := func(args func(*Authority) []string) func(context.Context, *Authority) error {
		return func(ctx context.Context, a *Authority) error {
			_, err := m.tool(ctx, program, args(a)...)
			return err
		}
	}
	steps := func(args func(*Authority) []string) func(*Authority) []string {
		return func(a *Authority) []string {
			line := program
			for _, arg := range args(a) {
				line += " " + Quote(m.OS, arg)
			}
			return []string{line}
		}
	}
	return Store{
		Name: name, trusted: trusted,
		add: do(addArgs), remove: do(removeArgs), addSteps: steps(addArgs), removeSteps: steps(removeArgs),
	}
}
