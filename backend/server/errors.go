package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"tailrace/backend/engine"
	"tailrace/backend/journal"
	"tailrace/backend/protocol"
	"tailrace/backend/store"
	"tailrace/backend/subscription"
)

var (
	errNoRoute = errors.New("nothing is served here; streams live under " + protocol.Root)
	errGetOnly = errors.New("this method is not supported here; use GET")
	errMethod  = errors.New("this method is not supported for streams; use " + streamMethods)
	errEncoded = errors.New("Content-Encoding is not supported; send the body as it is")
	errSlow    = errors.New("the body paused for too long; nothing was written")
	errHost    = errors.New("this Host name is not allowed; use localhost or 127.0.0.1, or add the name to hosts in the configuration")
	errOrigin  = errors.New("pages of this origin may not use the server; add the origin to cors_origins in the configuration")
)

// reply is what an error means to a client.
type reply struct {
	status int
	code   string
}

// replies maps outcomes without data of their own.
var replies = []struct {
	err error
	reply
}{
	{protocol.ErrNotFound, reply{http.StatusNotFound, "STREAM_NOT_FOUND"}},
	{protocol.ErrGone, reply{http.StatusGone, "STREAM_DELETED"}},
	{protocol.ErrOffsetGone, reply{http.StatusGone, "OFFSET_GONE"}},
	{protocol.ErrReadOnly, reply{http.StatusForbidden, "SYSTEM_STREAM"}},
	{protocol.ErrNewEpochSeq, reply{http.StatusBadRequest, "NEW_EPOCH_SEQ"}},
	{protocol.ErrEmptyBody, reply{http.StatusBadRequest, "EMPTY_BODY"}},
	{protocol.ErrNoContentType, reply{http.StatusBadRequest, "NO_CONTENT_TYPE"}},
	{engine.ErrPathTaken, reply{http.StatusConflict, "PATH_TAKEN"}},
	{protocol.ErrShuttingDown, reply{http.StatusServiceUnavailable, "SHUTTING_DOWN"}},
	{store.ErrDiskFull, reply{http.StatusInsufficientStorage, "DISK_FULL"}},
	{store.ErrReadOnlyDisk, reply{http.StatusInsufficientStorage, "READ_ONLY_DISK"}},
	{store.ErrWriteFailed, reply{http.StatusInsufficientStorage, "WRITE_FAILED"}},
	{errNoRoute, reply{http.StatusNotFound, "NOT_FOUND"}},
	{errGetOnly, reply{http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED"}},
	{errMethod, reply{http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED"}},
	{errEncoded, reply{http.StatusUnsupportedMediaType, "ENCODED_BODY"}},
	{errSlow, reply{http.StatusRequestTimeout, "BODY_TIMEOUT"}},
	{errHost, reply{http.StatusForbidden, "HOST_NOT_ALLOWED"}},
	{errOrigin, reply{http.StatusForbidden, "ORIGIN_NOT_ALLOWED"}},
}

// subscriptionStatus is the status of each code of the subscription API.
var subscriptionStatus = map[subscription.Code]int{
	subscription.CodeInvalidRequest: http.StatusBadRequest,
	subscription.CodeURLRejected:    http.StatusBadRequest,
	subscription.CodeTokenInvalid:   http.StatusUnauthorized,
	subscription.CodeNotFound:       http.StatusNotFound,
	subscription.CodeNoRoute:        http.StatusNotFound,
	subscription.CodeMethod:         http.StatusMethodNotAllowed,
	subscription.CodeExists:         http.StatusConflict,
	subscription.CodeFenced:         http.StatusConflict,
	subscription.CodeClaimed:        http.StatusConflict,
	subscription.CodeNoWork:         http.StatusConflict,
	subscription.CodeInvalidOffset:  http.StatusConflict,
}

// classify finds the reply to an error and sets the headers that belong to it.
func classify(h http.Header, err error) (reply, bool) {
	var (
		bad      *protocol.BadRequestError
		limit    *protocol.LimitError
		closed   *protocol.ClosedError
		conflict *protocol.ConflictError
		stale    *protocol.StaleEpochError
		gap      *protocol.SeqGapError
		seq      *protocol.StreamSeqError
		readers  *tooManyReadersError
		forbid   *forbiddenError
		sub      *subscription.Error
		cold     *store.ColdError
	)
	switch {
	case errors.Is(err, errNoToken):
		h["WWW-Authenticate"] = challengeNone
		return reply{http.StatusUnauthorized, "TOKEN_REQUIRED"}, true
	case errors.Is(err, errUnknownToken):
		h["WWW-Authenticate"] = challengeUnknown
		return reply{http.StatusUnauthorized, "TOKEN_UNKNOWN"}, true
	case errors.As(err, &forbid):
		h["WWW-Authenticate"] = challengeForbidden
		return reply{http.StatusForbidden, "TOKEN_FORBIDS"}, true
	case errors.As(err, &sub):
		if sub.Allow != "" {
			set(h, "Allow", sub.Allow)
		}
		if sub.Code == subscription.CodeTokenInvalid {
			set(h, "WWW-Authenticate", "Bearer")
		}
		return reply{subscriptionStatus[sub.Code], string(sub.Code)}, true
	case errors.As(err, &bad):
		return reply{http.StatusBadRequest, "BAD_REQUEST"}, true
	case errors.As(err, &limit):
		return reply{limit.Status, "LIMIT_EXCEEDED"}, true
	case errors.As(err, &closed):
		h[protocol.HeaderStreamClosed] = valueTrue
		set(h, protocol.HeaderStreamNextOffset, closed.Tail.String())
		return reply{http.StatusConflict, "STREAM_CLOSED"}, true
	case errors.As(err, &conflict):
		return reply{http.StatusConflict, "CONFLICT"}, true
	case errors.As(err, &stale):
		set(h, protocol.HeaderProducerEpoch, strconv.FormatInt(stale.Current, 10))
		return reply{http.StatusForbidden, "STALE_EPOCH"}, true
	case errors.As(err, &gap):
		set(h, protocol.HeaderProducerExpectedSeq, strconv.FormatInt(gap.Expected, 10))
		set(h, protocol.HeaderProducerReceivedSeq, strconv.FormatInt(gap.Received, 10))
		return reply{http.StatusConflict, "SEQUENCE_GAP"}, true
	case errors.As(err, &seq):
		return reply{http.StatusConflict, "STREAM_SEQ"}, true
	case errors.As(err, &readers):
		return reply{readers.status, "TOO_MANY_READERS"}, true
	case errors.As(err, &cold):
		return reply{http.StatusServiceUnavailable, "COLD_UNAVAILABLE"}, true
	}
	for _, known := range replies {
		if errors.Is(err, known.err) {
			return known.reply, true
		}
	}
	return reply{http.StatusInternalServerError, "INTERNAL"}, false
}

// StatusOf returns the HTTP status of an outcome, and whether it is one that a
// client may be told in words: everything but an internal error.
func StatusOf(err error) (status int, known bool) {
	rep, known := classify(http.Header{}, err)
	return rep.status, known
}

// fail answers a request with an error: the status, the headers that go with it
// and a JSON body that says in words what is wrong. What is not known is logged
// and hidden from the client. It is the only place that does so.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil && errors.Is(err, r.Context().Err()) {
		journal.Of(w).Refuse(journal.Left, "", "")
		return // the client has left
	}
	h := w.Header()
	rep, known := classify(h, err)
	message := err.Error()
	if !known {
		id := w.Header().Get(headerRequestID)
		if id == "" {
			id = s.ids.next()
			set(h, headerRequestID, id)
		}
		s.o.Log.Error("request failed", "id", id, "method", r.Method, "path", r.URL.Path, "error", err)
		message = "internal error; the server's log has the details under " + id
	}
	journal.Of(w).Refuse(refusal(rep, err, message))
	switch rep.status {
	case http.StatusServiceUnavailable, http.StatusInsufficientStorage, http.StatusTooManyRequests:
		set(h, "Retry-After", "1")
	}
	h["Content-Type"] = valueJSON
	h["Cache-Control"] = valueNoStore
	if known {
		message = s.hidePlaces(r, err)
	}
	body := errorBody(rep.code, message, err)
	set(h, "Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(rep.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that does not read its error cannot be told
	}
}

// errorBody is the JSON body of an error. A refused claim also tells who holds
// the lease.
func errorBody(code, message string, err error) []byte {
	type detail struct {
		Code       string `json:"code"`
		Message    string `json:"message"`
		Holder     string `json:"current_holder,omitempty"`
		Generation int64  `json:"generation,omitempty"`
	}
	d := detail{Code: code, Message: message}
	var sub *subscription.Error
	if errors.As(err, &sub) {
		d.Holder, d.Generation = sub.Holder, sub.Generation
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(map[string]detail{"error": d}); err != nil {
		panic(err) // strings and numbers always encode
	}
	return b.Bytes()
}
