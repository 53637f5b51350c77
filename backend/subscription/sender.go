package subscription

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// maxDeliveries is how many deliveries are under way at most.
	maxDeliveries = 256
	// maxAnswerBytes bounds what is read of an answer; {"done":true} is all that
	// counts in it.
	maxAnswerBytes = 64 << 10
)

// sender makes webhook requests.
type sender struct {
	client    *http.Client
	transport *http.Transport
	slots     chan struct{}
}

func newSender(d *dialer) *sender {
	t := &http.Transport{
		Proxy:                  nil, // a proxy would resolve names by itself
		DialContext:            d.DialContext,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxIdleConnsPerHost:    4,
		MaxIdleConns:           maxDeliveries,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true, // nothing to inflate
	}
	return &sender{
		client: &http.Client{
			Transport:     t,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		transport: t,
		slots:     make(chan struct{}, maxDeliveries),
	}
}

func (s *sender) close() { s.transport.CloseIdleConnections() }

// send posts a body to a webhook and reads its answer, within a time that counts
// from when there is a slot for it.
func (s *sender) send(ctx context.Context, target string, body []byte, timeout time.Duration, sign func([]byte) string) outcome {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return outcome{err: ctx.Err()}
	}
	o := outcome{started: time.Now()}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %v", timeout))
	defer cancel()
	o.done, o.status, o.err = s.post(ctx, target, body, sign(body))
	o.took = time.Since(o.started)
	if o.err != nil && errors.Is(o.err, context.DeadlineExceeded) {
		o.err = context.Cause(ctx)
	}
	return o
}

func (s *sender) post(ctx context.Context, target string, body []byte, signature string) (done bool, status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return false, 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Tailrace")
	req.Header.Set("Webhook-Signature", signature)
	res, err := s.client.Do(req)
	if err != nil {
		// It names the URL, which may hold a secret of the receiver.
		var named *url.Error
		if errors.As(err, &named) {
			err = named.Err
		}
		if errors.Is(err, io.EOF) {
			err = errors.New("the receiver hung up without an answer")
		}
		return false, 0, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswerBytes+1))
	words := strings.TrimSpace(fmt.Sprint(res.StatusCode, " ", http.StatusText(res.StatusCode))) // not in the receiver's words
	if res.StatusCode >= 300 && res.StatusCode <= 399 {
		return false, res.StatusCode, fmt.Errorf("the receiver answered %s; redirects are not followed", words)
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return false, res.StatusCode, fmt.Errorf("the receiver answered %s", words)
	}
	if err != nil {
		return false, res.StatusCode, fmt.Errorf("read the answer: %w", err)
	}
	var a struct {
		Done bool `json:"done"`
	}
	if len(answer) > maxAnswerBytes || json.Unmarshal(answer, &a) != nil {
		return false, res.StatusCode, nil // taken, but not done: a callback is to follow
	}
	return a.Done, res.StatusCode, nil
}
