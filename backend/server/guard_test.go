package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// newServer returns a server on an empty log with narrow limits; change adjusts
// its options.
func newServer(t *testing.T, change func(*Options)) *Server {
	t.Helper()
	narrow := func(o *Options) {
		o.Limits.BodyBytes, o.Limits.MessagesPerAppend, o.Limits.JSONDepth = 1<<20, 1024, 64
		o.LongPollTimeout, o.SSEMaxAge, o.BodyTimeout = time.Second, time.Second, time.Second
		if change != nil {
			change(o)
		}
	}
	return newTestServer(t, narrow).Server
}

// send sends a request to a loopback host. Headers are name, value, name, value …
func send(s http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1:4437"+target, strings.NewReader(body))
	r.RequestURI = ""
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}
