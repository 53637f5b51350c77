package inspect

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tailrace/backend/engine"
	"tailrace/backend/protocol"
	"tailrace/backend/server"
	"tailrace/backend/store"
)

type readersInput struct {
	Stream string `query:"stream" doc:"Only those of this stream."`
	Text   string `query:"text" doc:"In the path, the address, the User-Agent or the name and pid of the local program, whatever the case."`
	Mode   string `query:"mode" enum:"sse,long-poll"`
	Behind bool   `query:"behind" doc:"Only those that have not been sent everything."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"500"`
}

// ReaderList is the open live readers: those that are furthest behind first.
type ReaderList struct {
	At       int64        `json:"at" doc:"Unix milliseconds."`
	All      int          `json:"all" doc:"Of the stream, else of all."`
	Matched  int          `json:"matched" doc:"Those that the filter selects."`
	SSE      int          `json:"sse"`
	LongPoll int          `json:"long_poll"`
	Behind   int          `json:"behind" doc:"Those that have not been sent everything."`
	Readers  []LiveReader `json:"readers" nullable:"false"`
}

// LiveReader is an open long-poll or SSE response. It counts as read what was
// handed to its connection.
type LiveReader struct {
	ID       uint64   `json:"id"`
	Stream   string   `json:"stream"`
	Mode     string   `json:"mode" enum:"sse,long-poll"`
	Offset   string   `json:"offset" doc:"Token of the position behind what was sent."`
	From     string   `json:"from" doc:"Token of the position that it asked for."`
	Tail     string   `json:"tail"`
	Messages int64    `json:"messages" doc:"How many it has not been sent."`
	Bytes    int64    `json:"bytes" doc:"Their size."`
	Seconds  float64  `json:"seconds" doc:"The age of the oldest of them; 0: there is none."`
	Stuck    float64  `json:"stuck" doc:"For how many seconds its client has taken nothing of what it is being sent; 0: it takes what there is."`
	Began    int64    `json:"began" doc:"Unix milliseconds."`
	Sent     int64    `json:"sent" doc:"Bytes, in their encoding."`
	Events   int64    `json:"events" doc:"How often something was sent."`
	Remote   string   `json:"remote" doc:"Address of the client."`
	Agent    string   `json:"agent" doc:"Its User-Agent."`
	Process  *Process `json:"process" doc:"The local program at that address; null: not known."`

	position int64 // behind what was sent
}

type readersOutput struct{ Body ReaderList }

type readerInput struct {
	ID uint64 `path:"id"`
}

func (s *Server) registerReaders(api huma.API) {
	huma.Register(api, operation(http.MethodGet, "/api/readers", "listReaders", "The open live readers"), s.listReaders)
	huma.Register(api, operation(http.MethodDelete, "/api/readers/{id}", "disconnectReader", "End a live reader's response", status(http.StatusNoContent)),
		func(_ context.Context, in *readerInput) (*empty, error) {
			if !s.o.Readers.Disconnect(in.ID) {
				return nil, huma.Error404NotFound("this reader has left")
			}
			return nil, nil
		})
}

// maxLag is how many readers that are behind have their lag looked up in the log,
// each of which takes a read.
const maxLag = 100

func (s *Server) listReaders(ctx context.Context, in *readersInput) (*readersOutput, error) {
	now := s.o.Now()
	out := ReaderList{At: now.UnixMilli(), Readers: []LiveReader{}}
	states := map[string]*engine.State{}
	readers := s.o.Readers.List()
	has := s.matcher(in.Text, readers)
	for _, rd := range readers {
		if in.Stream != "" && rd.Stream != in.Stream {
			continue
		}
		st, known := states[rd.Stream]
		if !known {
			if a, ok := s.o.Engine.Activity(rd.Stream); ok {
				st = a.State
			}
			states[rd.Stream] = st
		}
		if st == nil || st.ID != rd.StreamID {
			continue // its stream has gone, and it is about to end
		}
		row := newReader(rd, st, now)
		behind := row.position < st.Tail
		out.All++
		out.count(&row, behind)
		if (in.Mode != "" && in.Mode != row.Mode) || (in.Behind && !behind) || !has(rd) {
			continue
		}
		out.Matched++
		out.Readers = append(out.Readers, row)
	}
	slices.SortStableFunc(out.Readers, func(a, b LiveReader) int { return strings.Compare(a.Stream, b.Stream) })
	if len(out.Readers) > in.Limit {
		slices.SortStableFunc(out.Readers, func(a, b LiveReader) int {
			return int(min(1, max(-1, states[b.Stream].Tail-b.position-states[a.Stream].Tail+a.position)))
		})
		out.Readers = out.Readers[:in.Limit]
	}
	return &readersOutput{Body: out}, problem(missing(s.complete(ctx, out.Readers, states, now)))
}

// matcher returns what tells whether a reader has a text. The programs behind all
// connections are looked up at once.
func (s *Server) matcher(text string, readers []*server.Reader) func(*server.Reader) bool {
	if text == "" {
		return func(*server.Reader) bool { return true }
	}
	text = strings.ToLower(text)
	addresses := make([]string, len(readers))
	for i, rd := range readers {
		addresses[i] = rd.Remote
	}
	programs := s.peers.Find(addresses...)
	return func(rd *server.Reader) bool {
		words := rd.Stream + "\n" + rd.Remote + "\n" + rd.Agent
		if p, ok := programs[rd.Remote]; ok {
			words += fmt.Sprintf("\n%s %d\npid %d", p.Name, p.PID, p.PID)
		}
		return strings.Contains(strings.ToLower(words), text)
	}
}

func (l *ReaderList) count(row *LiveReader, behind bool) {
	if row.Mode == protocol.LiveSSE {
		l.SSE++
	} else {
		l.LongPoll++
	}
	if behind {
		l.Behind++
	}
}

// complete adds what has to be looked up: how far readers are behind, and which
// programs they are.
func (s *Server) complete(ctx context.Context, rows []LiveReader, states map[string]*engine.State, now time.Time) error {
	addresses := make([]string, len(rows))
	looked := 0
	for i := range rows {
		row := &rows[i]
		addresses[i] = row.Remote
		if st := states[row.Stream]; row.position < st.Tail && looked < maxLag {
			looked++
			if err := s.lag(ctx, row, &st.Stream, now); err != nil {
				return err
			}
		}
	}
	found := s.peers.Find(addresses...)
	for i := range rows {
		rows[i].Process = newProcess(found, rows[i].Remote)
	}
	return nil
}

// lag finds the first message that a reader has not been sent whole.
func (s *Server) lag(ctx context.Context, row *LiveReader, st *store.Stream, now time.Time) error {
	ordinal, err := s.o.Store.SeekPosition(ctx, st, row.position)
	if err != nil || ordinal >= st.Messages {
		return err
	}
	batches, err := s.o.Store.Batches(ctx, st, ordinal, ordinal+1)
	if err != nil || len(batches) == 0 {
		return err
	}
	b := batches[0]
	row.Messages, row.Bytes = st.Messages-ordinal, st.Bytes-b.TotalBytes
	for i, size := range b.Payload.Sizes {
		if b.First+int64(i) >= ordinal {
			row.Bytes += int64(size)
		}
	}
	row.Seconds = max(0.001, now.Sub(time.UnixMilli(b.Time)).Seconds())
	return nil
}

func newReader(rd *server.Reader, st *engine.State, now time.Time) LiveReader {
	row := LiveReader{
		ID: rd.ID, Stream: rd.Stream, Mode: protocol.LiveLongPoll, From: st.Offset(rd.From).String(), Tail: st.TailOffset().String(),
		Began: rd.Began.UnixMilli(), Sent: rd.Sent(), Events: rd.Writes(), Remote: rd.Remote, Agent: rd.Agent,
		position: min(rd.At(), st.Tail),
	}
	if rd.SSE {
		row.Mode = protocol.LiveSSE
	}
	row.Offset = st.Offset(row.position).String()
	// A write that has only just begun is not stuck.
	if since := rd.Stuck(); !since.IsZero() && now.Sub(since) > 200*time.Millisecond {
		row.Stuck = now.Sub(since).Seconds()
	}
	return row
}
