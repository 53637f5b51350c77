package torture

import (
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"tailrace/test/program"
)

// large reports whether the long versions are wanted.
func large() bool { return os.Getenv("TAILRACE_TORTURE") != "" }

// seeded returns the random numbers of one part of a test.
func seeded(t *testing.T) func(part uint64) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if s := os.Getenv("TAILRACE_TORTURE_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal("TAILRACE_TORTURE_SEED: ", err)
		}
	}
	t.Logf("TAILRACE_TORTURE_SEED=%d", seed)
	return func(part uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, part)) }
}

func TestMain(m *testing.M) {
	raiseFileLimit()
	program.Main(m)
}

// server is a running program.
type server struct {
	*program.Program
	t      *testing.T
	client *http.Client
	dying  atomic.Bool // requests may fail from now on
}

// launch starts the program on a data folder and does not wait for it.
func launch(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	return client(t, program.Launch(t, dir, args...))
}

// start launches the program and waits until it serves. A start that is refused
// fails the test.
func start(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	return client(t, program.Start(t, dir, args...))
}

func client(t *testing.T, p *program.Program) *server {
	s := &server{Program: p, t: t, client: &http.Client{
		Timeout: program.Patience, Transport: &http.Transport{MaxIdleConnsPerHost: 64},
	}}
	t.Cleanup(s.kill)
	return s
}

// kill ends the process at once and looks at what it has logged.
func (s *server) kill() {
	s.dying.Store(true)
	s.Kill()
	s.client.CloseIdleConnections()
	s.CheckOutput()
}

// reply is a complete response.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) next() string { return r.header.Get("Stream-Next-Offset") }
func (r reply) closed() bool { return r.header.Get("Stream-Closed") == "true" }

// do sends a request; header holds names and values in turn. It reports false
// when there is no answer, which is a failure unless the server has been killed.
func (s *server) do(method, path, body string, header ...string) (reply, bool) {
	req, err := http.NewRequest(method, s.DataURL+"/v1/stream/"+path, strings.NewReader(body))
	if err != nil {
		s.t.Error(err)
		return reply{}, false
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	r, err := s.roundTrip(req)
	if err != nil {
		if !s.dying.Load() {
			s.t.Errorf("%s %s: %v", method, path, err)
		}
		return reply{}, false
	}
	return r, true
}

func (s *server) roundTrip(req *http.Request) (reply, error) {
	res, err := s.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, body}, err
}

// must is do by the test itself, which expects a status.
func (s *server) must(status int, method, path, body string, header ...string) reply {
	s.t.Helper()
	r, ok := s.do(method, path, body, header...)
	if !ok {
		s.t.Fatalf("%s %s: no answer", method, path)
	}
	if r.status != status {
		s.t.Fatalf("%s %s: %d, want %d: %s", method, path, r.status, status, r.body)
	}
	return r
}

// read returns the whole content of a stream and its last reply, whose status is
// not 200 when it cannot be read.
func (s *server) read(path, from string) ([]byte, reply) {
	s.t.Helper()
	var all []byte
	for {
		r, ok := s.do(http.MethodGet, path+"?offset="+url.QueryEscape(from), "")
		if !ok {
			s.t.Fatalf("read %s: no answer", path)
		}
		if r.status != http.StatusOK {
			return nil, r
		}
		if r.header.Get("Content-Type") == jsonType {
			if len(all) > 0 && len(r.body) > 2 {
				all = append(all, ',')
			}
			all = append(all, r.body[1:len(r.body)-1]...)
		} else {
			all = append(all, r.body...)
		}
		if r.header.Get("Stream-Up-To-Date") == "true" {
			return all, r
		}
		if r.next() == from {
			s.t.Fatalf("read %s: no progress at %s", path, from)
		}
		from = r.next()
	}
}

// metric returns one value of /metrics.
func (s *server) metric(name string) float64 {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.DataURL+"/metrics", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := s.roundTrip(req)
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(r.body)) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return v
		}
	}
	s.t.Fatalf("no metric %s", name)
	return 0
}
