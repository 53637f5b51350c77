package mirror

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"tailrace/backend/loopback"
	"tailrace/backend/protocol"
)

// ParseRemote reads the address of a remote's stream root, such as
// https://host/v1/stream/. Plain HTTP is for this machine, unless insecure is set.
func ParseRemote(text string, insecure bool) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return nil, &RequestError{fmt.Sprintf("%q is not the address of a stream root, such as https://host/v1/stream/", text)}
	case u.User != nil:
		return nil, &RequestError{"the address of a remote holds no user name or password: put them into a header file"}
	case u.RawQuery != "" || u.Fragment != "":
		return nil, &RequestError{"the address of a stream root has no ? and no #"}
	case u.Scheme == "http" && !insecure && !loopback.IsName(u.Hostname()):
		return nil, &RequestError{"http:// is for this machine: everybody on the way could read the streams and the header; use https://, or allow it explicitly (insecure)"}
	}
	if !strings.HasSuffix(u.Path, "/") {
		u = u.JoinPath("/")
	}
	return u, nil
}

// remote speaks the protocol with another server.
type remote struct {
	root   *url.URL
	client *http.Client
	header credentials
}

// Bounds of what a remote may take for an answer, and for the next part of it. A
// live read is answered late on purpose.
const (
	answerTimeout = 60 * time.Second
	liveTimeout   = 3 * time.Minute
)

func newRemote(root *url.URL, header credentials) *remote {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	return &remote{root: root, header: header, client: &http.Client{
		Transport: transport,
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			from := via[0]
			switch {
			case next.URL.Host != from.URL.Host || next.URL.Scheme != from.URL.Scheme:
				// The header is for the server that was named, and for no other.
				return &redirectError{next.URL.Scheme + "://" + next.URL.Host}
			case next.Method != from.Method || len(via) > 5:
				return errors.New("the remote redirects to where a request cannot be sent again")
			}
			return nil
		},
	}}
}

func (r *remote) close() { r.client.CloseIdleConnections() }

// redirectError: the remote sends on to another server.
type redirectError struct{ to string }

func (e *redirectError) Error() string {
	return "the remote redirects to another server, " + e.to + ", which does not get the header; name that one as the remote"
}

// refusal is an answer that is not a success.
type refusal struct {
	status     int
	detail     string
	retryAfter time.Duration
	closed     bool // the stream is closed
	// expectedSeq and epoch are what the remote tells about the producer; -1: nothing.
	expectedSeq, epoch int64
}

func (e *refusal) Error() string {
	text := fmt.Sprintf("the remote answers %d %s", e.status, http.StatusText(e.status))
	if e.detail != "" {
		text += ": " + e.detail
	}
	return text
}

func refused(err error, status ...int) bool {
	var r *refusal
	if !errors.As(err, &r) {
		return false
	}
	for _, s := range status {
		if r.status == s {
			return true
		}
	}
	return false
}

// answer is a success.
type answer struct {
	status      int
	created     bool
	contentType string
	next        string // offset token
	upToDate    bool
	closed      bool
	cursor      string
	ttl, expiry string
	seq         int64 // the highest that the remote has accepted; -1: it does not tell
	body        io.ReadCloser
}

// send makes a request. The caller closes the body of the answer. Neither body stalls
// for longer than patience; how long all of it takes is a matter of the line.
func (r *remote) send(ctx context.Context, method, path, query string, header http.Header, body []byte, patience time.Duration) (*answer, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	stall := time.AfterFunc(patience, func() { cancel(errors.New("the remote does not answer in time")) })
	res, err := r.do(ctx, method, path, query, header, body, func() { stall.Reset(patience) })
	if err != nil {
		stall.Stop()
		if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.Canceled) {
			err = cause
		}
		cancel(nil)
		return nil, err
	}
	guarded := &guardedBody{ReadCloser: res.Body, stall: stall, patience: patience, end: func() { cancel(nil) }}
	if res.StatusCode/100 != 2 {
		defer func() { _ = guarded.Close() }() // the refusal counts
		return nil, r.refusal(res, guarded)
	}
	h := res.Header
	return &answer{
		status: res.StatusCode, created: res.StatusCode == http.StatusCreated, contentType: h.Get("Content-Type"),
		next: h.Get(protocol.HeaderStreamNextOffset), upToDate: protocol.IsTrue(h.Get(protocol.HeaderStreamUpToDate)),
		closed: protocol.IsTrue(h.Get(protocol.HeaderStreamClosed)), cursor: h.Get(protocol.HeaderStreamCursor),
		ttl: h.Get(protocol.HeaderStreamTTL), expiry: h.Get(protocol.HeaderStreamExpiresAt),
		seq: number(h.Get(protocol.HeaderProducerSeq)), body: guarded,
	}, nil
}

func (r *remote) do(ctx context.Context, method, path, query string, header http.Header, body []byte, progress func()) (*http.Response, error) {
	u := *r.root
	escaped := make([]string, 0, 4)
	for segment := range strings.SplitSeq(path, "/") {
		escaped = append(escaped, url.PathEscape(segment))
	}
	u.RawPath = r.root.EscapedPath() + strings.Join(escaped, "/")
	u.Path = r.root.Path + path
	u.RawQuery = query
	req, err := http.NewRequestWithContext(ctx, method, u.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	if len(body) > 0 {
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(&upload{bytes.NewReader(body), progress}), nil }
		req.Body, _ = req.GetBody() // it never fails
		req.ContentLength = int64(len(body))
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if err := r.header.add(req.Header); err != nil {
		return nil, err
	}
	res, err := r.client.Do(req)
	if err == nil {
		return res, nil
	}
	var elsewhere *redirectError
	if errors.As(err, &elsewhere) {
		return nil, &stopError{elsewhere.Error()}
	}
	var wrapped *url.Error // names the address once more, which is known
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return nil, fmt.Errorf("reach %s: %w", r.root.Host, err)
}

// refusal reads what a refused request was answered with. What the remote says may
// repeat what it was sent: the header does not get on.
func (r *remote) refusal(res *http.Response, body io.Reader) error {
	text, _ := io.ReadAll(io.LimitReader(body, 2048)) // what there is of it helps
	detail := strings.Join(strings.FieldsFunc(strings.ToValidUTF8(string(text), "?"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) // it may end in a terminal
	}), " ")
	if len(detail) > 300 {
		detail = strings.ToValidUTF8(detail[:300], "") + "…"
	}
	h := res.Header
	return &refusal{
		status: res.StatusCode, detail: r.header.redact(detail), retryAfter: retryAfter(h.Get("Retry-After")),
		closed:      protocol.IsTrue(h.Get(protocol.HeaderStreamClosed)),
		expectedSeq: number(h.Get(protocol.HeaderProducerExpectedSeq)), epoch: number(h.Get(protocol.HeaderProducerEpoch)),
	}
}

// retryAfter reads the header of that name: seconds, or a time.
func retryAfter(text string) time.Duration {
	if n, err := strconv.ParseInt(text, 10, 32); err == nil && n >= 0 {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

func number(text string) int64 {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	return -1
}

// upload is the body of a request, which tells when some of it is taken.
type upload struct {
	from     io.Reader
	progress func()
}

func (u *upload) Read(p []byte) (int, error) {
	u.progress()
	return u.from.Read(p)
}

// guardedBody gives up when nothing comes for too long, and lets go of the request
// when it is closed.
type guardedBody struct {
	io.ReadCloser
	stall    *time.Timer
	patience time.Duration
	end      func()
}

func (b *guardedBody) Read(p []byte) (int, error) {
	b.stall.Reset(b.patience)
	return b.ReadCloser.Read(p)
}

func (b *guardedBody) Close() error {
	defer b.end()
	defer b.stall.Stop()
	_, _ = io.Copy(io.Discard, io.LimitReader(b, 64<<10)) // so that the connection can be used again
	return b.ReadCloser.Close()
}

// brief makes a request whose answer's body does not matter.
func (r *remote) brief(ctx context.Context, method, path string, header http.Header, body []byte) (*answer, error) {
	a, err := r.send(ctx, method, path, "", header, body, answerTimeout)
	if err != nil {
		return nil, err
	}
	return a, a.body.Close()
}

func (r *remote) head(ctx context.Context, path string) (*answer, error) {
	return r.brief(ctx, http.MethodHead, path, nil, nil)
}

// create makes sure that there is a stream (PROTOCOL §5.1).
func (r *remote) create(ctx context.Context, path, contentType string, e protocol.Expiry) (*answer, error) {
	h := http.Header{"Content-Type": {contentType}}
	if e.HasTTL {
		h[protocol.HeaderStreamTTL] = []string{strconv.FormatInt(e.TTL, 10)}
	}
	if e.AtRaw != "" {
		h[protocol.HeaderStreamExpiresAt] = []string{e.AtRaw}
	}
	return r.brief(ctx, http.MethodPut, path, h, nil)
}

// append appends as a producer; without a body it only closes (PROTOCOL §5.2).
func (r *remote) append(ctx context.Context, path, contentType string, body []byte, p protocol.Producer, closing bool) (*answer, error) {
	h := http.Header{
		"Content-Type":               {contentType},
		protocol.HeaderProducerID:    {p.ID},
		protocol.HeaderProducerEpoch: {strconv.FormatInt(p.Epoch, 10)},
		protocol.HeaderProducerSeq:   {strconv.FormatInt(p.Seq, 10)},
	}
	if closing {
		h[protocol.HeaderStreamClosed] = []string{"true"}
	}
	return r.brief(ctx, http.MethodPost, path, h, body)
}

// read reads from an offset on; a live read waits when there is nothing.
func (r *remote) read(ctx context.Context, path, offset string, live bool, cursor string) (*answer, error) {
	q := url.Values{protocol.QueryOffset: {offset}}
	patience := answerTimeout
	if live {
		patience = liveTimeout
		q.Set(protocol.QueryLive, protocol.LiveLongPoll)
		if cursor != "" {
			q.Set(protocol.QueryCursor, cursor)
		}
	}
	a, err := r.send(ctx, http.MethodGet, path, q.Encode(), nil, nil, patience)
	if err == nil && a.next == "" {
		return nil, errors.Join(&stopError{"the remote does not tell the next offset: it speaks another protocol"}, a.body.Close())
	}
	return a, err
}
