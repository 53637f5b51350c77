package mirror

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"tailrace/backend/loopback"
	"tailrace/backend/store"
)

// Request asks for a mirror.
type Request struct {
	Name      string // "": made of the rest
	Direction string // store.MirrorPush or store.MirrorPull
	Glob      string
	// Remote is where to, or from; with Known the name of one of the configuration.
	Remote Remote
	Known  string
	// Token is a bearer token that is kept in memory only.
	Token string
	// Once ends when everything that is there has arrived.
	Once bool
}

// RequestError: what was asked for makes no sense.
type RequestError struct{ Reason string }

func (e *RequestError) Error() string { return e.Reason }

// NotFoundError: there is no mirror of that name.
type NotFoundError struct{ Name string }

func (e *NotFoundError) Error() string { return fmt.Sprintf("there is no mirror %q", e.Name) }

// TakenError: the name belongs to another mirror.
type TakenError struct{ Name string }

func (e *TakenError) Error() string {
	return fmt.Sprintf("there is a mirror %q already, of other streams or with another remote; remove it or choose another name", e.Name)
}

// IsName reports whether a remote is named, not given by its address.
func IsName(remote string) bool { return !strings.Contains(remote, "://") }

// check completes a request.
func (m *Manager) check(r *Request) error {
	if r.Direction != store.MirrorPush && r.Direction != store.MirrorPull {
		return &RequestError{"the direction of a mirror is push or pull"}
	}
	if r.Glob == "" {
		return &RequestError{"a mirror needs a glob, such as chat/**, or the path of a stream"}
	}
	if err := checkGlob(r.Glob); err != nil {
		return err
	}
	host := r.Known
	if r.Known == "" {
		u, err := ParseRemote(r.Remote.URL, r.Remote.Insecure)
		if err != nil {
			return err
		}
		r.Remote.URL, host = u.String(), u.Host+strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/v1/stream")
	} else if _, ok := m.o.Remotes[r.Known]; !ok {
		return &RequestError{fmt.Sprintf("there is no remote %q in the configuration", r.Known)}
	}
	if m.isOwn(r.Remote.URL) {
		return errOwn
	}
	if r.Name == "" {
		r.Name = strings.Trim(notName.ReplaceAllString(r.Direction+"-"+strings.ReplaceAll(r.Glob, "*", "x")+"-"+host, "-"), "-")
	}
	if !nameForm.MatchString(r.Name) {
		return &RequestError{fmt.Sprintf("%q is no name for a mirror: letters, digits, - . and _, at most 100", r.Name)}
	}
	return nil
}

// A stream that is pushed to itself would grow for ever.
var errOwn = &RequestError{"the remote is this server itself"}

// isOwn reports whether an address is that of this server.
func (m *Manager) isOwn(address string) bool {
	u, err := url.Parse(address)
	if err != nil || m.o.Own == nil || u.Port() != strconv.Itoa(m.o.Own.Port) {
		return false
	}
	ip := m.o.Own.IP
	return ip.Equal(net.ParseIP(u.Hostname())) || loopback.IsName(u.Hostname()) && (ip.IsLoopback() || ip.IsUnspecified())
}

var (
	notName  = regexp.MustCompile(`[^A-Za-z0-9._]+`)
	nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)
)
