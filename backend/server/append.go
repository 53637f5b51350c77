package server

import (
	"net/http"
	"strconv"

	"tailrace/backend/engine"
	"tailrace/backend/journal"
	"tailrace/backend/protocol"
)

// append answers POST: an append, a closure or both (PROTOCOL §5.2, §5.3).
func (s *Server) append(w http.ResponseWriter, r *http.Request, path string) error {
	// Whether the stream exists comes before what the request looks like.
	stream, err := s.o.Engine.OpenWriter(path)
	if err != nil {
		return err
	}
	defer stream.Close()
	x := journal.Of(w)
	x.Decide(journal.Outcome{Incarnation: stream.Incarnation()}) // also of a refusal
	req, err := s.parseAppend(w, r)
	if err != nil {
		return err
	}
	done, err := stream.Append(req)
	if err != nil {
		return err
	}
	x.Decide(appendOutcome(req, &done))
	h := w.Header()
	set(h, protocol.HeaderStreamNextOffset, done.Next.String())
	if done.Closed {
		h[protocol.HeaderStreamClosed] = valueTrue
	}
	if done.Producer != nil {
		set(h, protocol.HeaderProducerEpoch, strconv.FormatInt(done.Producer.Epoch, 10))
		set(h, protocol.HeaderProducerSeq, strconv.FormatInt(done.Producer.Seq, 10))
	}
	// New data by a producer is 200; everything else has nothing to add (§5.2.1).
	if done.Producer != nil && !done.Duplicate && !req.Empty {
		w.WriteHeader(http.StatusOK)
	} else {
		w.WriteHeader(http.StatusNoContent)
	}
	return nil
}

func (s *Server) parseAppend(w http.ResponseWriter, r *http.Request) (*engine.AppendRequest, error) {
	closed, err := s.closed(r.Header)
	if err != nil {
		return nil, err
	}
	req := &engine.AppendRequest{Close: closed}
	req.Producer, err = protocol.ParseProducer(
		r.Header[protocol.HeaderProducerID], r.Header[protocol.HeaderProducerEpoch], r.Header[protocol.HeaderProducerSeq])
	if err != nil {
		return nil, err
	}
	if req.Producer != nil {
		if err := protocol.CheckHeaderValue(protocol.HeaderProducerID, req.Producer.ID, s.o.Limits); err != nil {
			return nil, err
		}
	}
	var sent bool
	if req.StreamSeq, sent, err = s.single(r.Header, protocol.HeaderStreamSeq); err != nil {
		return nil, err
	}
	if sent && req.StreamSeq == "" {
		return nil, &protocol.BadRequestError{Field: protocol.HeaderStreamSeq, Reason: "empty; leave the header out or give a value"}
	}
	if req.ContentType, _, err = s.single(r.Header, "Content-Type"); err != nil {
		return nil, err
	}
	body, err := s.body(w, r)
	if err != nil {
		return nil, err
	}
	req.Empty = len(body) == 0
	// A type that does not parse is refused by the engine, in its turn.
	if media, err := protocol.ParseContentType(req.ContentType); err == nil {
		req.Payload, req.PayloadErr = protocol.FramePayload(protocol.KindOf(media), body, false, s.o.Limits)
	}
	return req, nil
}
