package wire

import (
	"errors"
	"iter"
	"net"
)

const (
	// smallPart is up to where copying a part is cheaper than a place of its own in a
	// system call.
	smallPart = 4 << 10
	// copiedBlocks is how many full buffers of small parts wait for a system call.
	copiedBlocks = 8
)

// WriteParts writes parts of a body of known length, all of them in one system call
// where that can be: after each one the client runs, and finds little to read.
// Nobody may change the parts before it returns. It returns [errors.ErrUnsupported],
// and has written nothing, for answers without a body or of unknown length.
func (w *response) WriteParts(parts iter.Seq[[]byte]) (n int64, err error) {
	if w.status == 0 || w.left < 0 || w.forHead {
		return 0, errors.ErrUnsupported
	}
	w.frame(false)
	g := gathered{w: w}
	defer g.drop()
	for p := range parts {
		if int64(len(p)) > w.left {
			if err = g.send(); err == nil {
				_, err = w.Write(p) // says what is wrong
			}
			return n, err
		}
		w.left -= int64(len(p))
		if err = g.add(p); err != nil {
			return n, err
		}
		n += int64(len(p))
	}
	return n, g.send()
}

// gathered are parts on their way: small ones copied into the buffer of the
// response, large ones where they are.
type gathered struct {
	w     *response
	parts net.Buffers
	from  int       // where in the buffer that begins which is not among parts
	full  []*[]byte // buffers that parts lie in
}

func (g *gathered) add(p []byte) error {
	b := g.w.buffer()
	switch {
	case len(p) > smallPart:
		g.parts = append(g.parts, (*b)[g.from:], p)
		g.from = len(*b)
		return nil
	case len(*b)+len(p) > copyBytes:
		g.parts = append(g.parts, (*b)[g.from:])
		g.full = append(g.full, b)
		g.w.out, g.from = nil, 0
		if len(g.full) >= copiedBlocks {
			if err := g.send(); err != nil {
				return err
			}
		}
		b = g.w.buffer()
	}
	*b = append(*b, p...)
	return nil
}

// send sends all of it, and what the response had not sent before.
func (g *gathered) send() error {
	w := g.w
	if len(g.parts) == 0 {
		return w.send()
	}
	if w.out != nil {
		g.parts = append(g.parts, (*w.out)[g.from:])
	}
	if w.failed == nil {
		w.failed = w.c.writeAll(g.parts)
	}
	g.drop()
	return w.failed
}

// drop forgets what was gathered.
func (g *gathered) drop() {
	for _, b := range g.full {
		*b = (*b)[:0]
		buffers.Put(b)
	}
	clear(g.parts)
	g.parts, g.from, g.full = g.parts[:0], 0, g.full[:0]
	g.w.drop()
}

// writeAll writes buffers. They know how to do that in one system call for sockets
// only, not for what lies around one.
func (c *conn) writeAll(b net.Buffers) (err error) {
	if around, ok := c.net.(interface {
		WriteBuffers(*net.Buffers) (int64, error)
	}); ok {
		_, err = around.WriteBuffers(&b)
		return err
	}
	_, err = b.WriteTo(c.net)
	return err
}
