package server

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// requestIDs names requests so that a log line can be found for a response.
type requestIDs struct {
	run  string // differs from start to start
	last *atomic.Uint64
}

func newRequestIDs() requestIDs {
	b := make([]byte, 4)
	_, _ = rand.Read(b) // never fails
	return requestIDs{run: hex.EncodeToString(b), last: new(atomic.Uint64)}
}

func (i requestIDs) next() string {
	return i.run + "-" + strconv.FormatUint(i.last.Add(1), 10)
}

const headerRequestID = "Request-Id"

// serveLogged serves a request and logs it. Neither headers nor the query are
// logged: they may hold secrets.
func (s *Server) serveLogged(w http.ResponseWriter, r *http.Request) {
	id := s.ids.next()
	set(w.Header(), headerRequestID, id)
	rec := &recorder{ResponseWriter: w, status: http.StatusOK}
	began := time.Now()
	s.serve(rec, r)
	s.o.Log.Debug("request", "id", id, "method", r.Method, "path", r.URL.Path, "status", rec.status,
		"bytes", rec.bytes, "duration", time.Since(began), "client", r.RemoteAddr)
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
