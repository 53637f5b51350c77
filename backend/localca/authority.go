package localca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tailrace/backend/loopback"
)

// Files in the data folder. The key file holds the key and its certificate, so
// that the two are one file that appears whole; the other is a copy of the
// certificate to hand out.
const (
	CertFile = "ca.pem"
	keyFile  = "ca-key.pem"
)

// authorityLife is how long an authority lasts.
const authorityLife = 10 * 365 * 24 * time.Hour

// clockError is how far ahead this machine's clock may have been when the
// authority was made, for its certificate to be good once that is set right.
const clockError = 48 * time.Hour

// CommonName names the authority where certificates are listed.
const CommonName = "Tailrace local CA"

// Authority is the certificate authority of a data folder.
type Authority struct {
	Cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// PEM is the certificate in the form of [CertFile].
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Cert.Raw})
}

// Covers reports whether the authority may certify a host name or address.
func (a *Authority) Covers(host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		for _, permitted := range a.Cert.PermittedIPRanges {
			if permitted.Contains(ip) {
				return true
			}
		}
		return false
	}
	host = strings.ToLower(host)
	for _, permitted := range a.Cert.PermittedDNSDomains {
		if host == permitted || strings.HasSuffix(host, "."+permitted) {
			return true
		}
	}
	return false
}

// Coverable reports whether an authority can be made for a host. A name of one
// label would let it pose as a whole top-level domain.
func Coverable(host string) bool {
	return net.ParseIP(host) != nil || loopback.IsName(host) || strings.Contains(strings.Trim(host, "."), ".")
}

// Load reads the authority of a data folder. The error is fs.ErrNotExist when it
// has none.
func Load(dir string) (*Authority, error) {
	path := filepath.Join(dir, keyFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the local CA: %w", err)
	}
	a, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("the local CA in %s cannot be used: %w; delete the file to have a new one made", path, err)
	}
	return a, nil
}

func parse(data []byte) (*Authority, error) {
	a := &Authority{}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, err
			}
			a.key, _ = key.(*ecdsa.PrivateKey)
		case "CERTIFICATE":
			var err error
			if a.Cert, err = x509.ParseCertificate(block.Bytes); err != nil {
				return nil, err
			}
		}
	}
	if a.key == nil || a.Cert == nil {
		return nil, errors.New("expected an ECDSA key and its certificate")
	}
	if !a.key.PublicKey.Equal(a.Cert.PublicKey) || !a.Cert.IsCA {
		return nil, errors.New("the key and the certificate do not belong together")
	}
	return a, nil
}

// Open reads the authority of a data folder, and makes one if there is none or
// it is about to expire. A new one covers the hosts.
func Open(dir string, hosts []string, now time.Time) (*Authority, error) {
	a, err := Load(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return create(dir, hosts, now, false)
	case err != nil:
		return nil, err
	case now.Add(leafLife).After(a.Cert.NotAfter):
		return create(dir, hosts, now, true)
	}
	return a, a.handOut(dir)
}

// Replace makes a new authority in the place of the one of a data folder.
func Replace(dir string, hosts []string, now time.Time) (*Authority, error) {
	return create(dir, hosts, now, true)
}

// create makes an authority and keeps it. Without replace, one that another
// process has made meanwhile is taken instead.
func create(dir string, hosts []string, now time.Time, replace bool) (*Authority, error) {
	a, err := newAuthority(hosts, now)
	if err != nil {
		return nil, fmt.Errorf("make a local CA: %w", err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return nil, fmt.Errorf("make a local CA: %w", err)
	}
	data := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), a.PEM()...)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("write the local CA: %w", err)
	}
	place := os.Rename
	if !replace {
		place = linkNew
	}
	path := filepath.Join(dir, keyFile)
	err = writeFile(path, data, 0o600, place)
	if errors.Is(err, fs.ErrExist) {
		if a, err = Load(dir); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, fmt.Errorf("write the local CA: %w", err)
	}
	return a, a.handOut(dir)
}

// handOut keeps the copy of the certificate true.
func (a *Authority) handOut(dir string) error {
	path := filepath.Join(dir, CertFile)
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, a.PEM()) {
		return nil
	}
	if err := writeFile(path, a.PEM(), 0o644, os.Rename); err != nil {
		return fmt.Errorf("write the certificate of the local CA: %w", err)
	}
	return nil
}

// writeFile writes a file that appears whole; place puts it where it belongs.
func writeFile(path string, data []byte, mode fs.FileMode, place func(from, to string) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = place(f.Name(), path)
	}
	if removeErr := os.Remove(f.Name()); removeErr != nil && !errors.Is(removeErr, fs.ErrNotExist) {
		err = errors.Join(err, removeErr)
	}
	return err
}

// linkNew gives a file a name that must be free; where there are no links, one
// that should be.
func linkNew(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Rename(from, to)
}

// newAuthority makes a key and a certificate that is constrained to loopback and
// the hosts.
func newAuthority(hosts []string, now time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(),
		// Who sees it in a list should know which machine it is of.
		Subject:               pkix.Name{CommonName: CommonName, Organization: []string{"Tailrace"}, OrganizationalUnit: machine()},
		NotBefore:             now.Add(-clockError),
		NotAfter:              now.Add(authorityLife),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},

		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         []string{"localhost"}, // and what ends in .localhost
		PermittedIPRanges:           []*net.IPNet{prefix("127.0.0.0/8"), prefix("::1/128")},
	}
	for _, host := range hosts {
		if !Coverable(host) || loopback.IsName(host) {
			continue
		}
		if ip, err := netip.ParseAddr(host); err == nil {
			ip = ip.Unmap()
			template.PermittedIPRanges = append(template.PermittedIPRanges, prefix(netip.PrefixFrom(ip, ip.BitLen()).String()))
		} else {
			template.PermittedDNSDomains = append(template.PermittedDNSDomains, strings.ToLower(host))
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &Authority{Cert: cert, key: key}, err
}

// prefix parses an address range that is known to be one.
func prefix(s string) *net.IPNet {
	_, n, err := net.ParseCIDR(s)
	if err != nil {
		panic(err)
	}
	return n
}

func machine() []string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return nil
	}
	return []string{name}
}

// serial returns a random positive number below 2^127 (RFC 5280 §4.1.2.2).
func serial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	b[0] &= 0x7f
	b[15] |= 1
	return new(big.Int).SetBytes(b)
}
