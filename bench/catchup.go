package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync/atomic"
)

const (
	catchupReaders  = 4
	catchupBody     = 64 << 10 // of an append to a byte stream
	catchupMessages = 1000     // in an append to a JSON stream, 100 B each
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// catchup measures how fast readers get a whole stream, again and again. What they
// get is checked while it is measured, by means that cost next to nothing: the
// checksum of bytes, the number of JSON messages. Before, it is compared in full.
func catchup(inJSON bool) func(context.Context, *cell) (Sample, error) {
	return func(ctx context.Context, c *cell) (Sample, error) {
		path := c.path(0)
		want, err := c.fill(ctx, path, inJSON)
		if err != nil {
			return Sample{}, err
		}
		var (
			received atomic.Int64
			sums     [catchupReaders]summer
		)
		for i := range sums {
			sums[i] = summer{inJSON: inJSON, received: &received, buf: make([]byte, 256<<10)}
		}
		m, err := c.drive(ctx, load{workers: catchupReaders, bytes: &received, do: func(ctx context.Context, w, _ int) error {
			return sums[w].read(c.read(ctx, path), want)
		}})
		if err != nil {
			return Sample{}, err
		}
		const mega = 1e6
		s := m.sample()
		s.Rate = float64(m.bytes) / mega / s.Seconds
		s.setCPU(m.usage.cpu, float64(m.bytes)/mega)
		return s, nil
	}
}

// fill makes a stream of the size asked for and returns the sum of what it holds.
func (c *cell) fill(ctx context.Context, path string, inJSON bool) (sum, error) {
	f, contentType, perAppend := plain(catchupBody), typeBytes, 1
	if inJSON {
		f, contentType, perAppend = jsonForm(100), typeJSON, catchupMessages
	}
	if err := c.create(ctx, contentType, 1); err != nil {
		return sum{}, err
	}
	var (
		want   sum
		n      int
		body   []byte
		header = c.server.with("Content-Type", contentType)
	)
	for size := int64(0); size < c.options.CatchupBytes; size += int64(perAppend * f.size) {
		if inJSON {
			body = f.appendBatch(body[:0], 0, n, perAppend)
		} else {
			body = f.append(body[:0], 0, n)
		}
		if err := c.append(ctx, path, header, body, false); err != nil {
			return sum{}, err
		}
		want.add(body, inJSON)
		n += perAppend
	}
	return want, c.verify(ctx, path, f, ledger{0: n})
}

// sum is what a stream comes to: of bytes their number and checksum, of JSON the
// number of messages, which hold one brace each.
type sum struct {
	messages int64
	size     int64
	crc      uint32
}

func (s *sum) add(b []byte, inJSON bool) {
	if inJSON {
		s.messages += int64(bytes.Count(b, []byte("{")))
		return
	}
	s.size += int64(len(b))
	s.crc = crc32.Update(s.crc, castagnoli, b)
}

func (s sum) text(inJSON bool) string {
	if inJSON {
		return fmt.Sprintf("%d messages", s.messages)
	}
	return fmt.Sprintf("%d bytes with checksum %08x", s.size, s.crc)
}

// summer is one reader.
type summer struct {
	inJSON   bool
	received *atomic.Int64
	buf      []byte
}

// read reads a stream to its tail and compares what it comes to.
func (s *summer) read(r io.ReadCloser, want sum) error {
	var got sum
	for {
		n, err := r.Read(s.buf)
		s.received.Add(int64(n))
		got.add(s.buf[:n], s.inJSON)
		if err == io.EOF {
			break
		}
		if err != nil {
			return errors.Join(err, r.Close())
		}
	}
	if got != want {
		return mismatch("a catch-up read got %s, the stream holds %s", got.text(s.inJSON), want.text(s.inJSON))
	}
	return r.Close()
}
