package server

import (
	"errors"
	"net/http"
	"strings"

	"tailrace/backend/access"
	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// need is what a request has to be allowed.
type need struct {
	level access.Level // 0: nothing, everybody may
	path  string       // the stream it is about
	all   bool         // it is about all streams at once
}

// needOf tells what a request has to be allowed. It looks at the request alone,
// never at a stream, so that a refusal tells nothing about what exists.
func needOf(r *http.Request, limits protocol.Limits) need {
	escaped := r.URL.EscapedPath()
	rest, ok := strings.CutPrefix(escaped, protocol.Root)
	if !ok {
		if escaped == "/metrics" {
			return need{level: access.Read, all: true}
		}
		return need{}
	}
	path, err := protocol.ParsePath(rest, limits)
	switch {
	case protocol.IsControlPath(path): // also when it does not parse
		if carriesOwnToken(r.Method, rest) {
			return need{}
		}
		return need{level: access.Full, all: true}
	case err != nil:
		return need{level: access.Read} // to be told what is wrong with the path
	}
	return need{level: levelOf(r.Method), path: path}
}

func levelOf(method string) access.Level {
	switch method {
	case http.MethodPost:
		return access.Append
	case http.MethodPut, http.MethodDelete:
		return access.Full
	}
	return access.Read
}

// carriesOwnToken reports whether a control path is one of those that are called
// with a token of their own, from a webhook or a claim, or that publish the keys
// to check signatures with (PROTOCOL §7). An escaped slash could make it another
// path for who decodes before splitting, so there must be none.
func carriesOwnToken(method, escaped string) bool {
	if escaped == protocol.ControlPrefix+"/jwks.json" {
		return method == http.MethodGet || method == http.MethodHead
	}
	parts := strings.Split(escaped, "/")
	if method != http.MethodPost || len(parts) != 4 ||
		parts[0] != protocol.ControlPrefix || parts[1] != "subscriptions" {
		return false
	}
	id, call := parts[2], parts[3]
	return id != "" && !strings.Contains(strings.ToLower(id), "%2f") &&
		(call == "callback" || call == "ack" || call == "release")
}

// authorize lets a request pass that needs nothing, or whose token allows what it
// needs. Without tokens in the configuration everything passes.
func (s *Server) authorize(h http.Header, r *http.Request) error {
	if len(s.o.Tokens) == 0 {
		return nil
	}
	h["Vary"] = valueVaryToken
	n := needOf(r, s.o.Limits)
	if n.level == 0 {
		return nil
	}
	token, err := s.tokenOf(r)
	if err != nil {
		return err
	}
	switch {
	case token.Level < n.level,
		n.all && !token.Unlimited(),
		n.path != "" && !token.Covers(n.path):
		return &forbiddenError{token}
	}
	return s.authorizeSource(r, token)
}

// authorizeSource demands of a fork that its source may be read: a fork is a way
// to read it.
func (s *Server) authorizeSource(r *http.Request, token *access.Token) error {
	if r.Method != http.MethodPut || token.Unlimited() {
		return nil
	}
	for _, value := range r.Header[http.CanonicalHeaderKey(protocol.HeaderStreamForkedFrom)] {
		// One that does not parse forks nothing.
		if source, err := s.parseSource(r, value); err == nil && !token.Covers(source) {
			return &forbiddenError{token}
		}
	}
	return nil
}

// tokenOf finds the token that a request carries. It is taken from the
// Authorization header alone: addresses end up in logs and histories.
func (s *Server) tokenOf(r *http.Request) (*access.Token, error) {
	values := r.Header["Authorization"]
	if len(values) == 0 {
		return nil, errNoToken
	}
	scheme, secret, _ := strings.Cut(values[0], " ")
	if len(values) > 1 || !strings.EqualFold(scheme, "Bearer") {
		return nil, errNoToken
	}
	token := access.Find(s.o.Tokens, strings.TrimSpace(secret))
	if token == nil {
		return nil, errUnknownToken
	}
	return token, nil
}

// seesAll reports whether a client may see every stream.
func (s *Server) seesAll(r *http.Request) bool {
	if len(s.o.Tokens) == 0 {
		return true
	}
	token, err := s.tokenOf(r)
	return err == nil && token.Unlimited()
}

// hidePlaces keeps an error from naming files of the server to clients that may not
// see every stream: the place of a snapshot tells the path of its stream, which can
// be the source of a fork.
func (s *Server) hidePlaces(r *http.Request, err error) string {
	var cold *store.ColdError
	if errors.As(err, &cold) && !s.seesAll(r) {
		return "this part of the stream lies in a snapshot that cannot be read now"
	}
	for _, disk := range []error{store.ErrDiskFull, store.ErrReadOnlyDisk, store.ErrWriteFailed} {
		if errors.Is(err, disk) && !s.seesAll(r) {
			return disk.Error()
		}
	}
	return err.Error()
}

// hideSource keeps a conflict from naming the source of an existing fork to a
// token that may not read it.
func (s *Server) hideSource(r *http.Request, err error) error {
	var conflict *protocol.ConflictError
	if !errors.As(err, &conflict) || conflict.Field != protocol.HeaderStreamForkedFrom || s.seesAll(r) {
		return err
	}
	return &protocol.ConflictError{Field: conflict.Field, Have: "another source, or a deleted one", Want: conflict.Want}
}

var (
	errNoToken = errors.New("this server wants a token: send one of its tokens as Authorization: Bearer <token>; " +
		"tailrace token create makes one")
	errUnknownToken = errors.New("the token is not one of this server's")
)

// forbiddenError: the token does not allow the request. It says what the token
// allows, which its holder may know, and nothing else.
type forbiddenError struct{ token *access.Token }

func (e *forbiddenError) Error() string {
	return "the token " + e.token.Name + " gives " + e.token.Scope() + "; this request needs more"
}

// Challenges of RFC 6750 §3: a request without a token is not told of an error.
var (
	challengeNone      = []string{`Bearer realm="tailrace"`}
	challengeUnknown   = []string{`Bearer realm="tailrace", error="invalid_token"`}
	challengeForbidden = []string{`Bearer realm="tailrace", error="insufficient_scope"`}
)

// valueVaryToken keeps caches from giving one token's answers to another.
var valueVaryToken = []string{"Origin, Authorization"}
