package wire

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// FuzzPlain parses two requests, one behind the other in a buffer that the first
// has filled with what it remembers. Whatever is taken for plain, net/http must
// read the same from it.
func FuzzPlain(f *testing.F) {
	const get = "GET /a?b=c HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n"
	f.Add([]byte(get), []byte("POST /a HTTP/1.1\r\nHost: b\r\nx: 2\r\nX: 3\r\nContent-Length: 2\r\n\r\nab"))
	f.Add([]byte("POST /a%2f HTTP/1.1\r\nHost: [::1]:1\r\nConnection: keep-alive\r\n\r\n"), []byte(get))
	f.Add([]byte("PUT //a HTTP/1.1\r\nHost:a\r\nA:\t b \r\nA:\r\n\r\n"), []byte("GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n"))
	f.Add([]byte("GET  HTTP/1.1\r\nHost: a\r\n\r\n"), []byte(get))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		client, server := net.Pipe()
		_, _ = client.Close(), server.Close()
		c := newConn(&Server{base: context.Background(), o: Options{HTTP: &http.Server{}, Waits: func(*http.Request) bool { return false }}}, server)
		for _, data := range [][]byte{first, second} {
			c.start, c.end = 0, copy(c.buf[:], data)
			if !c.parse() {
				return
			}
			want, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(data)))
			if err != nil {
				t.Fatalf("net/http refuses %q: %v", data, err)
			}
			type request struct {
				Method, URI, Path, RawPath, Query, Host, Proto string
				Header                                         http.Header
				Length                                         int64
				Close                                          bool
				Coding                                         []string
			}
			seen := func(r *http.Request) request {
				return request{r.Method, r.RequestURI, r.URL.Path, r.URL.RawPath, r.URL.RawQuery, r.Host, r.Proto, r.Header, r.ContentLength, r.Close, r.TransferEncoding}
			}
			if diff := cmp.Diff(seen(want), seen(c.r), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("%q (-net/http +here):\n%s", data, diff)
			}
			if c.body.left != want.ContentLength {
				t.Fatalf("%q: %d bytes of body are left, not %d", data, c.body.left, want.ContentLength)
			}
		}
	})
}
