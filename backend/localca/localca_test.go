package localca

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, dir string, hosts ...string) *Authority {
	t.Helper()
	a, err := Open(dir, hosts, noon)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestOpenKeepsTheAuthority(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if _, err := Load(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("load before the first open: %v", err)
	}
	a := open(t, dir)
	if again := open(t, dir); !again.Cert.Equal(a.Cert) {
		t.Error("a second open made another authority")
	}
	for file, mode := range map[string]fs.FileMode{"ca.pem": 0o644, "ca-key.pem": 0o600} {
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm() != mode {
			t.Errorf("%s has mode %v, want %v", file, info.Mode().Perm(), mode)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), []byte("something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
	if data, err := os.ReadFile(filepath.Join(dir, "ca.pem")); err != nil || !bytes.Equal(data, a.PEM()) {
		t.Errorf("the copy of the certificate was not restored: %v", err)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "ca.pem")); err != nil || bytes.Contains(data, []byte("PRIVATE")) {
		t.Errorf("the file to hand out holds the key: %v", err)
	}
	replaced, err := Replace(dir, nil, noon)
	if err != nil || replaced.Cert.Equal(a.Cert) || !open(t, dir).Cert.Equal(replaced.Cert) {
		t.Errorf("replace: %v", err)
	}
	late, err := Open(dir, nil, noon.Add(authorityLife-time.Hour))
	if err != nil || late.Cert.Equal(replaced.Cert) {
		t.Errorf("an authority that expires was kept: %v", err)
	}
}

func TestOpenAtOnce(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	got := make([]*Authority, 8)
	for i := range got {
		wg.Go(func() {
			a, err := Open(dir, nil, noon)
			if err != nil {
				t.Error(err)
			}
			got[i] = a
		})
	}
	wg.Wait()
	for _, a := range got {
		if a != nil && !a.Cert.Equal(got[0].Cert) {
			t.Error("two authorities were made")
		}
	}
}

func TestBrokenFiles(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	open(t, one)
	b := open(t, two)
	path := filepath.Join(one, "ca-key.pem")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	key, _, _ := bytes.Cut(whole, []byte("-----BEGIN CERTIFICATE"))
	for name, data := range map[string][]byte{
		"empty": {}, "no certificate": key, "another's certificate": append(bytes.Clone(key), b.PEM()...),
		"no key": b.PEM(), "cut off": whole[:len(whole)-40],
	} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(one, nil, noon); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// verify checks the chain of a leaf for a name as a client does.
func verify(a *Authority, leaf *x509.Certificate, name string, now time.Time) error {
	roots := x509.NewCertPool()
	roots.AddCert(a.Cert)
	_, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: now})
	return err
}

func TestNameConstraints(t *testing.T) {
	tests := map[string]struct {
		hosts   []string // covered by the authority
		yes, no []string
	}{
		"loopback": {
			nil,
			[]string{"localhost", "app.localhost", "a.b.localhost", "127.0.0.1", "127.1.2.3", "::1"},
			[]string{"example.com", "localhost.example.com", "notlocalhost", "128.0.0.1", "10.0.0.1", "::2", "com"},
		},
		"hosts": {
			[]string{"streams.test", "192.168.1.7", "fd00::1", "box"},
			[]string{"localhost", "streams.test", "192.168.1.7", "fd00::1"},
			[]string{"test", "other.test", "192.168.1.8", "fd00::2", "box", "a.box"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := open(t, t.TempDir(), tt.hosts...)
			if !a.Cert.PermittedDNSDomainsCritical {
				t.Error("the constraints are not critical")
			}
			i, err := NewIssuer(a, nil, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			check := func(host string, want bool) {
				// Whoever has the key signs what they like.
				i.hosts = []string{host}
				leaf, err := i.issue("", noon)
				if err != nil {
					t.Fatal(err)
				}
				if err := verify(a, leaf.Leaf, host, noon); (err == nil) != want {
					t.Errorf("a certificate for %s: %v", host, err)
				}
				if a.Covers(host) != want {
					t.Errorf("Covers(%s) is %v", host, !want)
				}
			}
			for _, host := range tt.yes {
				check(host, true)
			}
			for _, host := range tt.no {
				check(host, false)
			}
		})
	}
}

// shake returns the certificate of a handshake with a server name.
func shake(t *testing.T, i *Issuer, name string) *x509.Certificate {
	t.Helper()
	cert, err := i.certificate(&tls.ClientHelloInfo{ServerName: name})
	if err != nil {
		t.Fatal(err)
	}
	return cert.Leaf
}

func TestLeaves(t *testing.T) {
	now := noon
	a := open(t, t.TempDir(), "streams.test")
	i, err := NewIssuer(a, []string{"streams.test", "uncovered.test"}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	for name, valid := range map[string][]string{
		"":                 {"localhost", "127.0.0.1", "::1", "streams.test"},
		"localhost":        {"localhost", "127.0.0.1"},
		"app.localhost":    {"app.localhost", "localhost"},
		"APP.localhost":    {"app.localhost"},
		"a.b.localhost":    {"a.b.localhost"},
		"streams.test":     {"streams.test", "localhost"},
		"unknown.example":  {"localhost"},
		"uncovered.test":   {"localhost"},
		"127.0.0.1":        {"127.0.0.1"},
		"unknown.test":     {"localhost"},
		"x.streams.test":   {"streams.test"},
		"evil.localhost.x": {"localhost"},
	} {
		leaf := shake(t, i, name)
		for _, host := range valid {
			if err := verify(a, leaf, host, now); err != nil {
				t.Errorf("asked for %q, %s: %v", name, host, err)
			}
		}
		for _, host := range []string{"example.com", "uncovered.test"} {
			if verify(a, leaf, host, now) == nil {
				t.Errorf("asked for %q: valid for %s", name, host)
			}
		}
	}
	// Written out, not by the wildcard, which OpenSSL and browsers do not take.
	if leaf := shake(t, i, "app.localhost"); !contains(leaf.DNSNames, "app.localhost") {
		t.Errorf("names %q", leaf.DNSNames)
	}
}

func TestLeafForAnAddress(t *testing.T) {
	a := open(t, t.TempDir())
	i, err := NewIssuer(a, nil, func() time.Time { return noon })
	if err != nil {
		t.Fatal(err)
	}
	cert, err := i.certificate(&tls.ClientHelloInfo{Conn: connAt{ip: net.IPv4(127, 9, 9, 9)}})
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(a, cert.Leaf, "127.9.9.9", noon); err != nil {
		t.Error(err)
	}
}

// connAt is a connection that has an address and nothing else.
type connAt struct {
	net.Conn
	ip net.IP
}

func (c connAt) LocalAddr() net.Addr { return &net.TCPAddr{IP: c.ip, Port: 4437} }

func contains(list []string, want string) bool {
	for _, s := range list {
		if s == want {
			return true
		}
	}
	return false
}

func TestRenewal(t *testing.T) {
	now := noon
	a := open(t, t.TempDir())
	i, err := NewIssuer(a, nil, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	first := shake(t, i, "")
	now = noon.Add(leafLife - leafRenew - time.Minute)
	if !shake(t, i, "").Equal(first) {
		t.Error("renewed too early")
	}
	now = noon.Add(leafLife - leafRenew + time.Minute)
	second := shake(t, i, "")
	if second.Equal(first) {
		t.Error("not renewed")
	}
	if err := verify(a, second, "localhost", now.Add(leafRenew)); err != nil {
		t.Error(err)
	}
}

// TestClockSetBack: what was made while the clock was ahead is good afterwards.
func TestClockSetBack(t *testing.T) {
	now := noon.Add(40 * time.Hour) // wrong
	a, err := Open(t.TempDir(), nil, now)
	if err != nil {
		t.Fatal(err)
	}
	i, err := NewIssuer(a, nil, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	shake(t, i, "")
	now = noon
	if err := verify(a, shake(t, i, ""), "localhost", now); err != nil {
		t.Error(err)
	}
}

func TestLeavesAreBounded(t *testing.T) {
	a := open(t, t.TempDir())
	i, err := NewIssuer(a, nil, func() time.Time { return noon })
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3*maxLeaves + 1 {
		shake(t, i, fmt.Sprintf("n%d.localhost", n))
		shake(t, i, fmt.Sprintf("n%d.example", n)) // adds none
	}
	if len(i.leaves) > maxLeaves {
		t.Errorf("%d leaves are kept", len(i.leaves))
	}
}
