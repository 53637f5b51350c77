package bench

import (
	"context"
	"errors"
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

// create makes a stream.
func (c *cell) create(ctx context.Context, path, contentType string) error {
	return c.put(ctx, path, c.server.with("Content-Type", contentType))
}

func (c *cell) put(ctx context.Context, path string, h http.Header) error {
	c.mu.Lock()
	c.made = append(c.made, path)
	c.mu.Unlock()
	return c.server.send(c.transport, c.server.request(ctx, http.MethodPut, path, h, nil), http.StatusCreated)
}

// verifyCreated asks for each stream that was made.
func (c *cell) verifyCreated(ctx context.Context) error {
	if c.server.noop {
		return nil
	}
	return c.each(ctx, func(path string) error {
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
func (c *cell) each(ctx context.Context, do func(path string) error) error {
	const workers = 8
	var (
		running sync.WaitGroup
		errs    [workers]error
	)
	for w := range workers {
		running.Go(func() {
			for i := w; i < len(c.made) && errs[w] == nil && ctx.Err() == nil; i += workers {
				errs[w] = do(c.made[i])
			}
		})
	}
	running.Wait()
	return errors.Join(append(errs[:], ctx.Err())...)
}

// clean deletes the streams, also when the run is being ended.
func (c *cell) clean(ctx context.Context) error {
	defer c.transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	err := c.each(ctx, func(path string) error {
		r := c.server.request(ctx, http.MethodDelete, path, c.server.header, nil)
		return c.server.send(c.transport, r, http.StatusNoContent, http.StatusOK, http.StatusNotFound)
	})
	if err != nil {
		return fmt.Errorf("delete the streams below %s: %w", c.prefix, err)
	}
	return nil
}
