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
// Nobody may change the parts before it returns, and it tells how much of them has been
// sent. It returns [errors.ErrUnsupported], and has written nothing, for answers
// without a body or of unknown length.
func (w *response) WriteParts(parts iter.Seq[[]byte]) (n int64, err error) {
	if w.status == 0 || w.left < 0 || w.forHead {
		return 0, errors.ErrUnsupported
	}
	w.frame(false)
	g := gathered{w: w, before: int64(len(*w.buffer()))}
	defer g.drop()
	for p := range parts {
		if int64(len(p)) > w.left {
			if err = g.send(); err == nil {
				_, err = w.Write(p) // says what is wrong
			}
			return g.sent, err
		}
		w.left -= int64(len(p))
		if err = g.add(p); err != nil {
			return g.sent, err
		}
	}
	err = g.send()
	return g.sent, err
}

// gathered are parts on their way: small ones copied into the buffer of the
// response, large ones where they are.
type gathered struct {
	w     *response
	parts net.Buffers
	from  int       // where in the buffer that begins which is not among parts
	full  []*[]byte // buffers that parts lie in
	// sent are the bytes of parts that are on their way, before those of the response
	// that come first and are none.
	sent, before int64
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
	if w.out != nil {
		g.parts = append(g.parts, (*w.out)[g.from:])
	}
	if w.failed == nil {
		var n int64
		n, w.failed = w.c.writeAll(g.parts)
		g.sent += max(n-g.before, 0)
		g.before = max(g.before-n, 0)
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
func (c *conn) writeAll(b net.Buffers) (int64, error) {
	if around, ok := c.net.(interface {
		WriteBuffers(*net.Buffers) (int64, error)
	}); ok {
		return around.WriteBuffers(&b)
	}
	return b.WriteTo(c.net)
}
