package torture

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"tailrace/test/program"
)

// tail is one live reader on a connection of its own.
type tail struct {
	conn net.Conn
	in   *bufio.Reader
	// SSE only, a long-poll has no answer yet: what comes of the response's body.
	body *bufio.Reader
}

// follow opens a live reader at the end of a stream; live is "long-poll" or
// "sse". The n-th one comes from a source address that depends on n, so that
// ports do not run out.
func (s *server) follow(n int, path, live string) (*tail, error) {
	d := net.Dialer{Timeout: program.Patience}
	if runtime.GOOS == "linux" { // elsewhere 127.0.0.1 is the only one
		d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+n%8))}
	}
	host := strings.TrimPrefix(s.DataURL, "http://")
	conn, err := d.Dial("tcp", host)
	if err != nil {
		return nil, err
	}
	r := &tail{conn: conn, in: bufio.NewReaderSize(conn, 1<<10)}
	if err := conn.SetDeadline(time.Now().Add(10 * program.Patience)); err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(conn, "GET /v1/stream/%s?offset=now&live=%s HTTP/1.1\r\nHost: %s\r\n\r\n", path, live, host); err != nil {
		return nil, err
	}
	if live == "sse" {
		res, err := http.ReadResponse(r.in, nil)
		if err != nil {
			return nil, err
		}
		if res.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("status %s", res.Status)
		}
		r.body = bufio.NewReaderSize(res.Body, 256)
		// The first control event: from here on the reader waits.
		if err := r.skipTo("event: control"); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// skipTo reads an SSE response up to a line.
func (r *tail) skipTo(wanted string) error {
	for {
		line, err := r.body.ReadString('\n')
		if err != nil || strings.TrimRight(line, "\r\n") == wanted {
			return err
		}
	}
}

// poll waits for the answer to a long-poll.
func (r *tail) poll() (status int, body string, err error) {
	res, err := http.ReadResponse(r.in, nil)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

// open opens n live readers and returns once the server has them all waiting.
func (s *server) open(t *testing.T, n int, path, live string) []*tail {
	t.Helper()
	tails := make([]*tail, n)
	errs := make(chan error, n)
	before := s.metric("tailrace_live_readers")
	slots := make(chan struct{}, 64)
	for i := range n {
		slots <- struct{}{}
		go func() {
			defer func() { <-slots }()
			var err error
			tails[i], err = s.follow(i, path, live)
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Fatalf("open a %s reader: %v", live, err)
		}
	}
	t.Cleanup(func() {
		for _, r := range tails {
			r.conn.Close()
		}
	})
	program.Until(t, "all readers wait", func() bool { return s.metric("tailrace_live_readers") >= before+float64(n) })
	return tails
}
