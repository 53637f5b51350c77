package wire

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// pendingBytes is how much of a body of unknown length is kept back, so that one
	// that is short gets its length.
	pendingBytes = 2 << 10
	// copyBytes is up to where copying is cheaper than another system call.
	copyBytes = 32 << 10
)

// response is the answer to the request under way. It implements what
// http.ResponseController looks for.
type response struct {
	c       *conn
	header  http.Header
	forHead bool    // the request is a HEAD
	status  int     // 0: not begun
	typed   bool    // a Content-Type was given
	left    int64   // of a body of known length; -1: not known
	framed  bool    // the head is complete
	chunked bool    // the length is not known before the end
	pending []byte  // of the body, while the head is not complete
	out     *[]byte // what is not sent yet; nil: nothing
	failed  error   // of the connection
	last    bool    // no other request may follow
	paced   bool    // there is a deadline for the body
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

func (w *response) begin(forHead bool) {
	clear(w.header)
	*w = response{c: w.c, header: w.header, forHead: forHead, pending: w.pending[:0]}
}

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header { return w.header }

// bodyless reports whether the answer has no body whatever is written.
func (w *response) bodyless() bool {
	return w.status == http.StatusNoContent || w.status == http.StatusNotModified
}

// WriteHeader implements http.ResponseWriter. There are no informational answers
// here: what asks for one is not plain.
func (w *response) WriteHeader(status int) {
	if w.status != 0 || status < http.StatusOK {
		return
	}
	w.status, w.left = status, -1
	if w.out == nil {
		w.out = buffers.Get().(*[]byte)
	}
	b := append(*w.out, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	if text := http.StatusText(status); text != "" {
		b = append(b, text...)
	} else {
		b = strconv.AppendInt(append(b, "status code "...), int64(status), 10)
	}
	b = append(append(b, "\r\nDate: "...), date()...)
	b = append(b, "\r\n"...)
	var names [32]string
	sorted := names[:0]
	for name := range w.header {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted)
	for _, name := range sorted {
		for _, value := range w.header[name] {
			switch name {
			case "Connection":
				w.last = true // there is nothing else to say about it
				continue
			case "Content-Type":
				w.typed = true
			case "Content-Length":
				length, err := strconv.ParseInt(value, 10, 64)
				if err != nil || length < 0 || w.bodyless() {
					continue
				}
				w.left = length
			}
			b = append(append(b, name...), ": "...)
			b = append(appendValue(b, value), "\r\n"...)
		}
	}
	*w.out = b
}

// appendValue keeps a value on its line.
func appendValue(b []byte, value string) []byte {
	if strings.ContainsAny(value, "\r\n") {
		value = strings.NewReplacer("\r", " ", "\n", " ").Replace(value)
	}
	return append(b, value...)
}

// frame ends the head, once the body of the request has been read: a client that
// does not read before it has written all must not wait for us. A body of unknown length is chunked, unless what is pending
// is all of it.
func (w *response) frame(whole bool) {
	if w.framed {
		return
	}
	w.framed = true
	w.last = !w.c.body.drain() || w.last || w.c.s.closing.Load()
	b := *w.out
	if !w.typed && len(w.pending) > 0 {
		b = append(append(b, "Content-Type: "...), http.DetectContentType(w.pending)...)
		b = append(b, "\r\n"...)
	}
	switch {
	case w.bodyless() || w.left >= 0 || w.forHead && (!whole || len(w.pending) == 0):
	case whole:
		b = append(b, "Content-Length: "...)
		b = append(strconv.AppendInt(b, int64(len(w.pending)), 10), "\r\n"...)
	default:
		w.chunked = true
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	if w.last {
		b = append(b, "Connection: close\r\n"...)
	}
	*w.out = append(b, "\r\n"...)
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.failed != nil {
		return 0, w.failed
	}
	if w.bodyless() {
		return 0, http.ErrBodyNotAllowed
	}
	if w.left >= 0 {
		w.frame(false)
		if int64(len(p)) > w.left {
			// The client cannot know that this is the end.
			if !w.forHead && w.send() == nil {
				w.failed = http.ErrContentLength
			}
			return 0, http.ErrContentLength
		}
		w.left -= int64(len(p))
		if w.forHead {
			return len(p), nil
		}
		return sent(p, w.put(p))
	}
	if !w.framed && len(w.pending)+len(p) <= pendingBytes {
		w.pending = append(w.pending, p...)
		return len(p), nil
	}
	w.release()
	return sent(p, w.chunk(p))
}

// sent is what Write returns for p.
func sent(p []byte, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// release ends the head of a body of unknown length, and lets go what was pending.
func (w *response) release() {
	if w.framed {
		return
	}
	w.frame(false)
	_ = w.chunk(w.pending) // w.failed tells
	w.pending = w.pending[:0]
}

// chunk puts a piece of a body of unknown length behind what is not sent yet.
func (w *response) chunk(p []byte) error {
	if len(p) == 0 || !w.chunked {
		return w.failed
	}
	b := w.buffer()
	*b = append(strconv.AppendInt(*b, int64(len(p)), 16), "\r\n"...)
	if err := w.put(p); err != nil {
		return err
	}
	b = w.buffer()
	*b = append(*b, "\r\n"...)
	return nil
}

func (w *response) buffer() *[]byte {
	if w.out == nil {
		w.out = buffers.Get().(*[]byte)
	}
	return w.out
}

// put sends p behind what is not sent yet, or keeps it if it is short.
func (w *response) put(p []byte) error {
	b := w.buffer()
	if len(*b)+len(p) <= copyBytes {
		*b = append(*b, p...)
		return w.failed
	}
	if err := w.send(); err != nil {
		return err
	}
	_, w.failed = w.c.net.Write(p)
	return w.failed
}

// send sends what is not sent yet.
func (w *response) send() error {
	if w.out == nil {
		return w.failed
	}
	if w.failed == nil && len(*w.out) > 0 {
		_, w.failed = w.c.net.Write(*w.out)
	}
	w.drop()
	return w.failed
}

// drop forgets what is not sent yet.
func (w *response) drop() {
	if w.out != nil {
		*w.out = (*w.out)[:0]
		buffers.Put(w.out)
		w.out = nil
	}
}

// FlushError sends what has been written.
func (w *response) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.release()
	return w.send()
}

// SetReadDeadline bounds the reading of the request's body. When that is here
// already, there is nothing to bound.
func (w *response) SetReadDeadline(t time.Time) error {
	if !w.paced && w.c.body.arrived() {
		return nil
	}
	w.paced = !t.IsZero()
	return w.c.net.SetReadDeadline(t)
}

// SetWriteDeadline bounds the sending of the answer. Others than the handler may
// call it, too, until that returns.
func (w *response) SetWriteDeadline(t time.Time) error {
	w.c.timed.Store(true)
	return w.c.net.SetWriteDeadline(t)
}

// finish sends the rest of the answer, and reports whether another request may
// follow it.
func (w *response) finish() bool {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.framed {
		w.frame(true)
		if !w.forHead {
			_ = w.put(w.pending) // w.failed tells
		}
	}
	if w.chunked {
		b := w.buffer()
		*b = append(*b, "0\r\n\r\n"...)
	}
	err := w.send()
	if w.c.timed.Swap(false) && err == nil {
		err = w.c.net.SetWriteDeadline(time.Time{})
	}
	if w.paced && err == nil {
		err = w.c.net.SetReadDeadline(time.Time{})
	}
	short := w.left > 0 && !w.forHead
	return err == nil && !short && !w.last
}

// second is a moment as Date shows it.
type second struct {
	unix int64
	text string
}

var lastSecond atomic.Pointer[second]

// date is the value of Date (RFC 9110 §6.6.1).
func date() string {
	now := time.Now()
	s := lastSecond.Load()
	if s == nil || s.unix != now.Unix() {
		s = &second{now.Unix(), now.UTC().Format(http.TimeFormat)}
		lastSecond.Store(s)
	}
	return s.text
}
