package inspect

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"tailrace/backend/protocol"
	"tailrace/backend/server"
	"tailrace/backend/store"
)

// maxDelivery is how many readers of a message are named.
const maxDelivery = 20

// Delivery says which open readers have a message.
type Delivery struct {
	Readers   int             `json:"readers" doc:"Open live readers of the stream."`
	Delivered int             `json:"delivered" doc:"How many of them have been sent it, or began behind it."`
	List      []MessageReader `json:"list" nullable:"false" maxItems:"20" doc:"Those that lack it first, the furthest behind before the others; not all if there are many."`
}

// MessageReader is an open live reader, as far as one message is concerned.
type MessageReader struct {
	ID      uint64   `json:"id"`
	Began   int64    `json:"began" doc:"Unix milliseconds."`
	Mode    string   `json:"mode" enum:"sse,long-poll"`
	Has     bool     `json:"has" doc:"It was sent the message, or began behind it."`
	Behind  int64    `json:"behind" doc:"How many messages of the stream it has not been sent."`
	Remote  string   `json:"remote" doc:"Address of the client."`
	Agent   string   `json:"agent" doc:"Its User-Agent."`
	Process *Process `json:"process" doc:"The local program at that address; null: not known."`
}

type deliveryOutput struct{ Body Delivery }

func (s *Server) registerDelivery(api huma.API) {
	huma.Register(api, operation(http.MethodGet, "/api/streams/{path}/messages/{ordinal}/readers", "listMessageReaders",
		"Which open readers have a message"), s.delivery)
}

func (s *Server) delivery(ctx context.Context, in *originInput) (*deliveryOutput, error) {
	st, end, err := s.messageEnd(ctx, in)
	if err != nil {
		return nil, err
	}
	type reader struct {
		*server.Reader
		at int64
	}
	var readers []reader
	out := Delivery{List: []MessageReader{}}
	for _, rd := range s.readersOf(&st) {
		at := rd.At()
		readers = append(readers, reader{rd, at})
		if at >= end {
			out.Delivered++
		}
	}
	out.Readers = len(readers)
	slices.SortStableFunc(readers, func(a, b reader) int { return cmp.Compare(a.at, b.at) })
	readers = readers[:min(len(readers), maxDelivery)]
	addresses := make([]string, len(readers))
	for i, rd := range readers {
		addresses[i] = rd.Remote
		row := MessageReader{ID: rd.ID, Began: rd.Began.UnixMilli(), Mode: protocol.LiveLongPoll, Has: rd.at >= end, Remote: rd.Remote, Agent: rd.Agent}
		if rd.SSE {
			row.Mode = protocol.LiveSSE
		}
		if rd.at < st.Tail { // it may have been sent what came after the stream was loaded
			ordinal, err := s.o.Store.SeekPosition(ctx, &st, rd.at)
			if err != nil {
				return nil, problem(missing(err))
			}
			row.Behind = st.Messages - ordinal
		}
		out.List = append(out.List, row)
	}
	found := s.peers.Find(addresses...)
	for i := range out.List {
		out.List[i].Process = newProcess(found, addresses[i])
	}
	return &deliveryOutput{Body: out}, nil
}

// messageEnd loads the stream of a message and finds the position behind it.
func (s *Server) messageEnd(ctx context.Context, in *originInput) (st store.Stream, end int64, err error) {
	if st, _, err = s.o.Store.Load(ctx, in.Path); err != nil {
		return st, 0, problem(err)
	}
	if in.Ordinal >= st.Messages {
		return st, 0, huma.Error404NotFound("the stream has no such message")
	}
	if st.Kind == protocol.KindJSON {
		return st, in.Ordinal + 1, nil // positions are ordinals
	}
	batches, err := s.o.Store.Batches(ctx, &st, in.Ordinal, in.Ordinal+1)
	if err != nil {
		return st, 0, problem(missing(err))
	}
	return st, batches[0].End, nil
}

// readersOf are the open readers of a stream, the oldest first.
func (s *Server) readersOf(st *store.Stream) []*server.Reader {
	return slices.DeleteFunc(s.o.Readers.List(), func(rd *server.Reader) bool { return rd.StreamID != st.ID })
}
