package inspect

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// previewBytes is how much of a message a row carries.
const previewBytes = 512

type messagesInput struct {
	PathInput
	From     int64   `query:"from" minimum:"0" doc:"Ordinal of the first message."`
	Limit    int     `query:"limit" minimum:"1" maximum:"1000" default:"200"`
	Ordinals []int64 `query:"ordinals" maxItems:"1000" doc:"These messages, in ascending order, instead of a run; those that there are not are left out."`
}

// MessageList is a run of messages by ordinal, or those that were asked for.
type MessageList struct {
	From     int64     `json:"from"`
	Total    int64     `json:"total" doc:"Messages in the stream."`
	Tail     string    `json:"tail" doc:"Offset token."`
	Closed   bool      `json:"closed"`
	Messages []Message `json:"messages" nullable:"false"`
}

type messagesOutput struct{ Body MessageList }

type bodyInput struct {
	PathInput
	Ordinal int64 `path:"ordinal" minimum:"0"`
	Max     int   `query:"max" minimum:"0" doc:"At most this many bytes; 0: all."`
}

type seekInput struct {
	PathInput
	Offset string `query:"offset" doc:"Offset token."`
	Time   int64  `query:"time" minimum:"0" doc:"Unix milliseconds."`
}

type seekOutput struct {
	Body struct {
		Ordinal int64 `json:"ordinal" doc:"The message there or the next one; the number of messages when there is none."`
	}
}

func (s *Server) registerMessages(api huma.API) {
	huma.Register(api, operation(http.MethodGet, "/api/streams/{path}/messages", "listMessages", "Messages by ordinal, with previews"), s.messages)
	huma.Register(api, operation(http.MethodGet, "/api/streams/{path}/messages/{ordinal}/body", "getMessageBody", "The original bytes of a message", octets), s.body)
	huma.Register(api, operation(http.MethodGet, "/api/streams/{path}/seek", "seek", "The ordinal at an offset or a time"), s.seek)
}

// octets describes a response of raw bytes.
func octets(op *huma.Operation) {
	op.Responses = map[string]*huma.Response{"200": {
		Description: "The bytes as they were appended.",
		Headers: map[string]*huma.Param{
			"Tailrace-Size": {Description: "Size of the whole message in bytes.", Schema: &huma.Schema{Type: huma.TypeInteger}},
		},
		Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
	}}
}

func (s *Server) messages(ctx context.Context, in *messagesInput) (*messagesOutput, error) {
	st, _, err := s.o.Store.Load(ctx, in.Path)
	if err != nil {
		return nil, problem(err)
	}
	out := &messagesOutput{Body: MessageList{
		From: in.From, Total: st.Messages, Tail: offset(&st, st.Tail), Closed: st.Closed, Messages: []Message{},
	}}
	if len(in.Ordinals) > 0 {
		out.Body.Messages, err = s.pick(ctx, &st, in.Ordinals)
		return out, problem(missing(err))
	}
	to := min(in.From+int64(in.Limit), st.Messages)
	err = s.o.Store.Scan(ctx, &st, in.From, to, func(run []*store.Batch) error {
		for _, b := range run {
			out.Body.Messages = appendMessages(out.Body.Messages, &st, b, func(ordinal int64) bool {
				return ordinal >= in.From && ordinal < to
			})
		}
		return nil
	})
	return out, problem(missing(err))
}

// pick returns single messages. What lies together is read once.
func (s *Server) pick(ctx context.Context, st *store.Stream, ordinals []int64) ([]Message, error) {
	slices.Sort(ordinals)
	out := make([]Message, 0, len(ordinals))
	for len(ordinals) > 0 && ordinals[0] < st.Messages {
		from := ordinals[0]
		err := s.o.Store.Scan(ctx, st, from, from+1, func(run []*store.Batch) error {
			for _, b := range run {
				out = appendMessages(out, st, b, func(ordinal int64) bool {
					wanted := false
					for len(ordinals) > 0 && ordinals[0] <= ordinal {
						wanted = wanted || ordinals[0] == ordinal
						ordinals = ordinals[1:]
					}
					return wanted
				})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// missing reads a stream that vanished while it was read as one that is not
// there.
func missing(err error) error {
	if errors.Is(err, store.ErrMissing) {
		return protocol.ErrNotFound
	}
	return err
}

func offset(st *store.Stream, position int64) string {
	return protocol.Offset{Incarnation: st.Incarnation, Position: position}.String()
}

// appendMessages adds those messages of a batch that are wanted. It asks for all
// of them, in order.
func appendMessages(out []Message, st *store.Stream, b *store.Batch, wanted func(ordinal int64) bool) []Message {
	start := 0
	for i, size := range b.Payload.Sizes {
		ordinal := b.First + int64(i)
		data := b.Payload.Data[start : start+size]
		start += size + 1 // the comma between JSON messages
		if !wanted(ordinal) {
			continue
		}
		m := Message{
			Ordinal:  ordinal,
			Offset:   offset(st, position(st, b, i)),
			Time:     b.Time,
			Size:     size,
			Producer: newProducer(b.Producer),
			Batch:    Batch{First: b.First, Count: len(b.Payload.Sizes)},
		}
		m.Preview, m.Encoding = preview(data)
		m.Truncated = len(data) > previewBytes
		out = append(out, m)
	}
	return out
}

// position is where message i of a batch starts.
func position(st *store.Stream, b *store.Batch, i int) int64 {
	if st.Kind == protocol.KindJSON {
		return b.Start + int64(i)
	}
	return b.Start // one message a batch
}

// preview returns the beginning of a message as text, or as base64 when it is
// not text.
func preview(data []byte) (text, encoding string) {
	cut := data[:min(len(data), previewBytes)]
	if len(cut) < len(data) {
		cut = cut[:protocol.CompleteUTF8(cut)]
	}
	if utf8.Valid(cut) {
		return string(cut), "utf8"
	}
	return base64.StdEncoding.EncodeToString(data[:min(len(data), previewBytes)]), "base64"
}

// message returns the bytes of a message, and the stream that has it.
func (s *Server) message(ctx context.Context, in *bodyInput) ([]byte, *store.Stream, error) {
	st, _, err := s.o.Store.Load(ctx, in.Path)
	if err != nil {
		return nil, nil, problem(err)
	}
	if in.Ordinal >= st.Messages {
		return nil, nil, huma.Error404NotFound("the stream has " + strconv.FormatInt(st.Messages, 10) + " messages, counted from 0")
	}
	batches, err := s.o.Store.Batches(ctx, &st, in.Ordinal, in.Ordinal+1)
	if err != nil {
		return nil, nil, problem(missing(err))
	}
	return messageOf(batches[0], in.Ordinal), &st, nil
}

func (s *Server) body(ctx context.Context, in *bodyInput) (*huma.StreamResponse, error) {
	data, _, err := s.message(ctx, in)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		c.SetHeader("Content-Type", "application/octet-stream")
		c.SetHeader("Content-Disposition", "attachment")
		c.SetHeader("Tailrace-Size", strconv.Itoa(len(data)))
		if in.Max > 0 {
			data = data[:min(len(data), in.Max)]
		}
		c.SetHeader("Content-Length", strconv.Itoa(len(data)))
		_, _ = c.BodyWriter().Write(data) // a client that has left
	}}, nil
}

// messageOf returns the message with an ordinal out of its batch.
func messageOf(b *store.Batch, ordinal int64) []byte {
	start := 0
	for i, size := range b.Payload.Sizes {
		if b.First+int64(i) == ordinal {
			return b.Payload.Data[start : start+size]
		}
		start += size + 1
	}
	return nil
}

func (s *Server) seek(ctx context.Context, in *seekInput) (*seekOutput, error) {
	st, _, err := s.o.Store.Load(ctx, in.Path)
	if err != nil {
		return nil, problem(err)
	}
	out := &seekOutput{}
	if in.Offset == "" {
		out.Body.Ordinal, err = s.o.Store.SeekTime(ctx, &st, in.Time)
		return out, problem(err)
	}
	q, err := protocol.ParseOffset(in.Offset)
	if err != nil {
		return nil, problem(err)
	}
	switch {
	case q.Now || q.Offset.Incarnation > st.Incarnation:
		out.Body.Ordinal = st.Messages
	case !q.Start && q.Offset.Incarnation == st.Incarnation:
		out.Body.Ordinal, err = s.o.Store.SeekPosition(ctx, &st, q.Offset.Position)
	}
	return out, problem(err)
}
