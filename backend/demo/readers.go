package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// follow reads a stream by SSE from an offset on until it ends, as fast as it may:
// bytesPerSecond is how much it takes; 0: whatever comes. It goes on where it was
// when the server ends the response (PROTOCOL §5.8).
func (u *user) follow(ctx context.Context, path, offset string, bytesPerSecond int) error {
	for {
		next, closed, err := u.followOnce(ctx, path, offset, bytesPerSecond)
		switch {
		case err != nil:
			return err
		case closed:
			return errEnded
		}
		offset = next
	}
}

func (u *user) followOnce(ctx context.Context, path, offset string, bytesPerSecond int) (next string, closed bool, err error) {
	query := url.Values{"offset": {offset}, "live": {"sse"}}
	res, err := u.open(ctx, http.MethodGet, path+"?"+query.Encode(), map[string]string{"User-Agent": u.agent, "Accept": "text/event-stream"}, "")
	if err != nil {
		return "", false, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return "", false, (&response{status: res.StatusCode}).refusal()
	}
	next = offset
	control := false
	lines := bufio.NewReader(&slowed{res.Body, ctx, bytesPerSecond})
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return next, closed, ctx.Err() // the response has ended, which is no error
		}
		if strings.HasPrefix(line, "event:") {
			control = strings.TrimSpace(line) == "event: control"
		}
		if data, ok := strings.CutPrefix(line, "data:"); ok && control {
			var at struct {
				Next   string `json:"streamNextOffset"`
				Closed bool   `json:"streamClosed"`
			}
			if err := json.Unmarshal([]byte(data), &at); err != nil {
				return "", false, err
			}
			next, closed = at.Next, at.Closed
		}
	}
}

// poll reads a stream by long-polls from its tail on. It calls back once it knows
// where that is, and with each answer that holds something (PROTOCOL §5.7).
func (u *user) poll(ctx context.Context, path string, received func() error) error {
	offset, cursor := "now", ""
	for {
		query := url.Values{"offset": {offset}}
		if offset != "now" {
			query.Set("live", "long-poll")
		}
		if cursor != "" {
			query.Set("cursor", cursor)
		}
		res, err := u.do(ctx, http.MethodGet, path+"?"+query.Encode(), map[string]string{"User-Agent": u.agent}, "")
		if err != nil {
			return err
		}
		if res.status/100 != 2 {
			return res.refusal()
		}
		if res.status == http.StatusOK {
			if err := received(); err != nil {
				return err
			}
		}
		offset, cursor = res.header.Get("Stream-Next-Offset"), res.header.Get("Stream-Cursor")
		if res.header.Get("Stream-Closed") != "" {
			return errEnded
		}
	}
}

// slowed reads no faster than it is allowed to.
type slowed struct {
	io.Reader
	ctx            context.Context //nolint:containedctx // lives as long as the request
	bytesPerSecond int
}

func (s *slowed) Read(b []byte) (int, error) {
	if s.bytesPerSecond == 0 {
		return s.Reader.Read(b)
	}
	const steps = 5 // a second
	if !pause(s.ctx, time.Second/steps) {
		return 0, s.ctx.Err()
	}
	return s.Reader.Read(b[:min(len(b), s.bytesPerSecond/steps)])
}
