package trust

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tailrace/backend/localca"
)

func newAuthority(t *testing.T) *Authority {
	t.Helper()
	dir := t.TempDir()
	ca, err := localca.Open(dir, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &Authority{Cert: ca.Cert, File: filepath.Join(dir, localca.CertFile), PEM: ca.PEM()}
}

// fake is a machine whose programs are functions.
type fake struct {
	*Machine
	calls [][]string
}

func newFake(t *testing.T, goos string, programs map[string]func(args []string) ([]byte, error)) *fake {
	t.Helper()
	f := &fake{Machine: &Machine{OS: goos, Root: t.TempDir(), Home: filepath.Join(t.TempDir(), "home [x]")}}
	f.LookPath = func(name string) (string, error) {
		if programs[name] == nil {
			return "", exec.ErrNotFound
		}
		return name, nil
	}
	f.Run = func(_ context.Context, name string, args ...string) ([]byte, error) {
		f.calls = append(f.calls, append([]string{name}, args...))
		return programs[name](args)
	}
	return f
}

func (f *fake) makeDir(t *testing.T, path string) string {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func succeed([]string) ([]byte, error) { return nil, nil }

func fail(text string) func([]string) ([]byte, error) {
	return func([]string) ([]byte, error) { return []byte(text), errors.New("exit status 1") }
}

// wantResults compares without errors and steps, which it wants where failing.
func wantResults(t *testing.T, got []Result, want ...Result) {
	t.Helper()
	for i := range got {
		if (got[i].Err != nil) != (len(got[i].Steps) > 0) {
			t.Errorf("%s: error %v with steps %q", got[i].Store, got[i].Err, got[i].Steps)
		}
		got[i].Err, got[i].Steps = nil, nil
		if at := strings.Index(got[i].Store, " ("); at > 0 {
			got[i].Store = got[i].Store[:at]
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("results differ (-want +got):\n%s", diff)
	}
}

func TestLinuxSystem(t *testing.T) {
	for dir, program := range map[string]string{
		"etc/pki/ca-trust/source/anchors":          "update-ca-trust",
		"etc/ca-certificates/trust-source/anchors": "update-ca-trust",
		"usr/share/pki/trust/anchors":              "update-ca-certificates",
		"usr/local/share/ca-certificates":          "update-ca-certificates",
	} {
		t.Run(dir, func(t *testing.T) {
			a := newAuthority(t)
			m := newFake(t, "linux", map[string]func([]string) ([]byte, error){program: succeed})
			m.makeDir(t, filepath.Join(m.Root, dir))
			ctx := t.Context()
			wantResults(t, m.Status(ctx, a), Result{Store: "system"})
			wantResults(t, m.Install(ctx, a), Result{Store: "system", Trusted: true, Changed: true})
			wantResults(t, m.Install(ctx, a), Result{Store: "system", Trusted: true})
			if len(m.calls) != 1 || m.calls[0][0] != program {
				t.Errorf("programs run: %q", m.calls)
			}
			files, err := filepath.Glob(filepath.Join(m.Root, dir, "tailrace-local-ca-*.crt"))
			if err != nil || len(files) != 1 {
				t.Fatalf("files %q, %v", files, err)
			}
			if data, err := os.ReadFile(files[0]); err != nil || !bytes.Equal(data, a.PEM) {
				t.Errorf("the file does not hold the certificate: %v", err)
			}
			other := newAuthority(t)
			wantResults(t, m.Status(ctx, other), Result{Store: "system"})
			wantResults(t, m.Remove(ctx, other), Result{Store: "system"})
			wantResults(t, m.Remove(ctx, a), Result{Store: "system", Changed: true})
			wantResults(t, m.Status(ctx, a), Result{Store: "system"})
		})
	}
}

func TestLinuxSystemFailure(t *testing.T) {
	a := newAuthority(t)
	broken := fail("no")
	update := func(args []string) ([]byte, error) { return broken(args) }
	m := newFake(t, "linux", map[string]func([]string) ([]byte, error){"update-ca-certificates": func(args []string) ([]byte, error) { return update(args) }})
	dir := m.makeDir(t, filepath.Join(m.Root, "usr/local/share/ca-certificates"))
	results := m.Install(t.Context(), a)
	if len(results) != 1 || results[0].Err == nil || !strings.Contains(strings.Join(results[0].Steps, "\n"), "sudo install -m 644 "+Quote("linux", a.File)) {
		t.Errorf("results %+v", results)
	}
	wantResults(t, results, Result{Store: "system"})
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("a failed install left %v, %v", files, err)
	}
	update = succeed
	wantResults(t, m.Install(t.Context(), a), Result{Store: "system", Trusted: true, Changed: true})
	update = broken
	wantResults(t, m.Remove(t.Context(), a), Result{Store: "system", Trusted: true})
	wantResults(t, m.Status(t.Context(), a), Result{Store: "system", Trusted: true})
}

func TestNoStores(t *testing.T) {
	for _, goos := range []string{"linux", "plan9"} {
		m := newFake(t, goos, nil)
		if got := m.Install(t.Context(), newAuthority(t)); len(got) != 0 {
			t.Errorf("%s: %+v", goos, got)
		}
	}
}

func TestNSSWithoutCertutil(t *testing.T) {
	m := newFake(t, "linux", nil)
	for _, dir := range []string{".pki/nssdb", ".mozilla/firefox/abc.default", "snap/firefox/common/.mozilla/firefox/x"} {
		path := m.makeDir(t, filepath.Join(m.Home, dir))
		if err := os.WriteFile(filepath.Join(path, "cert9.db"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m.makeDir(t, filepath.Join(m.Home, ".mozilla/firefox/Crash Reports")) // no database
	a := newAuthority(t)
	results := m.Install(t.Context(), a)
	for _, r := range results {
		want := "certutil -A -d 'sql:" + m.Home
		if r.Err == nil || !strings.Contains(strings.Join(r.Steps, "\n"), "install certutil") || !strings.Contains(strings.Join(r.Steps, "\n"), want) {
			t.Errorf("%s: %v, steps %q", r.Store, r.Err, r.Steps)
		}
	}
	wantResults(t, results, Result{Store: "Chromium"}, Result{Store: "Firefox"}, Result{Store: "Firefox"})
}

// TestNSS uses the real certutil.
func TestNSS(t *testing.T) {
	certutil, err := exec.LookPath("certutil")
	if err != nil {
		t.Skip("certutil of NSS is not installed")
	}
	m := newFake(t, "linux", map[string]func([]string) ([]byte, error){"certutil": func(args []string) ([]byte, error) {
		return exec.CommandContext(t.Context(), certutil, args...).CombinedOutput()
	}})
	db := m.makeDir(t, filepath.Join(m.Home, ".pki/nssdb"))
	if out, err := m.Run(t.Context(), "certutil", "-N", "-d", "sql:"+db, "--empty-password"); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	a, other := newAuthority(t), newAuthority(t)
	ctx := t.Context()
	wantResults(t, m.Status(ctx, a), Result{Store: "Chromium"})
	wantResults(t, m.Remove(ctx, a), Result{Store: "Chromium"})
	for _, each := range []*Authority{a, other} {
		wantResults(t, m.Install(ctx, each), Result{Store: "Chromium", Trusted: true, Changed: true})
		wantResults(t, m.Install(ctx, each), Result{Store: "Chromium", Trusted: true})
	}
	wantResults(t, m.Remove(ctx, a), Result{Store: "Chromium", Changed: true})
	wantResults(t, m.Status(ctx, a), Result{Store: "Chromium"})
	wantResults(t, m.Status(ctx, other), Result{Store: "Chromium", Trusted: true})
}

// TestDebian uses the real update-ca-certificates on folders of its own.
func TestDebian(t *testing.T) {
	const program = "/usr/sbin/update-ca-certificates"
	script, err := os.ReadFile(program)
	if err != nil || !bytes.Contains(script, []byte("--localcertsdir")) {
		t.Skip("this is not Debian")
	}
	m := newFake(t, "linux", nil)
	local := m.makeDir(t, filepath.Join(m.Root, "usr/local/share/ca-certificates"))
	etc := m.makeDir(t, filepath.Join(m.Root, "etc/ssl/certs"))
	conf := filepath.Join(m.Root, "etc/ca-certificates.conf")
	if err := os.WriteFile(conf, []byte("# none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.LookPath = func(string) (string, error) { return program, nil }
	m.Run = func(ctx context.Context, name string, args ...string) ([]byte, error) {
		return exec.CommandContext(ctx, name, append(args, "--localcertsdir", local, "--etccertsdir", etc,
			"--certsconf", conf, "--certsdir", m.Root, "--hooksdir", filepath.Join(m.Root, "none"))...).CombinedOutput()
	}
	a, other := newAuthority(t), newAuthority(t)
	wantResults(t, m.Install(t.Context(), other), Result{Store: "system", Trusted: true, Changed: true})
	bundle := filepath.Join(etc, "ca-certificates.crt")
	wantResults(t, m.Install(t.Context(), a), Result{Store: "system", Trusted: true, Changed: true})
	if data, err := os.ReadFile(bundle); err != nil || !holds(data, a.Cert) {
		t.Errorf("the bundle lacks the authority: %v", err)
	}
	wantResults(t, m.Remove(t.Context(), a), Result{Store: "system", Changed: true})
	if data, err := os.ReadFile(bundle); err != nil || holds(data, a.Cert) || !holds(data, other.Cert) {
		t.Errorf("the bundle holds the wrong authorities: %v", err)
	}
}

func TestMacOS(t *testing.T) {
	a := newAuthority(t)
	var stored [][]byte
	refuse := false
	m := newFake(t, "darwin", map[string]func([]string) ([]byte, error){"security": func(args []string) ([]byte, error) {
		switch {
		case refuse && args[0] != "find-certificate":
			return []byte("SecTrustSettingsSetTrustSettings: The authorization was cancelled by the user."), errors.New("exit status 1")
		case args[0] == "add-trusted-cert":
			data, err := os.ReadFile(args[len(args)-1])
			stored = append(stored, data)
			return nil, err
		case args[0] == "delete-certificate":
			stored = nil
			return nil, nil
		case len(stored) == 0:
			return []byte("security: SecKeychainSearchCopyNext: The specified item could not be found in the keychain."), errors.New("exit status 44")
		}
		return bytes.Join(stored, nil), nil
	}})
	const store = "login keychain"
	wantResults(t, m.Status(t.Context(), a), Result{Store: store})
	refuse = true
	results := m.Install(t.Context(), a)
	if !strings.Contains(results[0].Err.Error(), "cancelled") || !strings.HasPrefix(results[0].Steps[0], "security add-trusted-cert -r trustRoot") {
		t.Errorf("refused: %+v", results)
	}
	refuse = false
	wantResults(t, m.Install(t.Context(), a), Result{Store: store, Trusted: true, Changed: true})
	wantResults(t, m.Status(t.Context(), newAuthority(t)), Result{Store: store})
	wantResults(t, m.Remove(t.Context(), a), Result{Store: store, Changed: true})
}

func TestWindows(t *testing.T) {
	a := newAuthority(t)
	stored := map[string]bool{}
	m := newFake(t, "windows", map[string]func([]string) ([]byte, error){"certutil": func(args []string) ([]byte, error) {
		if args[0] != "-user" || args[2] != "Root" {
			return nil, errors.New("not the user's root store")
		}
		switch args[1] {
		case "-addstore":
			stored[a.sha1()] = true
		case "-delstore":
			delete(stored, args[3])
		case "-store":
			if !stored[args[3]] {
				return []byte("CertUtil: -store command FAILED: 0x80090011"), errors.New("exit status 1")
			}
		}
		return nil, nil
	}})
	const store = "user's root certificates"
	wantResults(t, m.Status(t.Context(), a), Result{Store: store})
	wantResults(t, m.Install(t.Context(), a), Result{Store: store, Trusted: true, Changed: true})
	wantResults(t, m.Install(t.Context(), a), Result{Store: store, Trusted: true})
	wantResults(t, m.Remove(t.Context(), a), Result{Store: store, Changed: true})
}

// TestAToolWithoutEffect: success is what the store holds, not what a tool says.
func TestAToolWithoutEffect(t *testing.T) {
	m := newFake(t, "darwin", map[string]func([]string) ([]byte, error){"security": succeed})
	results := m.Install(t.Context(), newAuthority(t))
	if len(results) != 1 || results[0].Trusted || results[0].Err == nil || !strings.Contains(results[0].Err.Error(), "no effect") {
		t.Errorf("results %+v", results)
	}
}

func TestQuote(t *testing.T) {
	for _, tc := range []struct{ goos, in, want string }{
		{"linux", "/home/me/.pki/nssdb", "/home/me/.pki/nssdb"},
		{"linux", "sql:/home/jürgen/x_1.crt", "sql:/home/jürgen/x_1.crt"},
		{"linux", "/home/o'brien/ca.pem", `'/home/o'\''brien/ca.pem'`},
		{"linux", "Tailrace local CA 12ab", `'Tailrace local CA 12ab'`},
		{"linux", `/a\b`, `'/a\b'`},
		{"darwin", "/tmp/$(reboot)#[x]{a,b}!", `'/tmp/$(reboot)#[x]{a,b}!'`},
		{"darwin", "~/x", `'~/x'`},
		{"linux", "", "''"},
		{"windows", `C:\Users\me\ca.pem`, `C:\Users\me\ca.pem`},
		{"windows", `C:\Users\A B\ca.pem`, `"C:\Users\A B\ca.pem"`},
		{"windows", `C:\a&b\ca.pem`, `"C:\a&b\ca.pem"`},
	} {
		if got := Quote(tc.goos, tc.in); got != tc.want {
			t.Errorf("on %s %s is written %s, want %s", tc.goos, tc.in, got, tc.want)
		}
	}
}
