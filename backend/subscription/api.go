package subscription

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tailrace/backend/store"
)

// Call is what the server knows of a request to the reserved paths.
type Call struct {
	Path string // behind the reserved prefix and its slash, as it was sent
	Base string // origin under which the client reached the server
	Body func() ([]byte, error)
}

// request is one request to the API.
type request struct {
	*Manager
	Call
	w  http.ResponseWriter
	r  *http.Request
	id string
}

// Serve answers a request to the reserved paths (PROTOCOL §6). An error means
// that nothing has been written.
func (m *Manager) Serve(w http.ResponseWriter, r *http.Request, c Call) error {
	parts := strings.Split(c.Path, "/")
	for i, p := range parts {
		var err error
		if parts[i], err = url.PathUnescape(p); err != nil {
			return invalid("path", "not valid percent-encoding")
		}
	}
	q := &request{Manager: m, Call: c, w: w, r: r}
	if len(parts) == 1 && parts[0] == "jwks.json" {
		return q.route(method{http.MethodGet, q.jwks})
	}
	if len(parts) < 2 || parts[0] != "subscriptions" {
		return refuse(CodeNoRoute, "nothing is served here; subscriptions live under %ssubscriptions/", controlRoot)
	}
	q.id = parts[1]
	if err := checkName(fieldID, q.id); err != nil {
		return err
	}
	rest := parts[2:]
	switch {
	case len(rest) == 0:
		return q.route(method{http.MethodGet, q.get}, method{http.MethodPut, q.put}, method{http.MethodDelete, q.delete})
	case rest[0] == "streams" && len(rest) == 1:
		return q.route(method{http.MethodPost, q.addStreams})
	case rest[0] == "streams":
		return q.route(method{http.MethodDelete, func() error { return q.removeStream(strings.Join(rest[1:], "/")) }})
	case len(rest) == 1:
		switch rest[0] {
		case "callback":
			return q.route(method{http.MethodPost, func() error { return q.report(store.TypeWebhook) }})
		case "ack":
			return q.route(method{http.MethodPost, func() error { return q.report(store.TypePullWake) }})
		case "claim":
			return q.route(method{http.MethodPost, q.claim})
		case "release":
			return q.route(method{http.MethodPost, q.release})
		}
	}
	return refuse(CodeNoRoute, "a subscription has no %q", strings.Join(rest, "/"))
}

// method is what a path does for a method.
type method struct {
	name  string
	serve func() error
}

func (q *request) route(methods ...method) error {
	names := make([]string, 0, len(methods)+1)
	for _, m := range methods {
		if q.r.Method == m.name || (q.r.Method == http.MethodHead && m.name == http.MethodGet) {
			return m.serve()
		}
		names = append(names, m.name)
	}
	allow := strings.Join(append(names, http.MethodOptions), ", ")
	return &Error{Code: CodeMethod, Message: "this method is not supported here; use " + allow, Allow: allow}
}

// do runs f on the subscription's actor.
func (q *request) do(f func(*actor) error) error { return q.Manager.do(q.id, f) }

func (q *request) put() error {
	var body createBody
	if err := q.decode(&body); err != nil {
		return err
	}
	c, err := body.config(q.limits)
	if err != nil {
		return err
	}
	var v *view
	var created bool
	err = q.do(func(a *actor) (err error) {
		v, created, err = a.create(c, q.Base)
		return err
	})
	if err != nil {
		return err
	}
	if created {
		return q.reply(http.StatusCreated, q.describe(v))
	}
	return q.reply(http.StatusOK, q.describe(v))
}

func (q *request) get() error {
	var v *view
	err := q.do(func(a *actor) (err error) {
		if err := a.exists(); err != nil {
			return err
		}
		v, err = a.view()
		return err
	})
	if err != nil {
		return err
	}
	return q.reply(http.StatusOK, q.describe(v))
}

func (q *request) delete() error {
	if err := q.do((*actor).remove); err != nil {
		return err
	}
	return q.noContent()
}

func (q *request) addStreams() error {
	var body struct {
		Streams []string `json:"streams"`
	}
	if err := q.decode(&body); err != nil {
		return err
	}
	streams, err := checkStreams(body.Streams, q.limits)
	if err != nil {
		return err
	}
	if len(streams) == 0 {
		return invalid("streams", "must name at least one stream")
	}
	if err := q.do(func(a *actor) error { return a.link(streams) }); err != nil {
		return err
	}
	return q.noContent()
}

func (q *request) removeStream(path string) error {
	stream, err := checkPath("path", path, q.limits)
	if err != nil {
		return err
	}
	if err := q.do(func(a *actor) error { return a.unlink(stream) }); err != nil {
		return err
	}
	return q.noContent()
}

func (q *request) claim() error {
	var body struct {
		Worker string `json:"worker"`
	}
	if err := q.decode(&body); err != nil {
		return err
	}
	if err := checkName("worker", body.Worker); err != nil {
		return err
	}
	var c *claimed
	err := q.do(func(a *actor) (err error) {
		c, err = a.claim(body.Worker)
		return err
	})
	if err != nil {
		return err
	}
	return q.reply(http.StatusOK, c)
}

func (q *request) report(kind string) error {
	p, err := q.progress()
	if err != nil {
		return err
	}
	var answer struct {
		OK       bool `json:"ok"`
		NextWake bool `json:"next_wake"`
	}
	answer.OK = true
	err = q.do(func(a *actor) (err error) {
		answer.NextWake, err = a.report(p, kind)
		return err
	})
	if err != nil {
		return err
	}
	return q.reply(http.StatusOK, answer)
}

func (q *request) release() error {
	p, err := q.progress()
	if err != nil {
		return err
	}
	if err := q.do(func(a *actor) error { return a.release(p) }); err != nil {
		return err
	}
	return q.noContent()
}

// progress parses a callback, ack or release. Anybody may send one, so a token
// that is none comes first: else the answer would tell which subscriptions there
// are. That there is no such subscription comes before what is wrong with the body.
func (q *request) progress() (*progress, error) {
	scheme, token, _ := strings.Cut(q.r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return nil, refuse(CodeTokenInvalid, "the Authorization header with the token of the wake is missing")
	}
	if _, ok := q.keys.Load().claims(token); !ok {
		return nil, refuse(CodeTokenInvalid, "the bearer token is not that of a wake")
	}
	if err := q.do((*actor).exists); err != nil {
		return nil, err
	}
	var body struct {
		WakeID     string `json:"wake_id"`
		Generation *int64 `json:"generation"`
		Acks       []struct {
			Stream string `json:"stream"`
			Path   string `json:"path"` // what the streams of a wake call it
			Offset string `json:"offset"`
		} `json:"acks"`
		Done bool `json:"done"`
	}
	if err := q.decode(&body); err != nil {
		return nil, err
	}
	if body.WakeID == "" {
		return nil, invalid("wake_id", "missing")
	}
	if body.Generation == nil {
		return nil, invalid("generation", "missing")
	}
	if len(body.Acks) > maxStreams {
		return nil, invalid("acks", "more than %d in one request", maxStreams)
	}
	p := &progress{token: token, wakeID: body.WakeID, generation: *body.Generation, done: body.Done}
	for _, a := range body.Acks {
		ack, err := parseAck(cmp.Or(a.Stream, a.Path), a.Offset, q.limits)
		if err != nil {
			return nil, err
		}
		p.acks = append(p.acks, ack)
	}
	return p, nil
}

// decode reads a JSON body. An empty one is an empty object.
func (q *request) decode(into any) error {
	raw, err := q.Body()
	if err != nil {
		return err
	}
	if len(raw) == 0 {
		return nil
	}
	var mistyped *json.UnmarshalTypeError
	switch err := json.Unmarshal(raw, into); {
	case errors.As(err, &mistyped) && mistyped.Field != "":
		return invalid(mistyped.Field, "must be %s", jsonType(mistyped.Type.String()))
	case errors.As(err, &mistyped):
		return invalid("body", "must be a JSON object")
	case err != nil:
		return invalid("body", "not valid JSON: %v", err)
	}
	return nil
}

// jsonType names a Go type as JSON does.
func jsonType(t string) string {
	switch t = strings.TrimPrefix(t, "*"); {
	case t == "string":
		return "a string"
	case t == "bool":
		return "true or false"
	case t == "int64":
		return "a whole number"
	case strings.HasPrefix(t, "[]"):
		return "an array"
	default:
		return "an object"
	}
}

func (q *request) reply(status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	h := q.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", fmt.Sprint(len(body)))
	q.w.WriteHeader(status)
	if q.r.Method != http.MethodHead {
		_, _ = q.w.Write(body) // a client that does not read its answer cannot be told
	}
	return nil
}

func (q *request) noContent() error {
	q.w.WriteHeader(http.StatusNoContent)
	return nil
}

// timestamp is a time as the specification writes it.
func timestamp(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}
