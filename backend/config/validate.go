package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"tailrace/backend/access"
	"tailrace/backend/loopback"
)

// ValueError is a setting with a value it does not take.
type ValueError struct {
	Key   string // "max_body_bytes"
	Value string // as it was given
	Want  string // what was expected, "a size such as 64MiB"
	From  string // "--max-body-bytes", "TAILRACE_MAX_BODY_BYTES", "/etc/t.toml:7"; "" when unknown
}

func (e *ValueError) Error() string {
	msg := fmt.Sprintf("%s is %q, expected %s", e.Key, e.Value, e.Want)
	if e.From != "" {
		msg += " (set by " + e.From + ")"
	}
	return msg
}

// Validate reports every setting whose value cannot be used, naming the key and
// what was expected.
func (c Config) Validate() error {
	var errs []error
	for _, k := range Keys() {
		if err := k.check(c); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func wrong(key string, value any, want string, args ...any) error {
	return &ValueError{Key: key, Value: fmt.Sprint(value), Want: fmt.Sprintf(want, args...)}
}

// checkAddress accepts an address to listen on and returns its host.
func checkAddress(key, address string) (host string, err error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", wrong(key, address, "host:port, such as 127.0.0.1:4437")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "", wrong(key, address, "host:port with a port from 0 to 65535")
	}
	if host != "" && !isHost(host) {
		return "", wrong(key, address, "host:port with an address or a name of this machine")
	}
	return host, nil
}

// isLocal reports whether what listens on a host is reached from this machine
// only.
func isLocal(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// CheckListen keeps a data listener that needs no token on this machine.
func CheckListen(c Config) error {
	host, err := checkAddress("listen", c.Listen)
	if err != nil || isLocal(host) || len(c.Tokens) > 0 {
		return err
	}
	return wrong("listen", c.Listen, "a loopback address (127.0.0.1, [::1] or localhost), or at least one token: "+
		"without tokens, everyone who reaches a wider address could read and change every stream "+
		"(tailrace token create --write makes one)")
}

// checkInspect keeps the inspector on this machine: it shows everything.
func checkInspect(c Config) error {
	host, err := checkAddress("inspect", c.Inspect)
	if err != nil {
		return err
	}
	if !isLocal(host) {
		return wrong("inspect", c.Inspect, "a loopback address (127.0.0.1, [::1] or localhost): "+
			"the inspector is for this machine alone; from elsewhere, use a tunnel such as ssh -L")
	}
	if _, port, err := net.SplitHostPort(c.Inspect); err == nil && port != "0" && c.Inspect == c.Listen {
		return wrong("inspect", c.Inspect, "another port than listen, which has the same address")
	}
	return nil
}

func checkDataDir(c Config) error {
	if c.DataDir == "" {
		return wrong("data_dir", "", "a folder")
	}
	if !filepath.IsAbs(c.DataDir) {
		return wrong("data_dir", c.DataDir, "an absolute path")
	}
	return nil
}

func checkOrigins(c Config) error {
	for _, origin := range c.CORSOrigins {
		if origin == "*" {
			continue
		}
		u, err := url.Parse(origin)
		if err != nil || u.Scheme == "" || u.Host == "" || origin != u.Scheme+"://"+u.Host {
			return wrong("cors_origins", origin, `scheme://host[:port] without a path, such as http://app.test:5173, or "*"`)
		}
	}
	return nil
}

func checkHosts(c Config) error {
	for _, host := range c.Hosts {
		name := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
		if !isHost(name) || host != name && host != "["+name+"]" {
			return wrong("hosts", host, "a host name without scheme and port, such as streams.test")
		}
	}
	return nil
}

func checkTokens(c Config) error {
	if err := access.CheckAll(c.Tokens); err != nil {
		return fmt.Errorf("tokens: %w", err)
	}
	return nil
}

// isHost reports whether a text is an address or a host name.
func isHost(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Zone() == ""
	}
	return host != "" && strings.Trim(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") == ""
}

// checkCacheControl keeps the value legal in a header (RFC 9110 §5.5).
func checkCacheControl(c Config) error {
	v := c.CacheControl
	if v == "" || v != strings.TrimSpace(v) || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' }) {
		return wrong("cache_control", v, "a Cache-Control header value, such as no-store")
	}
	return nil
}

func checkDuration(key string, d time.Duration) error {
	if d < time.Millisecond || d > 24*time.Hour {
		return wrong(key, formatText(&d), "a duration from 1ms to 24h, such as 20s")
	}
	return nil
}

func checkSize(key string, n, low, high int64) error {
	if n < low || n > high {
		return wrong(key, formatText(&n), "a size from %s to %s, such as 64MiB", formatSize(low), formatSize(high))
	}
	return nil
}

func checkInt(key string, n, low, high int) error {
	if n < low || n > high {
		return wrong(key, n, "a whole number from %d to %d", low, high)
	}
	return nil
}

func checkUpdateURL(c Config) error {
	if c.UpdateURL == "" {
		return nil
	}
	u, err := url.Parse(c.UpdateURL)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !loopback.IsName(u.Hostname())) {
		return wrong("update_url", c.UpdateURL, "an https address, without a name or password")
	}
	return nil
}

func checkLogLevel(c Config) error {
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel) {
		return wrong("log_level", c.LogLevel, "debug, info, warn or error")
	}
	return nil
}
