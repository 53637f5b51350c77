package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"tailrace/backend/protocol"
)

// live asks for what comes behind the listener's offset.
func (l *listener) live(ctx context.Context, mode string, header http.Header) (*http.Response, error) {
	r := l.cell.server.request(ctx, http.MethodGet, l.path, header, nil)
	q := url.Values{protocol.QueryOffset: {l.offset}, protocol.QueryLive: {mode}}
	if l.cursor != "" {
		q.Set(protocol.QueryCursor, l.cursor)
	}
	r.URL.RawQuery = q.Encode()
	res, err := l.cell.transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if res.StatusCode == http.StatusOK || (res.StatusCode == http.StatusNoContent && mode == protocol.LiveLongPoll) {
		return res, nil
	}
	return nil, errors.Join(unwanted(r, res), res.Body.Close())
}

// followLongPoll polls until the context ends.
func followLongPoll(ctx context.Context, l *listener) error {
	for ctx.Err() == nil {
		// With an offset a poll waits; at the beginning a server need not say that it does.
		l.connect()
		res, err := l.live(ctx, protocol.LiveLongPoll, l.cell.server.header)
		var body []byte
		if err == nil {
			body, err = io.ReadAll(res.Body)
			err = errors.Join(err, res.Body.Close())
		}
		if err != nil {
			if over(ctx, err) {
				return nil
			}
			return err
		}
		l.take(body, time.Now())
		next := res.Header.Get(protocol.HeaderStreamNextOffset)
		if next == "" {
			return mismatch("a long-poll was answered without " + protocol.HeaderStreamNextOffset)
		}
		l.offset, l.cursor = next, res.Header.Get(protocol.HeaderStreamCursor)
	}
	return nil
}

// followSSE reads events until the context ends. Where a server ends a response, it
// goes on behind the last control event.
func followSSE(ctx context.Context, l *listener) error {
	header := l.cell.server.with("Accept", "text/event-stream")
	for ctx.Err() == nil {
		res, err := l.live(ctx, protocol.LiveSSE, header)
		if err == nil {
			l.connect()
			err = errors.Join(l.events(res.Body), res.Body.Close())
		}
		if err != nil && !over(ctx, err) {
			return err
		}
	}
	return nil
}

// events reads one response to its end. Data counts when the control event behind
// it has come.
func (l *listener) events(body io.Reader) error {
	var (
		lines   = bufio.NewReaderSize(body, 4<<10)
		kind    string
		data    []byte // of the event being read
		pending []byte // of the data events since the last control event
		at      time.Time
	)
	for {
		line, err := readLine(lines)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch {
		case len(line) > 0 && string(name) == "event":
			kind = string(value)
		case len(line) > 0 && string(name) == "data":
			if len(data) > 0 {
				data = append(data, '\n')
			}
			data = append(data, value...)
		case len(line) == 0 && kind == "data":
			pending, at = append(pending, data...), time.Now()
			kind, data = "", data[:0]
		case len(line) == 0 && kind == "control":
			if err := l.control(data); err != nil {
				return err
			}
			l.take(pending, at)
			kind, data, pending = "", data[:0], pending[:0]
		}
	}
}

// readLine returns a line without its end, valid until the next call.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		head := bytes.Clone(line)
		var rest []byte
		rest, err = r.ReadBytes('\n')
		line = append(head, rest...)
	}
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(line, "\r\n"), nil
}

// control reads where to go on.
func (l *listener) control(data []byte) error {
	var c struct {
		Next   string `json:"streamNextOffset"`
		Cursor string `json:"streamCursor"`
	}
	if err := json.Unmarshal(data, &c); err != nil || c.Next == "" {
		return fmt.Errorf("a control event holds no offset: %q", excerpt(data))
	}
	l.offset, l.cursor = c.Next, c.Cursor
	return nil
}
