package server

import (
	"math/rand/v2"
	"net/http"
	"time"

	"tailrace/backend/engine"
	"tailrace/backend/journal"
	"tailrace/backend/protocol"
)

// longPoll answers at once when there is data behind from, else as soon as there
// is some, the stream is closed or gone, or the time is up (PROTOCOL §5.7).
func (s *Server) longPoll(w http.ResponseWriter, r *http.Request, rd *engine.Reader, req readRequest, from int64) error {
	st, err := rd.State()
	if err != nil {
		return err
	}
	reader, ctx, err := s.readers.enter(w, r, st, from, false)
	if err != nil {
		return err
	}
	defer s.readers.leave(reader)
	rd.Follow()
	timeout := time.NewTimer(s.o.LongPollTimeout)
	defer timeout.Stop()
	for {
		st, changed, err := rd.Current()
		if err != nil {
			return err
		}
		if from < st.Tail {
			return s.longPollData(w, rd, st, req, from)
		}
		if st.Closed {
			s.longPollEmpty(w, st, req)
			return nil
		}
		select {
		case <-changed:
		case <-timeout.C:
			s.longPollEmpty(w, st, req)
			return nil
		case <-ctx.Done():
			// The client has left, was disconnected, or the server is stopping: up to date
			// all the same.
			s.longPollEmpty(w, st, req)
			return nil
		}
	}
}

func (s *Server) longPollData(w http.ResponseWriter, rd *engine.Reader, st *engine.State, req readRequest, from int64) error {
	pieces, err := rd.Read(st, from, chunkBytes)
	if err != nil {
		return err
	}
	h := w.Header()
	next := endOf(pieces, from)
	set(h, "ETag", protocol.ETag(st.ID, st.CreatedAt, from, next, st.Closed && next == st.Tail))
	set(h, "Cache-Control", s.o.CacheControl)
	set(h, protocol.HeaderStreamCursor, s.cursor(req))
	journal.Of(w).Decide(readOutcome(journal.Live, st, from, next))
	writeChunk(w, st, pieces, next)
	return nil
}

// longPollEmpty answers 204: nothing behind the tail.
func (s *Server) longPollEmpty(w http.ResponseWriter, st *engine.State, req readRequest) {
	journal.Of(w).Decide(readOutcome(journal.Live, st, st.Tail, st.Tail))
	h := w.Header()
	h["Cache-Control"] = valueNoStore
	setPosition(h, st, st.Tail)
	if !st.Closed {
		set(h, protocol.HeaderStreamCursor, s.cursor(req))
	}
	w.WriteHeader(http.StatusNoContent)
}

// cursor is the cursor of a live response (PROTOCOL §10.1). Cursors never go
// back, not even when the clock does.
func (s *Server) cursor(req readRequest) string {
	now := s.o.Now().Unix()
	for {
		latest := s.latest.Load()
		if now <= latest {
			now = latest
			break
		}
		if s.latest.CompareAndSwap(latest, now) {
			break
		}
	}
	return protocol.NextCursor(time.Unix(now, 0), req.cursor, 1+rand.IntN(3600))
}
