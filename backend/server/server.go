package server

import (
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"tailrace/backend/access"
	"tailrace/backend/engine"
	"tailrace/backend/fault"
	"tailrace/backend/journal"
	"tailrace/backend/protocol"
	"tailrace/backend/subscription"
)

// Options of a server. All fields are required unless they say otherwise.
type Options struct {
	Engine *engine.Engine
	// Subscriptions serves the reserved paths.
	Subscriptions *subscription.Manager
	Limits        protocol.Limits
	// LongPollTimeout is how long a long-poll waits for data.
	LongPollTimeout time.Duration
	// SSEMaxAge is how long an SSE response lasts, give or take a twelfth, before
	// the client is made to reconnect.
	SSEMaxAge time.Duration
	// BodyTimeout is how long a request body may pause.
	BodyTimeout time.Duration
	// MaxReaders and MaxReadersPerClient bound open live readers, in all and from
	// one address.
	MaxReaders, MaxReadersPerClient int
	// CacheControl is sent with catch-up reads.
	CacheControl string
	// CORSOrigins are the origins beyond loopback pages that may use the server
	// from a browser; "*" allows any.
	CORSOrigins []string
	// Hosts are the Host names beyond loopback names that requests may name.
	Hosts []string
	// AnyAddress admits every IP address as Host, for a listener on every interface.
	AnyAddress bool
	// Tokens are who may use the server; none: everybody who reaches it.
	Tokens []access.Token
	// Journal remembers requests; nil: nothing does.
	Journal *journal.Journal
	// Faults are what goes wrong on purpose; nil: nothing does.
	Faults *fault.Set
	// Metrics answers /metrics.
	Metrics http.Handler
	// Version is shown at /.
	Version string
	Now     func() time.Time
	Log     *slog.Logger
}

// Server is the handler of the data listener.
type Server struct {
	o       Options
	policy  policy
	readers *Readers
	ids     requestIDs
	latest  *atomic.Int64 // unix seconds of the newest cursor
}

// New returns a server.
func New(o Options) *Server {
	return &Server{
		o:       o,
		policy:  newPolicy(o.Hosts, o.AnyAddress, o.CORSOrigins),
		readers: newReaders(o.MaxReaders, o.MaxReadersPerClient),
		ids:     newRequestIDs(),
		latest:  new(atomic.Int64),
	}
}

// With returns the same server under other options: open readers count in both,
// and cursors go on. The bounds of live readers stay as they are.
func (s *Server) With(o Options) *Server {
	other := *s
	other.o, other.policy = o, newPolicy(o.Hosts, o.AnyAddress, o.CORSOrigins)
	return &other
}

// Readers are the open live readers.
func (s *Server) Readers() *Readers { return s.readers }

// ServeHTTP implements http.Handler. It routes on the escaped path, because a
// stream path may hold escaped slashes and dots that http.ServeMux would
// rewrite.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	logged := s.o.Log.Enabled(r.Context(), slog.LevelDebug)
	if !logged && !s.o.Journal.On() {
		s.serve(w, r)
		return
	}
	x := s.o.Journal.Begin(w, r)
	defer x.End()
	if logged {
		s.serveLogged(x)
		return
	}
	s.serve(x, r)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["X-Content-Type-Options"] = valueNosniff
	h["Cross-Origin-Resource-Policy"] = valueSameSite
	h["Content-Security-Policy"] = valueSandbox
	if r.ContentLength != 0 {
		// A body that no handler reads is drained all the same, which must not take for
		// ever. Without support for deadlines the server's own limits apply.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.o.BodyTimeout))
	}
	if err := s.policy.admit(h, r); err != nil {
		s.fail(w, r, err)
		return
	}
	if r.Method == http.MethodOptions {
		preflight(w)
		return
	}
	if err := s.authorize(h, r); err != nil {
		s.fail(w, r, err)
		return
	}
	path := r.URL.EscapedPath()
	if rest, ok := strings.CutPrefix(path, protocol.Root); ok {
		if first, control, _ := strings.Cut(rest, "/"); first == protocol.ControlPrefix {
			s.serveControl(w, r, control)
		} else {
			s.serveStream(w, r, rest)
		}
		return
	}
	switch path {
	case "/":
		s.about(w, r)
	case "/healthz":
		s.health(w, r)
	case "/metrics":
		s.metrics(w, r)
	default:
		s.fail(w, r, errNoRoute)
	}
}

// Header values that every response shares.
var (
	valueNosniff  = []string{"nosniff"}
	valueSameSite = []string{"same-site"}
	// What a stream holds is never a page: opened in a browser it runs no script, so
	// it cannot use its origin to read and write other streams, and no site frames it.
	valueSandbox = []string{"sandbox; default-src 'none'; frame-ancestors 'none'"}
	valueTrue    = []string{"true"}
	valueNoStore = []string{"no-store"}
	valueJSON    = []string{"application/json"}
)

const streamMethods = "GET, HEAD, PUT, POST, DELETE, OPTIONS"

func (s *Server) serveStream(w http.ResponseWriter, r *http.Request, escaped string) {
	path, err := protocol.ParsePath(escaped, s.o.Limits)
	if err == nil && len(r.URL.RawQuery) > s.o.Limits.QueryBytes {
		err = &protocol.LimitError{Limit: "max_query_bytes", Max: int64(s.o.Limits.QueryBytes), Status: http.StatusRequestURITooLong}
	}
	if err == nil && protocol.IsControlPath(path) {
		err = errNoRoute // the prefix is reserved, however it is spelled
	}
	if err == nil {
		journal.Of(w).About(path)
		if s.o.Faults.Any() && s.injected(w, r, path) {
			return
		}
		err = s.operate(w, r, path)
	}
	if err != nil {
		s.fail(w, r, err)
	}
}

// operate does what a request asks of a stream.
func (s *Server) operate(w http.ResponseWriter, r *http.Request, path string) error {
	switch r.Method {
	case http.MethodGet:
		return s.read(w, r, path)
	case http.MethodHead:
		return s.head(w, r, path)
	case http.MethodPost:
		return s.append(w, r, path)
	case http.MethodPut:
		return s.create(w, r, path)
	case http.MethodDelete:
		return s.delete(w, path)
	}
	w.Header().Set("Allow", streamMethods)
	return errMethod
}

// injected does to a request what a fault says that is armed for it, and reports
// whether there is one.
func (s *Server) injected(w http.ResponseWriter, r *http.Request, path string) bool {
	f := s.o.Faults.Pick(r, path)
	if f == nil {
		return false
	}
	x := journal.Of(w)
	behind := w
	if x != nil {
		x.Fault = f.String()
		behind = x.ResponseWriter
	}
	f.Inject(w, behind, r, func(through http.ResponseWriter, r *http.Request) {
		// The journal sees what the server answers, the client what the fault lets pass.
		if x != nil {
			x.ResponseWriter = through
			through = x
		}
		if err := s.operate(through, r, path); err != nil {
			s.fail(through, r, err)
		}
	})
	return true
}

// set puts a header under the spelling of the specification.
func set(h http.Header, name, value string) { h[name] = []string{value} }

// single returns the value of a request header that may be sent once.
func (s *Server) single(h http.Header, name string) (value string, sent bool, err error) {
	values := h[http.CanonicalHeaderKey(name)]
	switch {
	case len(values) == 0:
		return "", false, nil
	case len(values) > 1:
		return "", true, &protocol.BadRequestError{Field: name, Reason: "given more than once"}
	}
	limits := s.o.Limits
	if name == protocol.HeaderStreamForkedFrom {
		// It has a limit of its own, that of paths, once it is decoded.
		limits.HeaderValueBytes = max(limits.HeaderValueBytes, len(values[0]))
	}
	return values[0], true, protocol.CheckHeaderValue(name, values[0], limits)
}

// closed reads Stream-Closed.
func (s *Server) closed(h http.Header) (bool, error) {
	value, _, err := s.single(h, protocol.HeaderStreamClosed)
	return protocol.IsTrue(value), err
}
