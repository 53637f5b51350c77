package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

const (
	typeJSON = "application/json"
	typeText = "text/plain; charset=utf-8"
)

// client speaks the protocol.
type client struct {
	http  *http.Client
	root  string
	token string
}

// as returns a client under another user agent.
func (c *client) as(agent string) *user { return &user{c, agent} }

// user is one program that uses the server.
type user struct {
	*client
	agent string
}

type response struct {
	status int
	header http.Header
	body   []byte
}

func (r *response) refusal() error {
	return fmt.Errorf("the server answered %d: %s", r.status, r.body)
}

// do makes a request and reads its answer.
func (c *client) do(ctx context.Context, method, path string, header map[string]string, body string) (*response, error) {
	res, err := c.open(ctx, method, path, header, body)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	return &response{res.StatusCode, res.Header, answer}, err
}

// open makes a request whose answer goes on.
func (c *client) open(ctx context.Context, method, path string, header map[string]string, body string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.root+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "tailrace-demo")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	return c.http.Do(req)
}

// create makes a stream, or finds it as it was made before.
func (u *user) create(ctx context.Context, path, contentType string, header map[string]string) error {
	h := map[string]string{"User-Agent": u.agent, "Content-Type": contentType}
	for name, value := range header {
		h[name] = value
	}
	res, err := u.do(ctx, http.MethodPut, path, h, "")
	if err == nil && res.status != http.StatusCreated && res.status != http.StatusOK {
		err = res.refusal()
	}
	return err
}

// append writes without being a producer.
func (u *user) append(ctx context.Context, path, contentType, body string) error {
	res, err := u.do(ctx, http.MethodPost, path, map[string]string{"User-Agent": u.agent, "Content-Type": contentType}, body)
	if err == nil && res.status/100 != 2 {
		err = res.refusal()
	}
	return err
}

// producer writes each of its messages once, however often it has to send it
// (PROTOCOL §5.2.1).
type producer struct {
	*user
	path, contentType, id string
	epoch, seq            int64 // of the next append
}

// produce makes a producer that begins an epoch of its own, whoever wrote under
// its id before: it raises the epoch until its first message is new.
func (u *user) produce(ctx context.Context, path, contentType, id, first string) (*producer, error) {
	p := &producer{user: u, path: path, contentType: contentType, id: id}
	for {
		res, err := p.send(ctx, p.epoch, 0, first)
		if err != nil {
			return nil, err
		}
		switch res.status {
		case http.StatusOK:
			p.seq = 1
			return p, nil
		case http.StatusNoContent, http.StatusForbidden: // a duplicate, or fenced
			current, err := strconv.ParseInt(res.header.Get("Producer-Epoch"), 10, 64)
			if err != nil {
				return nil, res.refusal()
			}
			p.epoch = current + 1
		default:
			return nil, res.refusal()
		}
	}
}

// send makes one append with a triple.
func (p *producer) send(ctx context.Context, epoch, seq int64, body string) (*response, error) {
	return p.do(ctx, http.MethodPost, p.path, map[string]string{
		"User-Agent": p.agent, "Content-Type": p.contentType,
		"Producer-Id": p.id, "Producer-Epoch": strconv.FormatInt(epoch, 10), "Producer-Seq": strconv.FormatInt(seq, 10),
	}, body)
}

// write appends the next message. Whoever calls it again after an error sends the
// same one again, which the server stores at most once.
func (p *producer) write(ctx context.Context, body string) error {
	res, err := p.send(ctx, p.epoch, p.seq, body)
	if err != nil {
		return err
	}
	if res.status/100 != 2 {
		return res.refusal()
	}
	p.seq++
	return nil
}

// text is a value as JSON.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	return string(b)
}

var errEnded = errors.New("the stream has ended")
