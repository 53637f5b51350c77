package backend

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"tailrace/backend/config"
	"tailrace/backend/server"
)

// TestManyTailsOverOneConnection also checks that closing ends them all.
func TestManyTailsOverOneConnection(t *testing.T) {
	const tails = 300
	for name, set := range map[string]func(*http.Protocols, bool){"TLS": http2, "h2c": h2c} {
		t.Run(name, func(t *testing.T) {
			b, c, stop := openStoppable(t, nil)
			base := b.DataTLSURL()
			if name == "h2c" {
				base = b.DataURL()
			}
			hc := client(t, c.DataDir, set)
			dials := 0
			dial := hc.Transport.(*http.Transport).DialContext
			hc.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				dials++
				return dial(ctx, network, address)
			}
			var readers []*bufio.Reader
			for i := range tails {
				url := fmt.Sprintf("%s/v1/stream/s%d", base, i)
				do(t, hc, http.MethodPut, url, "")
				res, err := hc.Get(url + "?offset=-1&live=sse")
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				readers = append(readers, bufio.NewReader(res.Body))
			}
			for i, r := range readers {
				do(t, hc, http.MethodPost, fmt.Sprintf("%s/v1/stream/s%d", base, i), fmt.Sprintf("message %d", i))
				for {
					line, err := r.ReadString('\n')
					if err != nil {
						t.Fatalf("tail %d: %v", i, err)
					}
					if line == fmt.Sprintf("data:message %d\n", i) {
						break
					}
				}
			}
			if dials != 1 {
				t.Errorf("%d connections were opened", dials)
			}
			if err := stop(); err != nil { // it would be cut off after 10 seconds
				t.Errorf("close: %v", err)
			}
			for i, r := range readers {
				if _, err := io.Copy(io.Discard, r); err != nil {
					t.Errorf("tail %d did not end cleanly: %v", i, err)
				}
			}
		})
	}
}

// TestSlowReaderEndsAlone: a deadline for writing is one of the stream, not of
// the connection that it shares.
func TestSlowReaderEndsAlone(t *testing.T) {
	ended := make(chan struct{}, 2)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		if r.URL.Path == "/quick" {
			_, _ = io.WriteString(w, "quick")
			return
		}
		chunk := make([]byte, 1<<20)
		for {
			if err := rc.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
				t.Errorf("no deadline for one stream: %v", err)
			}
			if _, err := w.Write(chunk); err != nil {
				ended <- struct{}{}
				return
			}
		}
	})
	for name, set := range map[string]func(*http.Protocols, bool){"TLS": http2, "h2c": h2c} {
		t.Run(name, func(t *testing.T) {
			c := config.Default()
			c.Listen, c.DataDir = "127.0.0.1:0", t.TempDir()
			l, err := listenData(&Options{Config: c, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			l.server = newDataServer(t.Context(), handler, (&server.Server{}).Waits, slog.New(slog.DiscardHandler))
			served := make(chan error, 1)
			go func() { served <- l.server.Serve(l.Listener) }()
			defer func() {
				if err := l.server.Close(); err != nil {
					t.Error(err)
				}
				if err := <-served; !errors.Is(err, http.ErrServerClosed) {
					t.Error(err)
				}
			}()
			scheme := map[string]string{"TLS": "https", "h2c": "http"}[name]
			hc := client(t, c.DataDir, set)
			slow, err := hc.Get(l.url(scheme) + "/slow") // nobody reads its body
			if err != nil {
				t.Fatal(err)
			}
			defer slow.Body.Close()
			<-ended
			res, body := do(t, hc, http.MethodGet, l.url(scheme)+"/quick", "")
			if res.StatusCode != 200 || body != "quick" {
				t.Errorf("another request on the connection: %d %q", res.StatusCode, body)
			}
			if _, err := io.Copy(io.Discard, slow.Body); err == nil {
				t.Error("the slow response seems complete")
			}
		})
	}
}

// TestSlowBodies: a body that pauses is given up, whichever protocol it comes by,
// and over HTTP/2 without the connection.
func TestSlowBodies(t *testing.T) {
	b, c := openBackend(t, func(c *config.Config) { c.BodyTimeout = 100 * time.Millisecond })
	for name, tt := range everyWay(b) {
		t.Run(name, func(t *testing.T) {
			hc := client(t, c.DataDir, tt.set)
			body, w := io.Pipe()
			defer w.Close()
			go func() { _, _ = io.WriteString(w, "the beginning") }() // fails when the request is over
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, tt.base+"/v1/stream/slow", body)
			if err != nil {
				t.Fatal(err)
			}
			res, err := hc.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if res.StatusCode != http.StatusRequestTimeout {
				t.Errorf("a body that pauses: %d", res.StatusCode)
			}
			if res, _ := do(t, hc, http.MethodGet, tt.base+"/v1/stream/slow", ""); res.StatusCode != http.StatusNotFound {
				t.Errorf("the stream afterwards: %d", res.StatusCode)
			}
		})
	}
}
