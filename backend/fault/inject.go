package fault

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// Inject does to a request what the fault says. It answers itself through w, or has
// serve carry the request out and answer through behind, or what it makes of that. It does not return when the
// connection is to be closed: it panics with [http.ErrAbortHandler], which net/http
// takes for just that.
func (f *Fault) Inject(w, behind http.ResponseWriter, r *http.Request, serve func(http.ResponseWriter, *http.Request)) {
	switch f.Kind {
	case Status:
		f.answer(w)
	case Delay:
		select {
		case <-time.After(f.wait()):
			serve(behind, r)
		case <-r.Context().Done():
		}
	case DropBefore:
		panic(http.ErrAbortHandler)
	case DropAfter:
		// A read takes no effect, and one that is live would go on for nobody.
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			serve(&nowhere{behind}, r)
		}
		panic(http.ErrAbortHandler)
	case Cut:
		serve(&cutter{ResponseWriter: behind, left: f.Bytes, half: f.Bytes == 0}, r)
	case Timeout:
		ctx, cancel := context.WithTimeout(r.Context(), f.wait())
		defer cancel()
		serve(behind, r.WithContext(ctx))
	case Kill:
		ctx, cancel := context.WithTimeout(r.Context(), f.wait())
		defer cancel()
		serve(&mortal{ResponseWriter: behind, ctx: ctx}, r.WithContext(ctx))
		if ctx.Err() != nil && r.Context().Err() == nil {
			panic(http.ErrAbortHandler)
		}
	}
}

// answer is the reply of a Status fault.
func (f *Fault) answer(w http.ResponseWriter) {
	h := w.Header()
	if f.RetryAfter > 0 {
		h.Set("Retry-After", fmt.Sprint(f.RetryAfter))
	}
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(f.Status)
	// A client that does not read its error cannot be told.
	_, _ = fmt.Fprintf(w, `{"error":{"code":"INJECTED_FAULT","message":"this server was told to answer %d; disarm the fault in the inspector"}}`+"\n", f.Status)
}

// nowhere takes an answer that nobody gets. What it unwraps to still has the
// deadlines of the request's body.
type nowhere struct{ http.ResponseWriter }

func (n *nowhere) WriteHeader(int)             {}
func (n *nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n *nowhere) FlushError() error           { return nil }
func (n *nowhere) Unwrap() http.ResponseWriter { return n.ResponseWriter }

// cutter lets a number of bytes pass.
type cutter struct {
	http.ResponseWriter
	left int64
	half bool // of the first piece that can be halved
}

func (c *cutter) Write(b []byte) (int, error) {
	if c.half {
		if len(b) < 2 {
			return c.ResponseWriter.Write(b)
		}
		c.left, c.half = int64(len(b)/2), false
	}
	if int64(len(b)) <= c.left {
		c.left -= int64(len(b))
		return c.ResponseWriter.Write(b)
	}
	_, _ = c.ResponseWriter.Write(b[:c.left]) // it ends here, whether that arrives or not
	_ = http.NewResponseController(c.ResponseWriter).Flush()
	panic(http.ErrAbortHandler)
}

func (c *cutter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// mortal lets nothing pass once its time is up.
type mortal struct {
	http.ResponseWriter
	ctx context.Context //nolint:containedctx // lives as long as the request
}

func (m *mortal) Write(b []byte) (int, error) {
	if m.ctx.Err() != nil {
		panic(http.ErrAbortHandler)
	}
	return m.ResponseWriter.Write(b)
}

func (m *mortal) Unwrap() http.ResponseWriter { return m.ResponseWriter }
