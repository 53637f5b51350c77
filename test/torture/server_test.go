package torture

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// patience bounds every wait for the program.
const patience = 30 * time.Second

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

var built struct {
	once sync.Once
	dir  string
	bin  string
	err  error
}

// TestMain removes what program has built.
func TestMain(m *testing.M) {
	raiseFileLimit()
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir) // a left-over in the temporary folder harms nobody
	}
	os.Exit(code)
}

// program is the program under test: TAILRACE_BIN or a fresh build.
func program(t *testing.T) string {
	t.Helper()
	if bin := os.Getenv("TAILRACE_BIN"); bin != "" {
		return bin
	}
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "tailrace-torture"); built.err != nil {
			return
		}
		built.bin = filepath.Join(built.dir, "tailrace")
		if runtime.GOOS == "windows" {
			built.bin += ".exe"
		}
		cmd := exec.Command("go", "build", "-o", built.bin, "tailrace")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("build: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.bin
}

// output is what the program has written.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// server is a running program.
type server struct {
	t      *testing.T
	cmd    *exec.Cmd
	out    *output
	root   string // of the data listener
	client *http.Client
	dying  atomic.Bool   // requests may fail from now on
	exit   chan struct{} // closed when the process has ended
}

// launch starts the program on a data folder and does not wait for it.
func launch(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	ready := filepath.Join(dir, "ready.json")
	if err := os.Remove(ready); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	s := &server{
		t: t, out: &output{}, exit: make(chan struct{}),
		client: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	}
	s.cmd = exec.Command(program(t), append([]string{
		"serve", "--listen", "127.0.0.1:0", "--inspect", "127.0.0.1:0",
		"--data-dir", filepath.Join(dir, "data"), "--ready-file", ready,
	}, args...)...)
	s.cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+dir)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = s.cmd.Wait() // killed: that is the point
		close(s.exit)
	}()
	t.Cleanup(s.kill)
	return s
}

// start launches the program and waits until it serves. A start that is refused
// fails the test.
func start(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	s := launch(t, dir, args...)
	deadline := time.After(patience)
	for {
		var info struct {
			DataURL string `json:"data_url"`
		}
		if b, err := os.ReadFile(filepath.Join(dir, "ready.json")); err == nil && json.Unmarshal(b, &info) == nil {
			s.root = info.DataURL
			return s
		}
		select {
		case <-s.exit:
			t.Fatalf("the program ended by itself:\n%s", s.out)
		case <-deadline:
			t.Fatalf("the program is not ready after %s:\n%s", patience, s.out)
		case <-time.After(2 * time.Millisecond): // the file's appearance is the only sign
		}
	}
}

// kill ends the process at once and looks at what it has logged.
func (s *server) kill() {
	s.dying.Store(true)
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.exit
	s.client.CloseIdleConnections()
	for _, bad := range []string{"ERROR", "panic", "damaged"} {
		if strings.Contains(s.out.String(), bad) {
			s.t.Errorf("the program says %q:\n%s", bad, s.out)
			return
		}
	}
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
	req, err := http.NewRequest(method, s.root+"/v1/stream/"+path, strings.NewReader(body))
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
	req, err := http.NewRequest(http.MethodGet, s.root+"/metrics", nil)
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

// until waits for something that the server does by itself.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
		time.Sleep(5 * time.Millisecond) // there is no other sign
	}
}
