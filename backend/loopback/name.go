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

// Hostname is the lower-case host of a Host header, without port and brackets;
// "" when the header is not the host and port that it should be. net/http lets
// more through, for HTTP/2 nearly everything: evil.test/x.localhost must not pass
// for a name below localhost.
func Hostname(hostport string) string {
	host := strings.ToLower(hostport)
	if h, port, err := net.SplitHostPort(host); err == nil {
		if strings.Trim(port, "0123456789") != "" {
			return ""
		}
		host = h
	} else if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	}
	if _, err := netip.ParseAddr(host); err != nil && strings.Trim(host, nameCharacters) != "" {
		return ""
	}
	return host
}

// nameCharacters are those of host names, and the underscore that some have.
const nameCharacters = "abcdefghijklmnopqrstuvwxyz0123456789-._"
