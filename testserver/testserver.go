package testserver

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"tailrace/backend"
	"tailrace/backend/config"
)

// Options of a server. The zero value is a throwaway one with the product's
// defaults.
type Options struct {
	// Dir is the data folder; "": one that goes when the test ends. A folder that is
	// named is written to the disk before anything is acknowledged; the other one is
	// not waited for.
	Dir string
	// LongPollTimeout is how long a long-poll waits; 0: 20 s.
	LongPollTimeout time.Duration
	// SSEMaxAge is how long an SSE response lasts before the client reconnects;
	// 0: 60 s.
	SSEMaxAge time.Duration
	// Now is the clock that stamps messages and decides about expiry; nil: time.Now.
	Now func() time.Time
	// Log takes the server's logs; nil: they are dropped.
	Log *slog.Logger
}

// Server is a server that runs. Its methods may be called from one goroutine at a
// time; requests to it from any.
type Server struct {
	// URL is the root of the server, without a slash at its end:
	// http://127.0.0.1:41234. It stays the same over restarts.
	URL string
	// InspectorURL is the root of the inspector, whose API also arms faults; it wants
	// the header "Authorization: Bearer " + Token. Both stay the same over restarts.
	InspectorURL, Token string

	options backend.Options
	backend *backend.Backend
}

// Start runs a throwaway server until the test ends. It fails the test if that
// cannot be.
func Start(t testing.TB) *Server {
	t.Helper()
	return StartWith(t, Options{})
}

// StartWith runs a server until the test ends. It fails the test if that cannot be.
func StartWith(t testing.TB, o Options) *Server {
	t.Helper()
	volatile := o.Dir == ""
	if volatile {
		o.Dir = t.TempDir()
	}
	s, err := open(o, volatile)
	if err != nil {
		t.Fatalf("testserver: %v", err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("testserver: %v", err)
		}
	})
	return s
}

func open(o Options, volatile bool) (*Server, error) {
	c := config.Default()
	c.DataDir, c.Listen, c.Inspect, c.InspectSet = o.Dir, "127.0.0.1:0", "127.0.0.1:0", true
	c.TLS = false
	if o.LongPollTimeout != 0 {
		c.LongPollTimeout = o.LongPollTimeout
	}
	if o.SSEMaxAge != 0 {
		c.SSEMaxAge = o.SSEMaxAge
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	s := &Server{options: backend.Options{Config: c, Version: "test", Volatile: volatile, Now: o.Now, Log: o.Log}}
	return s, s.start()
}

func (s *Server) start() (err error) {
	if s.backend, err = backend.Open(s.options); err != nil {
		return err
	}
	run, err := backend.ReadRunFile(s.options.Config.DataDir)
	if err != nil {
		return err
	}
	s.URL, s.InspectorURL, s.Token = run.DataURL, run.InspectorURL, run.Token
	// The next one listens where this one does.
	s.options.Config.Listen = strings.TrimPrefix(run.DataURL, "http://")
	s.options.Config.Inspect = strings.TrimPrefix(run.InspectorURL, "http://")
	return nil
}

// stop ends the server. Open requests get a moment; what is acknowledged stays.
func (s *Server) stop() error {
	if s.backend == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := s.backend.Close(ctx)
	s.backend = nil
	if err != nil {
		return fmt.Errorf("stop the server: %w", err)
	}
	return nil
}

// Stream is the URL of a stream, its path escaped as far as it needs to be.
func (s *Server) Stream(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return s.URL + "/v1/stream/" + strings.Join(parts, "/")
}

// Stop ends the server until [Server.Restart]. Live readers see their responses
// end, and new requests find nobody. Everything acknowledged is kept.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if err := s.stop(); err != nil {
		t.Fatalf("testserver: %v", err)
	}
}

// Restart ends the server, if it runs, and starts it again at the same addresses
// with what it had acknowledged.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop(t)
	if err := s.start(); err != nil {
		t.Fatalf("testserver: start again: %v", err)
	}
}
