package wire_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAnswersAreThoseOfNetHTTP has handlers answer in many ways, and compares what
// a client gets from both servers, and whether it may go on.
func TestAnswersAreThoseOfNetHTTP(t *testing.T) {
	write := func(w io.Writer, s string) {
		_, _ = io.WriteString(w, s)
	}
	for name, h := range map[string]http.HandlerFunc{
		"nothing": func(http.ResponseWriter, *http.Request) {},
		"no content": func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Stream-Next-Offset"] = []string{"1"}
			w.WriteHeader(http.StatusNoContent)
			if _, err := w.Write([]byte("x")); !errors.Is(err, http.ErrBodyNotAllowed) {
				panic(err)
			}
		},
		"not modified": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ETag", `"a"`)
			w.WriteHeader(http.StatusNotModified)
		},
		"status and body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusConflict)
			w.WriteHeader(http.StatusOK)
			w.Header().Set("X-Late", "1")
			write(w, `{"error":`)
			write(w, `"x"}`)
		},
		"sniffed": func(w http.ResponseWriter, _ *http.Request) { write(w, "<html>") },
		"known length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", "100000")
			for range 10 {
				write(w, strings.Repeat("y", 10000))
			}
		},
		"known length in large pieces": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", "200002")
			write(w, "[")
			write(w, strings.Repeat("y", 200000))
			write(w, "]")
		},
		"in parts": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			inParts(w, append([]string{"[", strings.Repeat("a", 5000), ",", "", strings.Repeat("b", 100_000), "]"}, small(7000)...)...)
		},
		"in parts, behind what was written": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", "5006")
			write(w, "abc")
			inParts(w, strings.Repeat("d", 5000))
			write(w, "efg")
		},
		"in parts, of unknown length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusOK)
			inParts(w, "abc", strings.Repeat("d", 5000))
		},
		"too much, in parts": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", "3")
			w.WriteHeader(http.StatusOK)
			if err := inParts(w, "abc", "d"); !errors.Is(err, http.ErrContentLength) {
				panic(err)
			}
		},
		"too little, in parts": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", "10")
			w.WriteHeader(http.StatusOK)
			inParts(w, "abc", "d")
		},
		"too much": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", "3")
			write(w, "abc")
			if _, err := w.Write([]byte("d")); !errors.Is(err, http.ErrContentLength) {
				panic(err)
			}
		},
		"too little": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", "3")
			write(w, "ab")
		},
		"unknown length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			for i := range 100 {
				write(w, strings.Repeat("z", i*10))
			}
		},
		"unknown length, one large piece": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			write(w, strings.Repeat("z", 200000))
		},
		"flushed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for range 3 {
				write(w, "data: x\n\n")
				if err := http.NewResponseController(w).Flush(); err != nil {
					panic(err)
				}
			}
		},
		"flushed without a body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_ = http.NewResponseController(w).Flush()
		},
		"line breaks in a value": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Value", "a\r\nX-Other: b")
			w.WriteHeader(http.StatusOK)
		},
		"closing": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusOK)
		},
		"unknown status": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(599) },
		"much, and the body not read": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", "1000000")
			write(w, strings.Repeat("y", 1_000_000))
		},
		"several values": func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Vary"] = []string{"a", "b"}
			w.WriteHeader(http.StatusTeapot)
		},
		"body not read": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
		"body read in part": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadFull(r.Body, make([]byte, 10))
			write(w, "enough")
		},
		"aborted": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusOK)
			panic(http.ErrAbortHandler)
		},
		"broken off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			write(w, "some")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
	} {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			t.Run(name+"/"+method, func(t *testing.T) {
				request := method + " / HTTP/1.1\r\nHost: a\r\n"
				if method == "POST" {
					request += "Content-Length: 20000\r\n"
				}
				request += "\r\n"
				if method == "POST" {
					request += strings.Repeat("b", 20000)
				}
				twice := func(c net.Conn) (answers []answer) {
					r := bufio.NewReader(c)
					for range 2 {
						send(c, request)
						answers = append(answers, read(r, method))
						if last := answers[len(answers)-1]; last.Err != "" {
							break
						}
					}
					return answers
				}
				want := twice(serveHTTP(t, h).dial(t))
				if diff := cmp.Diff(want, twice(serve(t, h).dial(t))); diff != "" {
					t.Errorf("-net/http +here:\n%s", diff)
				}
			})
		}
	}
}

// inParts writes parts at once where the server can do that, and else one after the
// other. Without a head it makes one, with their length.
func inParts(w http.ResponseWriter, parts ...string) error {
	if w.Header().Get("Content-Length") == "" && len(parts) > 2 {
		w.Header().Set("Content-Length", strconv.Itoa(len(strings.Join(parts, ""))))
		w.WriteHeader(http.StatusOK)
	}
	if all, ok := w.(partsWriter); ok {
		_, err := all.WriteParts(func(yield func([]byte) bool) {
			for _, p := range parts {
				if !yield([]byte(p)) {
					return
				}
			}
		})
		if !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	for _, p := range parts {
		if _, err := io.WriteString(w, p); err != nil {
			return err
		}
	}
	return nil
}

// small are n short parts, no two of them alike.
func small(n int) (parts []string) {
	for i := range n {
		parts = append(parts, fmt.Sprintf("<%d %s>", i, strings.Repeat("s", i%100)))
	}
	return parts
}

// calls counts how often something is written to a connection.
type calls struct {
	net.Conn
	n atomic.Int32
}

func (c *calls) Write(b []byte) (int, error) {
	c.n.Add(1)
	return c.Conn.Write(b)
}

func (c *calls) WriteBuffers(v *net.Buffers) (int64, error) {
	c.n.Add(1)
	return v.WriteTo(c.Conn)
}

// TestPartsAreWrittenAtOnce counts the system calls of an answer in parts.
func TestPartsAreWrittenAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		parts []string
		most  int32
	}{
		"large": {slices.Repeat([]string{strings.Repeat("x", 64<<10), ","}, 16), 1},
		// 8 blocks of 32 KiB in each.
		"small": {small(10_000), 3},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if err := inParts(w, c.parts...); err != nil {
					t.Error(err)
				}
			})
			client, server := net.Pipe()
			t.Cleanup(func() { _ = client.Close() })
			counted := &calls{Conn: server}
			s.conns <- counted
			send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			if got := read(bufio.NewReader(client), "GET"); got.Body != strings.Join(c.parts, "") || got.Err != "" {
				t.Errorf("got %d bytes, %q", len(got.Body), got.Err)
			}
			if n := counted.n.Load(); n > c.most {
				t.Errorf("written in %d calls, want at most %d", n, c.most)
			}
		})
	}
}

// TestPartsForAClientThatLeaves has the handler told, and of what was sent.
func TestPartsForAClientThatLeaves(t *testing.T) {
	type told struct {
		n   int64
		err error
	}
	ended := make(chan told, 1)
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "2097153")
		w.WriteHeader(http.StatusOK)
		n, err := w.(partsWriter).WriteParts(slices.Values([][]byte{
			bytes.Repeat([]byte("x"), 1<<20), bytes.Repeat([]byte("y"), 1<<20), []byte("z"),
		}))
		ended <- told{n, err}
	})
	client := s.dial(t)
	send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	r := bufio.NewReaderSize(client, 16)
	for line := ""; line != "\r\n"; {
		var err error
		if line, err = r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	const taken = 100_000
	if _, err := io.ReadFull(r, make([]byte, taken)); err != nil {
		t.Fatal(err)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if got := <-ended; got.err == nil || got.n < taken || got.n > taken+16 {
		t.Errorf("the client took %d bytes; the handler was told of %d and %v", taken, got.n, got.err)
	}
}

// partsWriter is what takes many parts at once.
type partsWriter interface {
	WriteParts(parts iter.Seq[[]byte]) (int64, error)
}
