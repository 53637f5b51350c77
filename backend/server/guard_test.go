package server

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tailrace/backend/engine"
	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// newServer returns a server on an empty log; change adjusts its options.
func newServer(t *testing.T, change func(*Options)) *Server {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	db, err := store.Open(t.Context(), t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(t.Context(), db, engine.Options{Now: time.Now, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		e.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	o := Options{
		Engine: e,
		Limits: protocol.Limits{
			BodyBytes: 1 << 20, PathBytes: 1024, HeaderValueBytes: 1024, QueryBytes: 4096, MessagesPerAppend: 1024, JSONDepth: 64,
		},
		LongPollTimeout: time.Second, SSEMaxAge: time.Second, BodyTimeout: time.Second,
		MaxReaders: 100, MaxReadersPerClient: 100, CacheControl: "no-store",
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }),
		Version: "test", Now: time.Now, Log: log,
	}
	if change != nil {
		change(&o)
	}
	return New(o)
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
