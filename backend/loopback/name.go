package loopback

import (
	"net"
	"net/netip"
	"strings"
)

// IsName reports whether a host name or address, without a port, means this
// machine by definition: localhost, its subdomains (RFC 6761) and the loopback
// addresses.
func IsName(host string) bool {
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// Hostname is the lower-case host of a Host header, without port and brackets.
func Hostname(hostport string) string {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}
