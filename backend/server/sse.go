package server

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"tailrace/backend/engine"
	"tailrace/backend/journal"
	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

const (
	// sseChunkBytes is how much one data event carries at most; JSON, whose messages
	// stay whole, give or take a message.
	sseChunkBytes = 256 << 10
	// sseKeepAlive is how often a comment shows that an idle connection lives.
	sseKeepAlive = 15 * time.Second
	// sseWriteDeadline is how long a client may take at least to receive one event, and
	// half of how long it may take at most.
	sseWriteDeadline = 30 * time.Second
)

// sse answers with an event stream: what lies behind from, then what is appended
// (PROTOCOL §5.8). It ends when the stream is closed or gone, when the client
// has left, and after the maximum age.
func (s *Server) sse(w http.ResponseWriter, r *http.Request, rd *engine.Reader, req readRequest, from int64) error {
	st, err := rd.State()
	if err != nil {
		return err
	}
	reader, ctx, err := s.readers.enter(w, r, st, from, true)
	if err != nil {
		return err
	}
	defer s.readers.leave(reader)
	rd.Follow()
	if st, err = rd.State(); err != nil {
		return err
	}
	if from < st.Tail {
		// What has gone cold may be out of reach, which can only be said before the
		// response begins.
		if _, err := rd.Read(st, from, 1); err != nil {
			return err
		}
	}
	h := w.Header()
	set(h, "Content-Type", "text/event-stream")
	set(h, "Cache-Control", "no-cache")
	set(h, "X-Accel-Buffering", "no")
	if st.Kind == protocol.KindBytes {
		set(h, protocol.HeaderStreamSSEDataEncoding, "base64")
	}
	w.WriteHeader(http.StatusOK)

	t := &sseTail{server: s, w: w, reader: reader, rd: rd, req: req, from: from}
	defer func() { journal.Of(w).Decide(readOutcome(journal.Live, st, from, t.from)) }()
	age := time.NewTimer(jitter(s.o.SSEMaxAge))
	defer age.Stop()
	keepAlive := time.NewTicker(sseKeepAlive)
	defer keepAlive.Stop()
	for {
		changed, more := t.step()
		if !more {
			return nil
		}
		select {
		case <-changed:
		case <-keepAlive.C:
			if !t.send([]byte(":\n\n")) {
				return nil
			}
		case <-age.C:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// jitter spreads reconnections: d give or take a twelfth.
func jitter(d time.Duration) time.Duration {
	spread := int64(d / 12)
	return d + time.Duration(rand.Int64N(2*spread+1)-spread)
}

// sseTail is one SSE reader. Once the response has begun, errors can only end
// it: nothing of ours may stand in the client's stream.
type sseTail struct {
	server   *Server
	w        http.ResponseWriter
	reader   *Reader
	rd       *engine.Reader
	req      readRequest
	from     int64     // position of the next byte to send
	began    bool      // a control event has been sent
	deadline time.Time // of writes
	// pieces are what was read last: a large message is sent in parts, and must not
	// be loaded for each of them.
	pieces []store.Piece
}

// ready is a channel for those who need not wait.
var ready = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// step sends the next events, if there are any. It returns a channel to wait on
// before the next step, or false when the response is over.
func (t *sseTail) step() (changed <-chan struct{}, more bool) {
	st, changed, err := t.rd.Current()
	if err != nil {
		return nil, false
	}
	if t.from == st.Tail && t.began && !st.Closed {
		return changed, true
	}
	f := t.frame(st)
	if f.Err != nil {
		if !errors.Is(f.Err, protocol.ErrNotFound) {
			t.server.o.Log.Error("a live reader could not go on", "path", st.Path, "error", f.Err)
		}
		return nil, false
	}
	t.from = f.Next
	if len(f.Bytes) > 0 {
		t.began = true
		if !t.send(f.Bytes) {
			return nil, false
		}
	}
	if f.AtTail {
		return changed, !st.Closed
	}
	return ready, true
}

// frame is what to send next. Readers that are at the same place of a stream share
// it, however many they are.
func (t *sseTail) frame(st *engine.State) engine.Frame {
	at := engine.FrameKey{From: t.from, Cursor: t.server.cursor(t.req)}
	if !t.began || t.from == st.Tail {
		return t.encode(st, at)
	}
	return t.rd.Frame(st, at, t.encode)
}

// encode makes the data event with what lies behind at.From, if there is anything,
// and the control event that goes with it. Nothing is made when there is nothing
// to tell.
func (t *sseTail) encode(st *engine.State, at engine.FrameKey) engine.Frame {
	var data []byte
	next := at.From
	if at.From < st.Tail {
		pieces, err := t.rd.Read(st, at.From, sseChunkBytes)
		if err != nil {
			return engine.Frame{Err: err}
		}
		t.pieces = pieces
		cut(st.Kind, pieces, at.From+sseChunkBytes)
		next = endOf(pieces, at.From)
		data = join(st.Kind, pieces)
	}
	f := engine.Frame{Next: next, AtTail: next == st.Tail}
	// The last bytes of a text may be the beginning of a character or of a line end
	// whose rest comes with the next append.
	if st.Kind == protocol.KindText && !(st.Closed && f.AtTail) {
		whole := protocol.CompleteText(data)
		f.Next -= int64(len(data) - whole)
		data = data[:whole]
	}
	if len(data) == 0 && t.began && !(f.AtTail && st.Closed) {
		return f
	}
	if len(data) > 0 {
		f.Bytes = protocol.AppendSSEData(f.Bytes, st.Kind, data)
	}
	f.Bytes = protocol.AppendSSEControl(f.Bytes, protocol.SSEControl{
		Next:     st.Offset(f.Next),
		Cursor:   at.Cursor,
		UpToDate: f.AtTail, // what is held back cannot be had
		Closed:   f.AtTail && st.Closed,
	})
	return f
}

func (t *sseTail) send(b []byte) bool {
	now := time.Now()
	if t.deadline.Sub(now) < sseWriteDeadline { // one for each event would cost as much as waking the reader
		t.deadline = now.Add(2 * sseWriteDeadline)
		_ = t.reader.rc.SetWriteDeadline(t.deadline) // without support for them the server's own limits apply
	}
	t.reader.writing.Store(now.UnixNano())
	defer t.reader.writing.Store(0)
	if _, err := t.w.Write(b); err != nil || t.reader.rc.Flush() != nil {
		return false
	}
	t.reader.at.Store(t.from)
	t.reader.sent.Add(int64(len(b)))
	t.reader.writes.Add(1)
	return true
}

// cut ends pieces at a position, unless they are JSON, whose messages stay whole.
// Only the last one can reach beyond.
func cut(k protocol.Kind, pieces []store.Piece, end int64) {
	if len(pieces) == 0 || k == protocol.KindJSON {
		return
	}
	last := &pieces[len(pieces)-1]
	if over := last.End - end; over > 0 {
		last.Data, last.End = last.Data[:int64(len(last.Data))-over], end
	}
}

// join returns the pieces as one run of bytes.
func join(k protocol.Kind, pieces []store.Piece) []byte {
	if len(pieces) == 1 {
		return pieces[0].Data
	}
	size := len(pieces)
	for _, p := range pieces {
		size += len(p.Data)
	}
	out := make([]byte, 0, size)
	for i, p := range pieces {
		if i > 0 && k == protocol.KindJSON {
			out = append(out, ',')
		}
		out = append(out, p.Data...)
	}
	return out
}
