package backend

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

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
