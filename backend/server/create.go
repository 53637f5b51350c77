package server

import (
	"net/http"
	"strconv"

	"tailrace/backend/engine"
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
		return err
	}
	h := w.Header()
	describe(h, created.State)
	set(h, protocol.HeaderStreamNextOffset, created.State.TailOffset().String())
	if created.State.Closed {
		h[protocol.HeaderStreamClosed] = valueTrue
	}
	if !created.New {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	// The path as it was sent: decoding and encoding again could change it.
	set(h, "Location", baseURL(r)+r.URL.EscapedPath())
	w.WriteHeader(http.StatusCreated)
	return nil
}

func (s *Server) parseCreate(w http.ResponseWriter, r *http.Request) (*engine.CreateRequest, error) {
	for _, name := range []string{protocol.HeaderStreamForkedFrom, protocol.HeaderStreamForkOffset, protocol.HeaderStreamForkSubOffset} {
		if len(r.Header.Values(name)) > 0 {
			return nil, errNoForks
		}
	}
	contentType, sent, err := s.single(r.Header, "Content-Type")
	if err != nil {
		return nil, err
	}
	if !sent {
		contentType = protocol.DefaultContentType
	}
	media, err := protocol.ParseContentType(contentType)
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
		Closed:      protocol.IsTrue(r.Header.Get(protocol.HeaderStreamClosed)),
	}
	req.Payload, req.PayloadErr = protocol.FramePayload(protocol.KindOf(media), body, true, s.o.Limits)
	return req, nil
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
