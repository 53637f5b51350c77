package backend

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"tailrace/backend/config"
	"tailrace/backend/lint"
	"tailrace/backend/peer"
	"tailrace/backend/server"
)

// Requests carry their connection, for the linter to tell apart who writes.
func TestRequestsCarryTheirConnection(t *testing.T) {
	if !peer.Possible {
		t.Skip("this system does not tell who owns a connection")
	}
	seen := make(chan string, 1)
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if c := lint.ConnOf(r); c != nil {
			seen <- c.Client.String()
		} else {
			seen <- "none"
		}
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newDataServer(context.Background(), h, (&server.Server{}).Waits, slog.New(slog.DiscardHandler))
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	// The second has no length, so that net/http reads it.
	for _, body := range []io.Reader{strings.NewReader("x"), io.MultiReader(strings.NewReader("x"))} {
		res, err := http.Post("http://"+l.Addr().String(), "text/plain", body)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := <-seen; got == "none" {
			t.Error("there is no connection in the context")
		}
	}
	http.DefaultClient.CloseIdleConnections()
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	<-ended
}

// A request for no path in particular is checked like every other.
func TestOptionsOfTheServer(t *testing.T) {
	b, _ := openBackend(t, func(*config.Config) {})
	for _, address := range []string{b.DataURL(), b.InspectorURL()} {
		for host, want := range map[string]bool{"localhost": true, "evil.example": false} {
			conn, err := net.Dial("tcp", strings.TrimPrefix(address, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, "OPTIONS * HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if (res.StatusCode != http.StatusForbidden) != want || res.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s as %s: %s, %v", address, host, res.Status, res.Header)
			}
			if err := errors.Join(res.Body.Close(), conn.Close()); err != nil {
				t.Error(err)
			}
		}
	}
}
