package server

import (
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tailrace/backend/engine"
	"tailrace/backend/journal"
	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

const (
	// chunkBytes is where a response ends, at the next message boundary; clients
	// go on from Stream-Next-Offset.
	chunkBytes = 1 << 20
	// chunkDeadline is how long a client may take to receive one, and each as much of
	// a larger message.
	chunkDeadline = 2 * time.Minute
)

// head answers HEAD (PROTOCOL §5.5). It does not restart a TTL.
func (s *Server) head(w http.ResponseWriter, r *http.Request, path string) error {
	rd, err := s.o.Engine.OpenReader(path)
	if err != nil {
		return err
	}
	defer rd.Close()
	st, err := rd.State()
	if err != nil {
		return err
	}
	journal.Of(w).Decide(readOutcome(journal.Read, st, st.Tail, st.Tail))
	h := w.Header()
	describe(h, st)
	set(h, protocol.HeaderStreamNextOffset, st.TailOffset().String())
	// The tag of a read from the start, where one answer holds the whole stream.
	etag := protocol.ETag(st.ID, st.CreatedAt, 0, st.Tail, st.Closed)
	set(h, "ETag", etag)
	h["Cache-Control"] = valueNoStore
	if st.Closed {
		h[protocol.HeaderStreamClosed] = valueTrue
	}
	if unchanged(r, etag) {
		w.WriteHeader(http.StatusNotModified)
	} else {
		w.WriteHeader(http.StatusOK)
	}
	return nil
}

// readRequest is a parsed GET.
type readRequest struct {
	offset protocol.OffsetQuery
	live   string // empty, protocol.LiveLongPoll or protocol.LiveSSE
	cursor string
}

// read answers GET in its three modes (PROTOCOL §5.6–5.8).
func (s *Server) read(w http.ResponseWriter, r *http.Request, path string) error {
	// That the stream is missing comes before what the parameters look like.
	rd, err := s.o.Engine.OpenReader(path)
	if err != nil {
		return err
	}
	defer rd.Close()
	req, err := parseRead(r.URL.RawQuery)
	if err != nil {
		return err
	}
	st, err := rd.State()
	if err != nil {
		return err
	}
	from, err := startOf(st, req.offset)
	if err != nil {
		return err
	}
	switch req.live {
	case protocol.LiveLongPoll:
		return s.longPoll(w, r, rd, req, from)
	case protocol.LiveSSE:
		return s.sse(w, r, rd, req, from)
	}
	rd.Touch()
	return s.catchUp(w, r, rd, st, req, from)
}

func parseRead(rawQuery string) (readRequest, error) {
	q, err := url.ParseQuery(rawQuery)
	if err != nil {
		return readRequest{}, &protocol.BadRequestError{Field: "query", Reason: "not a valid query string; separate parameters with & and escape other characters"}
	}
	for _, name := range []string{protocol.QueryOffset, protocol.QueryLive, protocol.QueryCursor} {
		if len(q[name]) > 1 {
			return readRequest{}, &protocol.BadRequestError{Field: name, Reason: "given more than once"}
		}
	}
	req := readRequest{offset: protocol.OffsetQuery{Start: true}, cursor: q.Get(protocol.QueryCursor)}
	if live, ok := q[protocol.QueryLive]; ok {
		req.live = live[0]
		if req.live != protocol.LiveLongPoll && req.live != protocol.LiveSSE {
			return readRequest{}, &protocol.BadRequestError{Field: protocol.QueryLive, Reason: "expected long-poll or sse"}
		}
		if !q.Has(protocol.QueryOffset) {
			return readRequest{}, &protocol.BadRequestError{Field: protocol.QueryOffset, Reason: "required with live; use -1, now, or a token from Stream-Next-Offset"}
		}
	}
	if q.Has(protocol.QueryOffset) {
		if req.offset, err = protocol.ParseOffset(q.Get(protocol.QueryOffset)); err != nil {
			return readRequest{}, err
		}
	}
	return req, nil
}

// Waits reports whether a request may wait for data, or for a fault.
func (s *Server) Waits(r *http.Request) bool {
	query := r.URL.RawQuery
	live := r.Method == http.MethodGet && (strings.Contains(query, protocol.QueryLive+"=") || strings.Contains(query, "%"))
	return live || s.o.Faults.Any()
}

// startOf is the position that an offset means in a stream.
func startOf(st *engine.State, q protocol.OffsetQuery) (int64, error) {
	switch {
	case q.Start:
		return 0, nil
	case q.Now:
		return st.Tail, nil
	case q.Offset.Incarnation < st.Incarnation:
		return 0, protocol.ErrOffsetGone
	case q.Offset.Incarnation > st.Incarnation || q.Offset.Position > st.Tail:
		return 0, &protocol.BadRequestError{Field: protocol.QueryOffset, Reason: "beyond the end of the stream, which is " + st.TailOffset().String()}
	}
	return q.Offset.Position, nil
}

// catchUp answers with what there is from a position on, up to a chunk.
func (s *Server) catchUp(w http.ResponseWriter, r *http.Request, rd *engine.Reader, st *engine.State, req readRequest, from int64) error {
	h := w.Header()
	h["Cache-Control"] = valueNoStore
	if req.offset.Now {
		journal.Of(w).Decide(readOutcome(journal.Read, st, from, from))
		writeChunk(w, st, nil, from)
		return nil
	}
	pieces, err := rd.Read(st, from, chunkBytes)
	if err != nil {
		return err
	}
	next := endOf(pieces, from)
	etag := protocol.ETag(st.ID, st.CreatedAt, from, next, st.Closed && next == st.Tail)
	set(h, "ETag", etag)
	set(h, "Cache-Control", s.o.CacheControl)
	if unchanged(r, etag) {
		journal.Of(w).Decide(readOutcome(journal.Unchanged, st, from, next))
		setPosition(h, st, next)
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	journal.Of(w).Decide(readOutcome(journal.Read, st, from, next))
	writeChunk(w, st, pieces, next)
	return nil
}

// unchanged reports whether the client has what a tag names.
func unchanged(r *http.Request, etag string) bool {
	match := strings.Join(r.Header.Values("If-None-Match"), ",")
	return match != "" && protocol.MatchETag(match, etag)
}

// endOf is the position behind pieces that begin at from.
func endOf(pieces []store.Piece, from int64) int64 {
	if len(pieces) == 0 {
		return from
	}
	return pieces[len(pieces)-1].End
}

// setPosition sets the headers that tell where a response ends.
func setPosition(h http.Header, st *engine.State, next int64) {
	set(h, protocol.HeaderStreamNextOffset, st.Offset(next).String())
	if next == st.Tail {
		h[protocol.HeaderStreamUpToDate] = valueTrue
		if st.Closed {
			h[protocol.HeaderStreamClosed] = valueTrue
		}
	}
}

// writeChunk writes a 200 with pieces that end at next. A client that goes away
// is not an error.
func writeChunk(w http.ResponseWriter, st *engine.State, pieces []store.Piece, next int64) {
	h := w.Header()
	set(h, "Content-Type", st.ContentType)
	setPosition(h, st, next)
	json := st.Kind == protocol.KindJSON
	size := 0
	for _, p := range pieces {
		size += len(p.Data)
	}
	if json {
		size += 2 + max(0, len(pieces)-1) // brackets and commas
		set(h, "Content-Type", "application/json")
	}
	set(h, "Content-Length", strconv.Itoa(size))
	// Without support for deadlines the server's own limits apply.
	rc := http.NewResponseController(w)
	_ = rc.SetWriteDeadline(time.Now().Add(chunkDeadline))
	w.WriteHeader(http.StatusOK)
	if len(pieces) > 1 && size <= 2*chunkBytes && writeAtOnce(w, onWire(pieces, json)) {
		return
	}
	sent := 0
	for part := range onWire(pieces, json) {
		for rest := part; len(rest) > 0; {
			if sent >= chunkBytes {
				_ = rc.SetWriteDeadline(time.Now().Add(chunkDeadline))
				sent = 0
			}
			n, err := w.Write(rest[:min(len(rest), chunkBytes)])
			if err != nil {
				return
			}
			rest, sent = rest[n:], sent+n
		}
	}
}

var (
	opening = []byte("[")
	comma   = []byte(",")
	closing = []byte("]")
)

// onWire yields the body that pieces make.
func onWire(pieces []store.Piece, json bool) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if json && !yield(opening) {
			return
		}
		for i, p := range pieces {
			if json && i > 0 && !yield(comma) || !yield(p.Data) {
				return
			}
		}
		if json {
			yield(closing)
		}
	}
}

// writeAtOnce writes the parts of a body where w takes many at once, and reports
// whether it does.
func writeAtOnce(w http.ResponseWriter, parts iter.Seq[[]byte]) bool {
	all, ok := w.(interface {
		WriteParts(iter.Seq[[]byte]) (int64, error)
	})
	if !ok {
		return false
	}
	_, err := all.WriteParts(parts)
	return !errors.Is(err, errors.ErrUnsupported)
}
