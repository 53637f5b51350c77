package wire_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"tailrace/backend/wire"
)

// BenchmarkRequest compares a small append and its empty answer with net/http,
// for a handler that does nothing.
func BenchmarkRequest(b *testing.B) {
	const request = "POST /v1/stream/bench/1 HTTP/1.1\r\nHost: 127.0.0.1:4437\r\nUser-Agent: bench\r\n" +
		"Content-Type: application/octet-stream\r\nContent-Length: 100\r\nAccept-Encoding: gzip\r\n\r\n"
	payload := strings.Repeat("x", 100)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadFull(r.Body, make([]byte, r.ContentLength))
		w.Header()["Stream-Next-Offset"] = []string{"0000000000000000_0000000000000100"}
		w.WriteHeader(http.StatusNoContent)
	})
	for _, name := range []string{"net/http", "wire"} {
		b.Run(name, func(b *testing.B) {
			inner := newHTTP(b.Context(), h)
			var s interface {
				Serve(net.Listener) error
				Close() error
			} = inner
			if name == "wire" {
				s = wire.New(wire.Options{HTTP: inner, Waits: func(*http.Request) bool { return false }})
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			ended := make(chan struct{})
			go func() {
				_ = s.Serve(l)
				close(ended)
			}()
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			r := bufio.NewReader(c)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := io.WriteString(c, request+payload); err != nil {
					b.Fatal(err)
				}
				for {
					line, err := r.ReadSlice('\n')
					if err != nil {
						b.Fatal(err)
					}
					if len(line) == 2 {
						break
					}
				}
			}
			_, _ = c.Close(), s.Close()
			<-ended
		})
	}
}
