package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// ServeNoOp is the server that a real one is compared with: net/http, a handler
// that takes the body and answers like an append, and nothing else. It writes its
// address to out and serves until alive ends, which is to be a pipe from whoever
// wants it.
func ServeNoOp(alive io.Reader, out io.Writer) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := &http.Server{Handler: http.HandlerFunc(noop), ReadHeaderTimeout: time.Minute}
	closed := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, alive)
		closed <- errors.Join(err, s.Close())
	}()
	if _, err := fmt.Fprintf(out, "http://%s\n", l.Addr()); err != nil {
		return err
	}
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-closed
}

func noop(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return // the client has gone
	}
	w.Header()["Stream-Next-Offset"] = []string{"0000000000000000_0000000000000001"}
	if r.Method == http.MethodPut {
		w.WriteHeader(http.StatusCreated)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// measureDisk appends what an append of append-seq carries to a file, each time
// until it is on the disk.
func (o *Options) measureDisk(ctx context.Context) (s Sample, err error) {
	f, err := os.CreateTemp(o.DiskDir, "tailrace-bench-*")
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	var (
		latencies []time.Duration
		body      = plain(100).append(nil, 0, 0)
		start     = time.Now()
		measuring = start.Add(o.Warmup)
		end       = measuring.Add(o.Duration)
	)
	for {
		before := time.Now()
		if before.After(end) {
			break
		}
		if ctx.Err() != nil {
			return s, ctx.Err()
		}
		if _, err := f.Write(body); err != nil {
			return s, err
		}
		if err := datasync(f); err != nil {
			return s, err
		}
		if before.After(measuring) {
			latencies = append(latencies, time.Since(before))
		}
	}
	m := measured{latencies: latencies, elapsed: time.Since(measuring)}
	return m.sample(), nil
}
