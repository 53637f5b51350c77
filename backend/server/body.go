package server

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"tailrace/backend/journal"
	"tailrace/backend/protocol"
)

// body reads a request body of any framing, up to the limit and as long as it
// keeps coming. It never trusts Content-Length for more memory than has arrived,
// and never inflates.
func (s *Server) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	return s.bodyWithin(w, r, &protocol.LimitError{
		Limit: "max_body_bytes", Max: s.o.Limits.BodyBytes, Status: http.StatusRequestEntityTooLarge,
	})
}

// bodyWithin is body with another limit.
func (s *Server) bodyWithin(w http.ResponseWriter, r *http.Request, limit *protocol.LimitError) ([]byte, error) {
	if r.ContentLength > limit.Max {
		return nil, limit
	}
	if r.ContentLength == 0 {
		return nil, nil
	}
	encoding := strings.Join(r.Header.Values("Content-Encoding"), ", ")
	if encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, errEncoded
	}
	paced := &pacedReader{r: r.Body, rc: http.NewResponseController(w), pause: s.o.BodyTimeout}
	if r.ContentLength < 0 {
		paced.r = http.MaxBytesReader(inner(w), r.Body, limit.Max)
	}
	data, err := readAll(paced, r.ContentLength)
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		// Only what is complete is free of the deadline: net/http would wait for the
		// rest of what is not. Without support for deadlines there is none to lift.
		_ = paced.rc.SetReadDeadline(time.Time{})
		journal.Of(w).Got(len(data))
		return data, nil
	case errors.As(err, &tooLarge):
		return nil, limit
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, errSlow
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, &protocol.BadRequestError{Field: "body", Reason: "ended before it was complete; nothing was written"}
	default:
		return nil, &protocol.BadRequestError{Field: "body", Reason: "could not be read: " + err.Error()}
	}
}

// inner is the writer of net/http: it is told when a body is too large, so that
// the connection ends.
func inner(w http.ResponseWriter) http.ResponseWriter {
	if x := journal.Of(w); x != nil {
		return x.Unwrap()
	}
	return w
}

// readAll reads a body whose length is claimed to be length; -1: unknown. The log
// keeps short bodies in memory for a while, so they are no larger than they must
// be.
func readAll(r io.Reader, length int64) ([]byte, error) {
	const presize = 1 << 20
	if length > 0 && length <= presize {
		data := make([]byte, length)
		_, err := io.ReadFull(r, data)
		return data, err
	}
	var b bytes.Buffer
	if length > 0 {
		b.Grow(presize)
	}
	_, err := b.ReadFrom(r)
	return b.Bytes(), err
}

// pacedReader gives up when a body pauses for too long.
type pacedReader struct {
	r     io.Reader
	rc    *http.ResponseController
	pause time.Duration
	next  time.Time // when the deadline is due to be moved
}

func (p *pacedReader) Read(b []byte) (int, error) {
	// Moving the deadline costs a system call's worth; a second's precision will do.
	if now := time.Now(); now.After(p.next) {
		// Without support for deadlines the server's own limits apply.
		_ = p.rc.SetReadDeadline(now.Add(p.pause))
		p.next = now.Add(time.Second)
	}
	return p.r.Read(b)
}
