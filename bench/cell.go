package bench

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// cell is one measurement: a scenario on a server, in one round.
type cell struct {
	options   Options
	server    *server
	transport *http.Transport
	prefix    string // of its streams

	mu   sync.Mutex
	made []string // streams to delete
}

// path names stream i of the cell.
func (c *cell) path(i int) string { return c.prefix + strconv.Itoa(i) }

// create makes the first streams of the cell.
func (c *cell) create(ctx context.Context, contentType string, count int) error {
	header := c.server.with("Content-Type", contentType)
	for i := range count {
		c.made = append(c.made, c.path(i))
	}
	return c.each(ctx, func(ctx context.Context, path string) error { return c.putMade(ctx, path, header) })
}

// put makes a stream that is to be deleted again.
func (c *cell) put(ctx context.Context, path string, h http.Header) error {
	c.mu.Lock()
	c.made = append(c.made, path)
	c.mu.Unlock()
	return c.putMade(ctx, path, h)
}

func (c *cell) putMade(ctx context.Context, path string, h http.Header) error {
	return c.server.send(c.transport, c.server.request(ctx, http.MethodPut, path, h, nil), http.StatusCreated)
}

// verifyCreated asks for each stream that was made.
func (c *cell) verifyCreated(ctx context.Context) error {
	if c.server.noop {
		return nil
	}
	return c.each(ctx, func(ctx context.Context, path string) error {
		r := c.server.request(ctx, http.MethodHead, path, c.server.header, nil)
		res, err := c.transport.RoundTrip(r)
		if err != nil {
			return err
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return mismatch("stream %s was created, and HEAD answers %s", path, res.Status)
		}
		return nil
	})
}

// each does something with all streams that were made, a few at a time.
// The first error ends it.
func (c *cell) each(ctx context.Context, do func(ctx context.Context, path string) error) error {
	const workers = 8
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			for i := w; i < len(c.made) && ctx.Err() == nil; i += workers {
				if err := do(ctx, c.made[i]); err != nil {
					cancel(err)
				}
			}
		})
	}
	running.Wait()
	return context.Cause(ctx)
}

// clean deletes the streams, also when the run is being ended.
func (c *cell) clean(ctx context.Context) error {
	defer c.transport.CloseIdleConnections()
	if c.server.noop {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	err := c.each(ctx, func(ctx context.Context, path string) error {
		r := c.server.request(ctx, http.MethodDelete, path, c.server.header, nil)
		return c.server.send(c.transport, r, http.StatusNoContent, http.StatusOK, http.StatusNotFound)
	})
	if err != nil {
		return fmt.Errorf("delete the streams below %s: %w", c.prefix, err)
	}
	return nil
}
