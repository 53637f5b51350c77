package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// listen serves over real HTTP. Cancelling stop is what a shutting down program
// does first.
func (s *testServer) listen(h http.Handler) (url string, stop context.CancelFunc) {
	s.t.Helper()
	base, stop := context.WithCancel(context.Background())
	srv := httptest.NewUnstartedServer(h)
	srv.Config.BaseContext = func(net.Listener) context.Context { return base }
	srv.Start()
	s.t.Cleanup(func() {
		stop()
		srv.Close()
	})
	return srv.URL, stop
}

func TestShutdownEndsReaders(t *testing.T) {
	s := newTestServer(t)
	s.create("a", "text/plain")
	url, stop := s.listen(s)
	var wg sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	for mode, want := range map[string]int{"sse": 200, "long-poll": 204} {
		for range 3 {
			wg.Go(func() {
				resp, err := client.Get(url + "/v1/stream/a?offset=now&live=" + mode)
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != want {
					t.Errorf("%s: %d, %v", mode, resp.StatusCode, err)
				}
			})
		}
	}
	for s.o.Engine.Totals().Readers.Load() < 6 {
		time.Sleep(time.Millisecond) // there is nothing that tells when a request has come in
	}
	stop()
	wg.Wait()
	if n := s.o.Engine.Totals().Readers.Load(); n != 0 {
		t.Errorf("%d readers are left", n)
	}
}

func TestClientsThatLeave(t *testing.T) {
	s := newTestServer(t)
	s.create("a", "text/plain")
	url, _ := s.listen(s)
	ctx, cancel := context.WithCancel(t.Context())
	client := &http.Client{Transport: &http.Transport{}}
	var wg sync.WaitGroup
	for _, mode := range []string{"sse", "long-poll"} {
		wg.Go(func() {
			req, err := http.NewRequestWithContext(ctx, "GET", url+"/v1/stream/a?offset=now&live="+mode, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if resp, err := client.Do(req); err == nil {
				_, _ = io.Copy(io.Discard, resp.Body) // ends with the context
				resp.Body.Close()
			}
		})
	}
	readers := &s.o.Engine.Totals().Readers
	for readers.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	wg.Wait()
	for deadline := time.Now().Add(10 * time.Second); readers.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d readers are left", readers.Load())
		}
	}
}

// raw sends bytes and returns all that comes back before the connection closes.
func raw(t *testing.T, url, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	if c, ok := conn.(*net.TCPConn); ok && strings.HasSuffix(request, "BREAK") {
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
	}
	b, err := io.ReadAll(bufio.NewReader(conn))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestOnTheWire(t *testing.T) {
	s := newTestServer(t)
	url, _ := s.listen(s)
	const end = "\r\nHost: localhost\r\nConnection: close\r\n"
	t.Run("headers keep the specification's spelling", func(t *testing.T) {
		got := raw(t, url, "PUT /v1/stream/a%2fB HTTP/1.1"+end+"Content-Type: text/plain\r\nstream-ttl: 60\r\nContent-Length: 0\r\n\r\n")
		for _, want := range []string{"HTTP/1.1 201 Created\r\n", "\r\nStream-TTL: 60\r\n", "\r\nLocation: http://localhost/v1/stream/a%2fB\r\n", "\r\nContent-Type: text/plain\r\n"} {
			if !strings.Contains(got, want) {
				t.Errorf("%q is not in\n%s", want, got)
			}
		}
		if got := raw(t, url, "GET /v1/stream/a/B HTTP/1.1"+end+"\r\n"); !strings.Contains(got, "\r\nETag: \"") {
			t.Errorf("no ETag in\n%s", got)
		}
	})
	t.Run("a chunked body", func(t *testing.T) {
		raw(t, url, "PUT /v1/stream/chunked HTTP/1.1"+end+"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
		if got := bodyOf(s.do("GET", "chunked", "")); got != "abcde" {
			t.Errorf("content %q", got)
		}
	})
	t.Run("bodies that break off append nothing", func(t *testing.T) {
		s.create("broken", "text/plain")
		for _, req := range []string{
			"Content-Length: 100\r\n\r\nBREAK",
			"Transfer-Encoding: chunked\r\n\r\n64\r\nBREAK",
			"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nBREAK",
		} {
			got := raw(t, url, "POST /v1/stream/broken HTTP/1.1"+end+"Content-Type: text/plain\r\n"+req)
			if got != "" && !strings.HasPrefix(got, "HTTP/1.1 400") {
				t.Errorf("answer %q", got)
			}
		}
		if got := bodyOf(s.do("GET", "broken", "")); got != "" {
			t.Errorf("content %q", got)
		}
	})
	t.Run("no Host", func(t *testing.T) {
		if got := raw(t, url, "GET /healthz HTTP/1.0\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.0 403") {
			t.Errorf("answer %q", got)
		}
	})
	t.Run("dots and slashes are not redirected", func(t *testing.T) {
		for _, path := range []string{"/v1/stream//x", "/v1/stream/x/../y", "/v1/stream/./x"} {
			if got := raw(t, url, "GET "+path+" HTTP/1.1"+end+"\r\n"); !strings.HasPrefix(got, "HTTP/1.1 400") {
				t.Errorf("%s: %q", path, got)
			}
		}
	})
}

// benchmarkHTTP lets 64 connections, each with a stream of its own, send POSTs of
// 100 B and wait for the answers.
func benchmarkHTTP(b *testing.B, s *testServer, h http.Handler) {
	const connections = 64
	url, _ := s.listen(h)
	for i := range connections {
		s.create(fmt.Sprint("s", i), "text/plain")
	}
	clients := make([]*bufio.ReadWriter, connections)
	host := strings.TrimPrefix(url, "http://")
	for i := range clients {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		clients[i] = bufio.NewReadWriter(bufio.NewReader(conn), bufio.NewWriter(conn))
	}
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for i, c := range clients {
		n := b.N / connections
		if i < b.N%connections {
			n++
		}
		wg.Go(func() {
			// The client is kept small: it shares the machine with the server.
			request := fmt.Sprintf("POST /v1/stream/s%d HTTP/1.1\r\nHost: %s\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\n%s", i, host, strings.Repeat("x", 100))
			for range n {
				if _, err := c.WriteString(request); err != nil {
					b.Error(err)
					return
				}
				if err := c.Flush(); err != nil {
					b.Error(err)
					return
				}
				if err := readNoContent(c.Reader); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
}

// readNoContent reads an answer without a body.
func readNoContent(r *bufio.Reader) error {
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !strings.HasPrefix(string(line), "HTTP/1.1 204") {
			return fmt.Errorf("answer %q", line)
		}
		if len(line) == 2 {
			return nil
		}
	}
}

func BenchmarkAppendHTTP64(b *testing.B) {
	s := newTestServer(b)
	benchmarkHTTP(b, s, s)
}

// BenchmarkNoOpHTTP64 is what net/http itself costs: it reads the body and answers
// like an append.
func BenchmarkNoOpHTTP64(b *testing.B) {
	benchmarkHTTP(b, newTestServer(b), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			b.Error(err)
		}
		w.Header()["Stream-Next-Offset"] = []string{token(1)}
		w.WriteHeader(http.StatusNoContent)
	}))
}
