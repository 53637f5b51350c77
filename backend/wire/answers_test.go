package wire_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
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
