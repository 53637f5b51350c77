package server

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"tailrace/backend/engine"
	"tailrace/backend/journal"
	"tailrace/backend/protocol"
)

// create answers PUT (PROTOCOL §5.1).
func (s *Server) create(w http.ResponseWriter, r *http.Request, path string) error {
	req, err := s.parseCreate(w, r)
	if err != nil {
		return err
	}
	created, err := s.o.Engine.Create(path, req)
	if err != nil {
		return s.hideSource(r, err)
	}
	h, st := w.Header(), created.State
	describe(h, st)
	set(h, protocol.HeaderStreamNextOffset, st.TailOffset().String())
	if st.Closed {
		h[protocol.HeaderStreamClosed] = valueTrue
	}
	if !created.New {
		journal.Of(w).Decide(journal.Outcome{Decision: journal.Exists, Incarnation: st.Incarnation, Next: st.Tail})
		w.WriteHeader(http.StatusOK)
		return nil
	}
	journal.Of(w).Decide(createOutcome(req, st))
	// The path as it was sent: decoding and encoding again could change it.
	set(h, "Location", baseURL(r)+r.URL.EscapedPath())
	w.WriteHeader(http.StatusCreated)
	return nil
}

func (s *Server) parseCreate(w http.ResponseWriter, r *http.Request) (*engine.CreateRequest, error) {
	fork, err := s.parseFork(r)
	if err != nil {
		return nil, err
	}
	contentType, sent, err := s.single(r.Header, "Content-Type")
	if err != nil {
		return nil, err
	}
	if !sent && fork == nil {
		contentType, sent = protocol.DefaultContentType, true
	}
	media := ""
	if sent {
		if media, err = protocol.ParseContentType(contentType); err != nil {
			return nil, err
		}
	}
	closed, err := s.closed(r.Header)
	if err != nil {
		return nil, err
	}
	expiry, err := s.parseExpiry(r.Header)
	if err != nil {
		return nil, err
	}
	body, err := s.body(w, r)
	if err != nil {
		return nil, err
	}
	req := &engine.CreateRequest{
		ContentType: contentType,
		Expiry:      expiry,
		Closed:      closed,
		Fork:        fork,
	}
	if sent {
		req.Payload, req.PayloadErr = protocol.FramePayload(protocol.KindOf(media), body, true, s.o.Limits)
	} else {
		req.Frame = func(k protocol.Kind) (protocol.Payload, error) {
			return protocol.FramePayload(k, body, true, s.o.Limits)
		}
	}
	return req, nil
}

// parseFork reads the headers that make a PUT a fork, nil when there are none
// (PROTOCOL §4.2).
func (s *Server) parseFork(r *http.Request) (*engine.ForkRequest, error) {
	from, isFork, err := s.single(r.Header, protocol.HeaderStreamForkedFrom)
	if err != nil {
		return nil, err
	}
	offset, hasOffset, err := s.single(r.Header, protocol.HeaderStreamForkOffset)
	if err != nil {
		return nil, err
	}
	sub, hasSub, err := s.single(r.Header, protocol.HeaderStreamForkSubOffset)
	if err != nil {
		return nil, err
	}
	if !isFork {
		if hasOffset || hasSub {
			return nil, &protocol.BadRequestError{
				Field:  protocol.HeaderStreamForkedFrom,
				Reason: "missing; Stream-Fork-Offset and Stream-Fork-Sub-Offset need the source of the fork",
			}
		}
		return nil, nil
	}
	fork := &engine.ForkRequest{Offset: offset}
	if fork.From, err = s.parseSource(r, from); err != nil {
		return nil, err
	}
	if hasOffset {
		if _, err := protocol.ParseOffsetToken(offset); err != nil {
			return nil, &protocol.BadRequestError{
				Field: protocol.HeaderStreamForkOffset, Reason: "not a token from Stream-Next-Offset of the source",
			}
		}
	}
	if hasSub {
		if fork.SubOffset, err = protocol.ParseSubOffset(sub); err != nil {
			return nil, err
		}
	}
	return fork, nil
}

// parseSource returns the stream path in a Stream-Forked-From value: the path of
// a stream URL, or a whole URL of this server.
func (s *Server) parseSource(r *http.Request, value string) (string, error) {
	escaped, ok := strings.CutPrefix(strings.TrimPrefix(value, baseURL(r)), protocol.Root)
	if !ok {
		return "", &protocol.BadRequestError{
			Field: protocol.HeaderStreamForkedFrom, Reason: "expected the path of a stream on this server, such as " + protocol.Root + "chat/1",
		}
	}
	path, err := protocol.ParsePath(escaped, s.o.Limits)
	var bad *protocol.BadRequestError
	if errors.As(err, &bad) {
		return "", &protocol.BadRequestError{Field: protocol.HeaderStreamForkedFrom, Reason: bad.Reason}
	}
	return path, err
}

func (s *Server) parseExpiry(h http.Header) (protocol.Expiry, error) {
	ttl, hasTTL, err := s.single(h, protocol.HeaderStreamTTL)
	if err != nil {
		return protocol.Expiry{}, err
	}
	at, hasAt, err := s.single(h, protocol.HeaderStreamExpiresAt)
	if err != nil {
		return protocol.Expiry{}, err
	}
	return protocol.ParseExpiry(ttl, hasTTL, at, hasAt)
}

// describe sets the headers that tell a stream's configuration.
func describe(h http.Header, st *engine.State) {
	set(h, "Content-Type", st.ContentType)
	if st.Expiry.HasTTL {
		set(h, protocol.HeaderStreamTTL, strconv.FormatInt(st.Expiry.TTL, 10))
	}
	if st.Expiry.AtRaw != "" {
		set(h, protocol.HeaderStreamExpiresAt, st.Expiry.AtRaw)
	}
}
