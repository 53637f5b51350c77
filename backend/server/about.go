package server

import (
	"fmt"
	"net/http"
)

// about answers GET / for somebody who opens the port in a browser or with curl.
func (s *Server) about(w http.ResponseWriter, r *http.Request) {
	if !getOnly(w, r) {
		s.fail(w, r, errGetOnly)
		return
	}
	base := baseURL(r)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, `Tailrace %[1]s: a Durable Streams server.

Streams live at %[2]s/v1/stream/<path>
  create   curl -X PUT  %[2]s/v1/stream/hello -H 'Content-Type: text/plain'
  append   curl -X POST %[2]s/v1/stream/hello -H 'Content-Type: text/plain' -d 'hi'
  read     curl         %[2]s/v1/stream/hello
  tail     curl -N     '%[2]s/v1/stream/hello?offset=-1&live=sse'

Every stream that is created, closed or deleted is announced in
  %[2]s/v1/stream/__registry__
`, s.o.Version, base)
}

// health answers GET /healthz. That it answers shows that the server lives; 200
// that it takes writes, 503 that it does not, and why.
func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	if !getOnly(w, r) {
		s.fail(w, r, errGetOnly)
		return
	}
	h := w.Header()
	h["Content-Type"] = valueJSON
	h["Cache-Control"] = valueNoStore
	if err := s.o.Engine.Ready(); err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		reason := "the server's log says why"
		if _, known := StatusOf(err); known || s.seesAll(r) {
			reason = s.hidePlaces(r, err)
		}
		fmt.Fprintf(w, `{"live":true,"ready":false,"reason":%q}`+"\n", reason)
		return
	}
	fmt.Fprintln(w, `{"live":true,"ready":true}`)
}

// metrics answers GET /metrics.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	if !getOnly(w, r) {
		s.fail(w, r, errGetOnly)
		return
	}
	w.Header()["Cache-Control"] = valueNoStore
	s.o.Metrics.ServeHTTP(w, r)
}

func getOnly(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD, OPTIONS")
	return false
}

// baseURL is the origin under which the client reached the server. The Host has
// been checked.
func baseURL(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
