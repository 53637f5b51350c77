package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tailrace/backend/protocol"
)

// Server is what is measured.
type Server struct {
	Name  string // of its column; "": host and port
	URL   string // http://host:port, or with the path under which its streams live
	Token string // bearer token; "": none
}

// server is a Server as the clients use it.
type server struct {
	Server
	root    url.URL
	header  http.Header // of every request
	noop    bool        // stores nothing: only appends and creations, and nothing to verify
	process *process    // nil: not on this machine, or not to be seen
}

func newServer(s Server) (*server, error) {
	u, err := url.Parse(s.URL)
	if err != nil {
		return nil, fmt.Errorf("%q is no URL: %w", s.URL, err)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("%q is no URL of a server: http://host:port is expected", s.URL)
	}
	u.Path = strings.TrimSuffix(u.Path, "/") + "/"
	if u.Path == "/" {
		u.Path = protocol.Root
	}
	u.RawQuery, u.Fragment = "", ""
	if s.Name == "" {
		s.Name = u.Host
	}
	out := &server{Server: s, root: *u, header: http.Header{}}
	if s.Token != "" {
		out.header.Set("Authorization", "Bearer "+s.Token)
	}
	return out, nil
}

// address is the TCP address that the server listens on.
func (s *server) address() string {
	if s.root.Port() != "" {
		return s.root.Host
	}
	return net.JoinHostPort(s.root.Hostname(), s.root.Scheme)
}

// newTransport makes a client. Its connections stay open until it is closed; there
// is no proxy, no compression and no HTTP/2, so that all servers get the same.
func newTransport() *http.Transport {
	const conns = 1024 // more than any scenario has at a time
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		MaxIdleConns:        conns,
		MaxIdleConnsPerHost: conns,
		DisableCompression:  true,
		ReadBufferSize:      16 << 10,
		WriteBufferSize:     16 << 10,
	}
}

// request makes a request; header is shared and never changed.
func (s *server) request(ctx context.Context, method, path string, header http.Header, body []byte) *http.Request {
	u := s.root
	u.Path += path
	r := &http.Request{Method: method, URL: &u, Host: u.Host, Header: header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	if body != nil {
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.ContentLength = int64(len(body))
	}
	return r.WithContext(ctx)
}

// send makes a request and throws the body of the answer away. Statuses that are
// not wanted are errors that quote the server.
func (s *server) send(t *http.Transport, r *http.Request, want ...int) error {
	res, err := t.RoundTrip(r)
	if err != nil {
		return fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, err)
	}
	defer res.Body.Close()
	for _, status := range want {
		if res.StatusCode == status {
			if res.ContentLength == 0 {
				return nil
			}
			_, err := io.Copy(io.Discard, res.Body)
			return err
		}
	}
	return unwanted(r, res)
}

// unwanted is the error for an answer that was not hoped for.
func unwanted(r *http.Request, res *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(res.Body, 300)) // what there is of it explains the status
	return fmt.Errorf("%s %s: the server answered %s: %s", r.Method, r.URL.Path, res.Status, bytes.TrimSpace(body))
}

func (s *server) with(pairs ...string) http.Header {
	h := s.header.Clone()
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

// pages reads a stream from its beginning to its tail, page after page, as one
// io.Reader.
type pages struct {
	ctx    context.Context
	t      *http.Transport
	server *server
	path   string
	header http.Header
	offset string
	body   io.ReadCloser
	last   bool // the page being read ends at the tail
}

func (c *cell) read(ctx context.Context, path string) *pages {
	return &pages{ctx: ctx, t: c.transport, server: c.server, path: path, header: c.server.header, offset: "-1"}
}

func (p *pages) Read(b []byte) (int, error) {
	for {
		if p.body == nil {
			if p.last {
				return 0, io.EOF
			}
			if err := p.next(); err != nil {
				return 0, err
			}
		}
		n, err := p.body.Read(b)
		if err == io.EOF {
			err = p.body.Close()
			p.body = nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// next asks for the page at the offset.
func (p *pages) next() error {
	r := p.server.request(p.ctx, http.MethodGet, p.path, p.header, nil)
	r.URL.RawQuery = protocol.QueryOffset + "=" + url.QueryEscape(p.offset)
	res, err := p.t.RoundTrip(r)
	if err != nil {
		return fmt.Errorf("GET %s: %w", r.URL.Path, err)
	}
	if res.StatusCode != http.StatusOK {
		defer res.Body.Close()
		return unwanted(r, res)
	}
	next := res.Header.Get(protocol.HeaderStreamNextOffset)
	p.last = protocol.IsTrue(res.Header.Get(protocol.HeaderStreamUpToDate))
	if next == "" || (next == p.offset && !p.last) {
		res.Body.Close()
		return errors.New("a read neither goes on nor ends: " + protocol.HeaderStreamNextOffset + " is " + next)
	}
	p.offset, p.body = next, res.Body
	return nil
}

func (p *pages) Close() error {
	if p.body == nil {
		return nil
	}
	return p.body.Close()
}
