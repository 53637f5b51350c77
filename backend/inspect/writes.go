package inspect

import (
	"context"
	"encoding/base64"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"tailrace/backend/engine"
	"tailrace/backend/protocol"
)

// Content is a request body within a JSON document: text, or base64 for bytes
// that are no text.
type Content struct {
	Body       string `json:"body,omitempty" doc:"As text."`
	BodyBase64 string `json:"body_base64,omitempty" doc:"As base64; instead of body."`
}

func (c *Content) bytes() ([]byte, error) {
	if c.BodyBase64 == "" {
		return []byte(c.Body), nil
	}
	if c.Body != "" {
		return nil, &protocol.BadRequestError{Field: "body", Reason: "send either body or body_base64"}
	}
	b, err := base64.StdEncoding.DecodeString(c.BodyBase64)
	if err != nil {
		return nil, &protocol.BadRequestError{Field: "body_base64", Reason: "not valid base64"}
	}
	return b, nil
}

type createInput struct {
	PathInput
	Body struct {
		Content
		ContentType string  `json:"content_type,omitempty"`
		TTLSeconds  *int64  `json:"ttl_seconds,omitempty" minimum:"0"`
		ExpiresAt   *string `json:"expires_at,omitempty" doc:"RFC 3339."`
		Closed      bool    `json:"closed,omitempty"`
		Fork        *Fork   `json:"fork,omitempty"`
	}
}

// Fork says which stream a new one branches off from, and where.
type Fork struct {
	_         struct{} `nullable:"true"`
	Of        string   `json:"of" minLength:"1" doc:"Path of the source."`
	Offset    string   `json:"offset,omitempty" doc:"Offset token of the source; empty: its tail."`
	SubOffset int64    `json:"sub_offset,omitempty" minimum:"0" doc:"Messages for JSON, else bytes, behind the offset."`
}

type createOutput struct {
	Status int
	Body   struct {
		Created bool   `json:"created" doc:"False: it was there already, with the same configuration."`
		Stream  Stream `json:"stream"`
	}
}

type appendInput struct {
	PathInput
	Body struct {
		Content
		ContentType string    `json:"content_type,omitempty" doc:"Empty: the stream's."`
		Close       bool      `json:"close,omitempty"`
		StreamSeq   string    `json:"stream_seq,omitempty"`
		Producer    *Producer `json:"producer,omitempty"`
	}
}

// AppendResult is the outcome of an append or closure.
type AppendResult struct {
	NextOffset string `json:"next_offset"`
	Closed     bool   `json:"closed"`
	Duplicate  bool   `json:"duplicate" doc:"Nothing was written: it had been before."`
	Messages   int    `json:"messages" doc:"How many messages the body made."`
}

type appendOutput struct{ Body AppendResult }

func (s *Server) registerWrites(api huma.API) {
	// Text grows when it is put into JSON: up to six bytes for one.
	bodies := func(op *huma.Operation) { op.MaxBodyBytes = 6*s.o.Limits.BodyBytes + 64<<10 }
	huma.Register(api, operation(http.MethodPut, "/api/streams/{path}", "createStream", "Create a stream", bodies), s.create)
	huma.Register(api, operation(http.MethodPost, "/api/streams/{path}/messages", "append", "Append to a stream", bodies), s.append)
	huma.Register(api, operation(http.MethodPost, "/api/streams/{path}/close", "closeStream", "Close a stream"), s.close)
	huma.Register(api, operation(http.MethodDelete, "/api/streams/{path}", "deleteStream", "Delete a stream with all its data", status(http.StatusNoContent)),
		func(_ context.Context, in *PathInput) (*empty, error) {
			return nil, problem(s.o.Engine.Delete(in.Path))
		})
}

// bytes decodes a body, within the limit that holds for the protocol.
func (s *Server) bytes(c *Content) ([]byte, error) {
	body, err := c.bytes()
	if err == nil && int64(len(body)) > s.o.Limits.BodyBytes {
		err = &protocol.LimitError{Limit: "max_body_bytes", Max: s.o.Limits.BodyBytes, Status: http.StatusRequestEntityTooLarge}
	}
	return body, err
}

// frame decodes and frames a body for a content type, within the limits that
// hold for the protocol.
func (s *Server) frame(c *Content, contentType string, allowEmptyArray bool) (p protocol.Payload, empty bool, err error) {
	body, err := s.bytes(c)
	if err != nil {
		return protocol.Payload{}, false, err
	}
	if err := protocol.CheckHeaderValue("content_type", contentType, s.o.Limits); err != nil {
		return protocol.Payload{}, false, err
	}
	media, err := protocol.ParseContentType(contentType)
	if err != nil {
		return protocol.Payload{}, false, err
	}
	p, err = protocol.FramePayload(protocol.KindOf(media), body, allowEmptyArray, s.o.Limits)
	return p, len(body) == 0, err
}

// frameLater frames a body once the kind of the stream is known.
func (s *Server) frameLater(c *Content) (func(protocol.Kind) (protocol.Payload, error), error) {
	body, err := s.bytes(c)
	return func(k protocol.Kind) (protocol.Payload, error) {
		return protocol.FramePayload(k, body, true, s.o.Limits)
	}, err
}

func (s *Server) create(ctx context.Context, in *createInput) (*createOutput, error) {
	if err := protocol.CheckPath(in.Path, s.o.Limits); err != nil {
		return nil, problem(err)
	}
	if protocol.IsControlPath(in.Path) {
		return nil, huma.Error400BadRequest("paths that begin with " + protocol.ControlPrefix + " are reserved")
	}
	r := &engine.CreateRequest{ContentType: in.Body.ContentType, Closed: in.Body.Closed}
	var err error
	if r.Expiry, err = parseExpiry(in.Body.TTLSeconds, in.Body.ExpiresAt); err != nil {
		return nil, problem(err)
	}
	if f := in.Body.Fork; f != nil {
		if f.Offset != "" {
			if _, err := protocol.ParseOffsetToken(f.Offset); err != nil {
				return nil, problem(&protocol.BadRequestError{Field: "fork.offset", Reason: "not an offset of the source"})
			}
		}
		r.Fork = &engine.ForkRequest{From: f.Of, Offset: f.Offset, SubOffset: f.SubOffset}
	}
	if r.Fork != nil && r.ContentType == "" {
		r.Frame, err = s.frameLater(&in.Body.Content)
	} else {
		if r.ContentType == "" {
			r.ContentType = protocol.DefaultContentType
		}
		r.Payload, _, err = s.frame(&in.Body.Content, r.ContentType, true)
	}
	if err != nil {
		return nil, problem(err)
	}
	created, err := s.o.Engine.Create(in.Path, r)
	if err != nil {
		return nil, problem(err)
	}
	out := &createOutput{Status: http.StatusOK}
	out.Body.Created = created.New
	if created.New {
		out.Status = http.StatusCreated
	}
	if out.Body.Stream, err = s.row(ctx, in.Path); err != nil {
		return nil, problem(err)
	}
	return out, nil
}

func parseExpiry(ttl *int64, at *string) (protocol.Expiry, error) {
	var ttlText, atText string
	if ttl != nil {
		ttlText = formatInt(*ttl)
	}
	if at != nil {
		atText = *at
	}
	return protocol.ParseExpiry(ttlText, ttl != nil, atText, at != nil)
}

func (s *Server) append(ctx context.Context, in *appendInput) (*appendOutput, error) {
	contentType := in.Body.ContentType
	if contentType == "" {
		st, _, err := s.o.Store.Load(ctx, in.Path)
		if err != nil {
			return nil, problem(err)
		}
		contentType = st.ContentType
	}
	r := &engine.AppendRequest{ContentType: contentType, Close: in.Body.Close, StreamSeq: in.Body.StreamSeq}
	if err := protocol.CheckHeaderValue("stream_seq", r.StreamSeq, s.o.Limits); err != nil {
		return nil, problem(err)
	}
	if p := in.Body.Producer; p != nil {
		err := protocol.CheckHeaderValue("producer.id", p.ID, s.o.Limits)
		if err != nil {
			return nil, problem(err)
		}
		if r.Producer, err = protocol.ParseProducer([]string{p.ID}, []string{formatInt(p.Epoch)}, []string{formatInt(p.Seq)}); err != nil {
			return nil, problem(err)
		}
	}
	var err error
	if r.Payload, r.Empty, err = s.frame(&in.Body.Content, contentType, false); err != nil {
		return nil, problem(err)
	}
	done, err := s.o.Engine.Append(in.Path, r)
	if err != nil {
		return nil, problem(err)
	}
	return &appendOutput{Body: AppendResult{
		NextOffset: done.Next.String(), Closed: done.Closed, Duplicate: done.Duplicate, Messages: r.Payload.Messages(),
	}}, nil
}

func (s *Server) close(_ context.Context, in *PathInput) (*appendOutput, error) {
	done, err := s.o.Engine.Append(in.Path, &engine.AppendRequest{Empty: true, Close: true})
	if err != nil {
		return nil, problem(err)
	}
	return &appendOutput{Body: AppendResult{NextOffset: done.Next.String(), Closed: done.Closed, Duplicate: done.Duplicate}}, nil
}
