package subscription

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A webhook URL is chosen by whoever may create subscriptions, and the server
// then sends requests there from inside the machine. Two gates keep it from
// reaching what that person could not: the URL is checked when it is given, and
// the address that its name has at the time of a delivery is checked right before
// the connection is made to that very address (PROTOCOL §12.8).

// maxURLBytes bounds a webhook URL.
const maxURLBytes = 2048

// checkURL checks a webhook URL as it is given.
func checkURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case len(raw) > maxURLBytes:
		return rejectURL("longer than %d bytes", maxURLBytes)
	case err != nil:
		return rejectURL("not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return rejectURL("must begin with https://, or with http:// for a receiver on this machine")
	case u.Hostname() == "":
		return rejectURL("has no host")
	case strings.ContainsFunc(u.Hostname(), func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		// The HTTP client turns other spellings of digits and letters into these.
		return rejectURL("the host must be in ASCII; write an international name in its xn-- form")
	case u.User != nil:
		return rejectURL("must not contain a user name or password")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return rejectURL("the port is not between 1 and 65535")
		}
	}
	host := strings.ToLower(u.Hostname())
	if u.Scheme == "http" {
		if !isDevelopmentHost(host) {
			return rejectURL("http is for localhost and 127.x.x.x only; use https")
		}
		return nil
	}
	host = strings.TrimSuffix(host, ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return rejectURL("a receiver on this machine is reached by http://localhost")
	}
	if strings.Contains(host, ":") {
		return rejectURL("IPv6 addresses are not accepted; use a name")
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		if !isPublic(addr) {
			return rejectURL("%s is not a public address", addr)
		}
		return nil
	}
	// Resolvers take "127.1", "0x7f.1" and "2130706433" for addresses.
	labels := strings.Split(host, ".")
	if last := labels[len(labels)-1]; isNumber(last) {
		return rejectURL("%s is neither a name nor a dotted IPv4 address", host)
	}
	return nil
}

func rejectURL(format string, args ...any) error {
	return refuse(CodeURLRejected, "webhook.url: %s", fmt.Sprintf(format, args...))
}

func isNumber(label string) bool {
	if _, err := strconv.ParseUint(label, 0, 64); err == nil {
		return true
	}
	return label != "" && strings.Trim(label, "0123456789") == ""
}

// isDevelopmentHost is the exception for receivers on this machine.
func isDevelopmentHost(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Is4() && addr.IsLoopback()
}

// The Internet's own IPv6 addresses are in one range. reserved are parts of it
// and of IPv4 that netip has no method for: networks of providers and
// laboratories, and translations of other addresses.
var (
	globalIPv6 = netip.MustParsePrefix("2000::/3")
	reserved   = prefixes(
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	)
)

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(list))
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// isPublic reports whether an address is one of the Internet.
func isPublic(addr netip.Addr) bool {
	addr = addr.Unmap()
	if !addr.IsGlobalUnicast() || addr.IsPrivate() || (addr.Is6() && !globalIPv6.Contains(addr)) {
		return false
	}
	for _, p := range reserved {
		if p.Contains(addr) {
			return false
		}
	}
	return true
}

// dialTimeout bounds a dial by itself: net/http lets one go on when the request
// that wanted it has ended.
const dialTimeout = 10 * time.Second

// dialer connects to webhook receivers.
type dialer struct {
	lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)
	dial   func(ctx context.Context, d *net.Dialer, network, address string) (net.Conn, error)
}

func newDialer() *dialer {
	return &dialer{
		lookup: net.DefaultResolver.LookupNetIP,
		dial: func(ctx context.Context, d *net.Dialer, network, address string) (net.Conn, error) {
			return d.DialContext(ctx, network, address)
		},
	}
}

// DialContext resolves a host once and connects to one of the addresses that it
// found, if its kind allows that address.
func (d *dialer) DialContext(ctx context.Context, network, hostport string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	allowed := isPublic
	if isDevelopmentHost(strings.ToLower(host)) {
		allowed = func(a netip.Addr) bool { return a.Unmap().IsLoopback() }
	}
	addrs := []netip.Addr{}
	if addr, err := netip.ParseAddr(host); err == nil {
		addrs = append(addrs, addr)
	} else if addrs, err = d.lookup(ctx, "ip", host); err != nil {
		return nil, err
	}
	// The last word: what the socket is about to connect to.
	guard := &net.Dialer{ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !allowed(at.Addr()) {
			return &addressError{host, address}
		}
		return nil
	}}
	guard.Timeout = dialTimeout / time.Duration(max(len(addrs), 1)) // one that is deaf leaves time for the others
	err = &addressError{host, "no address"}
	for _, addr := range addrs {
		addr = addr.Unmap()
		if !allowed(addr) {
			return nil, &addressError{host, addr.String()} // one bad address taints the name
		}
	}
	for _, addr := range addrs {
		var conn net.Conn
		conn, err = d.dial(ctx, guard, network, net.JoinHostPort(addr.Unmap().String(), port))
		if err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// addressError: a name leads to an address that webhooks must not reach.
type addressError struct{ host, address string }

func (e *addressError) Error() string {
	return fmt.Sprintf("%s resolves to %s, which webhooks may not reach", e.host, e.address)
}
