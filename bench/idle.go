package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"tailrace/backend/protocol"
)

const (
	idleWorkers = 16
	// idleRest is how long the readers are left alone before the memory is looked at.
	idleRest = time.Second
	// idlePatience bounds the opening of one reader.
	idlePatience = 30 * time.Second
)

// idleReaders measures what a server needs for each SSE reader that gets nothing.
// A memory that has been larger would hide it, so this comes first in a run. The
// connections are bare, to keep the client small.
func idleReaders(ctx context.Context, c *cell) (s Sample, err error) {
	path := c.path(0)
	if err := c.create(ctx, typeText, 1); err != nil {
		return s, err
	}
	if err := c.append(ctx, path, c.server.with("Content-Type", typeText), []byte("hello"), false); err != nil {
		return s, err
	}
	before := c.server.process.rss()
	start := time.Now()
	conns, err := c.openReaders(ctx, path)
	defer func() {
		for _, conn := range conns {
			err = errors.Join(err, conn.Close())
		}
	}()
	if err != nil {
		return s, err
	}
	s.Operations, s.Seconds = len(conns), time.Since(start).Seconds()
	s.Rate = float64(s.Operations) / s.Seconds
	if err := sleepUntil(ctx, time.Now().Add(idleRest)); err != nil {
		return s, err
	}
	if after := c.server.process.rss(); before != nil && after != nil {
		each := float64(*after-*before) / float64(len(conns))
		s.PerReader, s.PeakRSS = &each, after
	}
	return s, nil
}

// openReaders opens as many readers as the options say, some at a time. It returns
// those it has opened, also when it fails.
func (c *cell) openReaders(ctx context.Context, path string) (conns []net.Conn, err error) {
	var (
		mu      sync.Mutex
		errs    []error
		next    atomic.Int64
		running sync.WaitGroup
	)
	for range idleWorkers {
		running.Go(func() {
			for next.Add(1) <= int64(c.options.IdleReaders) && ctx.Err() == nil {
				conn, err := c.openReader(ctx, path)
				mu.Lock()
				if err != nil {
					errs = append(errs, err)
					mu.Unlock()
					return
				}
				conns = append(conns, conn)
				mu.Unlock()
			}
		})
	}
	running.Wait()
	if ctx.Err() != nil {
		return conns, context.Cause(ctx)
	}
	if len(errs) > 0 {
		err = fmt.Errorf("reader %d of %d: %w", len(conns)+1, c.options.IdleReaders, errs[0])
		if errors.Is(err, syscall.EMFILE) {
			err = fmt.Errorf("%w: raise the limit of open files, or ask for fewer --idle-readers", err)
		}
	}
	return conns, err
}

// openReader opens an SSE response and reads it up to its first control event.
func (c *cell) openReader(ctx context.Context, path string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, idlePatience)
	defer cancel()
	dial := (&net.Dialer{}).DialContext
	if c.server.root.Scheme == "https" {
		dial = (&tls.Dialer{}).DialContext
	}
	conn, err := dial(ctx, "tcp", c.server.address())
	if err != nil {
		return nil, err
	}
	if err := c.beginSSE(ctx, conn, path); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

func (c *cell) beginSSE(ctx context.Context, conn net.Conn, path string) error {
	if err := conn.SetDeadline(time.Now().Add(idlePatience)); err != nil {
		return err
	}
	r := c.server.request(ctx, http.MethodGet, path, c.server.with("Accept", "text/event-stream"), nil)
	r.URL.RawQuery = protocol.QueryOffset + "=-1&" + protocol.QueryLive + "=" + protocol.LiveSSE
	if err := r.Write(conn); err != nil {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReaderSize(conn, 1<<10), r)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return unwanted(r, res)
	}
	var seen []byte
	buf := make([]byte, 512)
	for !bytes.Contains(seen, []byte("streamNextOffset")) {
		n, err := res.Body.Read(buf)
		seen = append(seen, buf[:n]...)
		if err == io.EOF {
			return fmt.Errorf("the SSE response ended before its first control event: %q", excerpt(seen))
		}
		if err != nil {
			return err
		}
	}
	return conn.SetDeadline(time.Time{})
}
