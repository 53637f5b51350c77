package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"tailrace/backend/protocol"
)

const (
	typeBytes = "application/octet-stream"
	typeText  = "text/plain"
	typeJSON  = "application/json"
)

// appends is a scenario of writers.
type appends struct {
	writers  int
	hot      bool // all on one stream
	producer bool // idempotent, each writer a producer of its own
	batch    int  // messages in a JSON array; 0: the body is one message
	body     int  // bytes of a message
	most     int  // appends, for bodies that would fill memory
}

func (a appends) run(ctx context.Context, c *cell) (Sample, error) {
	f, contentType := plain(a.body), typeBytes
	if a.batch > 0 {
		f, contentType = jsonForm(a.body), typeJSON
	}
	streams := a.writers
	if a.hot {
		streams = 1
	}
	stream := func(writer int) string { return c.path(writer % streams) }
	if err := c.create(ctx, contentType, streams); err != nil {
		return Sample{}, err
	}

	header := c.server.with("Content-Type", contentType)
	bodies := make([][]byte, a.writers)
	perAppend := max(a.batch, 1)
	m, err := c.drive(ctx, load{workers: a.writers, most: a.most, do: func(ctx context.Context, w, n int) error {
		if a.batch > 0 {
			bodies[w] = f.appendBatch(bodies[w][:0], w, n*a.batch, a.batch)
		} else {
			bodies[w] = f.append(bodies[w][:0], w, n)
		}
		h := header
		if a.producer {
			h = header.Clone()
			h.Set(protocol.HeaderProducerID, "bench-"+strconv.Itoa(w))
			h.Set(protocol.HeaderProducerEpoch, "0")
			h.Set(protocol.HeaderProducerSeq, strconv.Itoa(n))
		}
		return c.append(ctx, stream(w), h, bodies[w], a.producer)
	}})
	if err != nil {
		return Sample{}, err
	}
	if err := a.verify(ctx, c, f, stream, m.done, perAppend); err != nil {
		return Sample{}, err
	}
	return m.sample(), nil
}

// verify reads back what was acknowledged.
func (a appends) verify(ctx context.Context, c *cell, f *form, stream func(int) string, done ledger, perAppend int) error {
	if c.server.noop {
		return nil
	}
	want := map[string]ledger{}
	for w, n := range done {
		path := stream(w)
		if want[path] == nil {
			want[path] = ledger{}
		}
		want[path][w] = n * perAppend
	}
	return c.each(ctx, func(ctx context.Context, path string) error { return c.verify(ctx, path, f, want[path]) })
}

// verify compares a stream with what was acknowledged.
func (c *cell) verify(ctx context.Context, path string, f *form, want ledger) error {
	r := c.read(ctx, path)
	if err := errors.Join(f.check(want, f.split(r)), r.Close()); err != nil {
		return fmt.Errorf("stream %s: %w", path, err)
	}
	return nil
}

// append sends one append. A new one of a producer is answered with 200, a
// repeated one with 204 (PROTOCOL §5.2.1).
func (c *cell) append(ctx context.Context, path string, h http.Header, body []byte, producer bool) error {
	r := c.server.request(ctx, http.MethodPost, path, h, body)
	if producer && !c.server.noop {
		return c.server.send(c.transport, r, http.StatusOK)
	}
	return c.server.send(c.transport, r, http.StatusNoContent, http.StatusOK)
}

// creates measures how fast streams are made.
func creates(ctx context.Context, c *cell) (Sample, error) {
	const workers = 16
	header := c.server.with("Content-Type", typeBytes)
	m, err := c.drive(ctx, load{workers: workers, most: 20_000, do: func(ctx context.Context, w, n int) error {
		return c.put(ctx, c.path(n*workers+w), header)
	}})
	if err != nil {
		return Sample{}, err
	}
	return m.sample(), c.verifyCreated(ctx)
}
