package localca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

const (
	leafLife  = 90 * 24 * time.Hour
	leafRenew = 30 * 24 * time.Hour // a leaf with less left is replaced
	// maxLeaves bounds the leaves that are kept; names are free to choose for who
	// connects.
	maxLeaves = 256
)

// Issuer makes server certificates.
type Issuer struct {
	authority *Authority
	key       *ecdsa.PrivateKey // of all leaves
	hosts     []string          // covered by the authority, on every leaf
	now       func() time.Time

	mu     sync.Mutex
	leaves map[string]*tls.Certificate // by the additional name, "" for none
}

// NewIssuer returns an issuer whose certificates are good for loopback and those
// hosts that the authority covers.
func NewIssuer(a *Authority, hosts []string, now func() time.Time) (*Issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key for TLS: %w", err)
	}
	i := &Issuer{authority: a, key: key, now: now, leaves: map[string]*tls.Certificate{}}
	for _, host := range hosts {
		if a.Covers(host) {
			i.hosts = append(i.hosts, host)
		}
	}
	return i, nil
}

// Config returns a configuration for HTTP/2 and HTTP/1.1 over TLS.
func (i *Issuer) Config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: i.certificate,
	}
}

// certificate finds or makes the certificate for a handshake.
func (i *Issuer) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := i.additionalName(hello)
	now := i.now()
	i.mu.Lock()
	defer i.mu.Unlock()
	// The clock may have been set back, too.
	if leaf := i.leaves[name]; leaf != nil && now.After(leaf.Leaf.NotBefore) && now.Add(leafRenew).Before(leaf.Leaf.NotAfter) {
		return leaf, nil
	}
	leaf, err := i.issue(name, now)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for %q: %w", name, err)
	}
	if len(i.leaves) >= maxLeaves {
		clear(i.leaves)
	}
	i.leaves[name] = leaf
	return leaf, nil
}

// additionalName is the name that a client asks for, if it has to be written out:
// browsers and OpenSSL do not take *.localhost for app.localhost, because they
// refuse wildcards directly below a top-level domain. Clients that connect to an
// address name none; then it is the address.
func (i *Issuer) additionalName(hello *tls.ClientHelloInfo) string {
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	if name == "" && hello.Conn != nil {
		if addr, ok := hello.Conn.LocalAddr().(*net.TCPAddr); ok && addr.IP.IsLoopback() {
			name = addr.IP.String()
		}
	}
	switch {
	case name == "127.0.0.1" || name == "::1" || len(name) > 253:
		return ""
	case net.ParseIP(name) != nil && i.authority.Covers(name), strings.HasSuffix(name, ".localhost"):
		return name
	}
	return ""
}

func (i *Issuer) issue(name string, now time.Time) (*tls.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: "Tailrace", Organization: []string{"Tailrace"}},
		NotBefore:    now.Add(-time.Hour), // clocks differ
		NotAfter:     now.Add(leafLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"localhost", "*.localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	for _, host := range append([]string{name}, i.hosts...) {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else if host != "" {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, i.authority.Cert, &i.key.PublicKey, i.authority.key)
	if err != nil {
		return nil, err
	}
	cert := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: i.key}
	cert.Leaf, err = x509.ParseCertificate(der)
	return cert, err
}
