package server

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"sync/atomic"
	"time"

	"tailrace/backend/journal"
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
func (s *Server) serveLogged(x *journal.Exchange) {
	r, id := x.Request, s.ids.next()
	set(x.Header(), headerRequestID, id)
	s.serve(x, r)
	s.o.Log.Debug("request", "id", id, "method", r.Method, "path", r.URL.Path, "status", x.Status,
		"bytes", x.Sent, "duration", time.Since(x.Began), "client", r.RemoteAddr)
}
