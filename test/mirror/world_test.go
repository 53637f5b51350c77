package mirror

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tailrace/backend/inspect"
	"tailrace/test/program"
)

func TestMain(m *testing.M) { program.Main(m) }

// end is one end of a mirror: a server on an address that it keeps.
type end interface {
	root() string // of its streams
	start()
	kill()
}

// freePort is one that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// tailrace is the built program.
type tailrace struct {
	t         *testing.T
	dir, port string
	p         *program.Program
}

func newTailrace(t *testing.T) *tailrace {
	e := &tailrace{t: t, dir: t.TempDir(), port: freePort(t)}
	e.start()
	return e
}

func (e *tailrace) root() string { return "http://127.0.0.1:" + e.port + "/v1/stream/" }

func (e *tailrace) start() { e.p = program.Start(e.t, e.dir, "--listen", "127.0.0.1:"+e.port) }

func (e *tailrace) kill() {
	e.p.Kill()
	e.p.CheckOutput()
}

// run runs a command on the data folder and returns what it prints.
func (e *tailrace) run(args ...string) string {
	e.t.Helper()
	cmd := exec.Command(program.Binary(e.t), append(args, "--data-dir", program.DataDir(e.dir))...)
	cmd.Env = program.Env(e.dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		e.t.Fatalf("%q: %v\n%s%s", args, err, out, stderr.String())
	}
	return string(out)
}

// until waits until the only stream of a mirror is in a state.
func (e *tailrace) until(name, state string) {
	e.t.Helper()
	// After a long time of trouble a mirror waits for half a minute.
	deadline := time.Now().Add(2 * program.Patience)
	for {
		var d inspect.MirrorDetail
		if err := json.Unmarshal([]byte(e.run("mirror", "list", name, "--json")), &d); err != nil {
			e.t.Fatal(err)
		}
		if len(d.Streams) == 1 && d.Streams[0].State == state {
			return
		}
		if time.Now().After(deadline) || len(d.Streams) == 1 && d.Streams[0].State == "stopped" {
			text, _ := json.Marshal(d) // to look at
			e.t.Fatalf("%s is not %s: %s", name, state, text)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// reference is the server of npm with its file store.
type reference struct {
	t         *testing.T
	dir, port string
	cmd       *exec.Cmd
	exit      <-chan struct{} // closed when the process has ended
}

func newReference(t *testing.T) *reference {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("the reference server needs node")
	}
	e := &reference{t: t, dir: t.TempDir(), port: freePort(t)}
	t.Cleanup(e.kill)
	e.start()
	return e
}

func (e *reference) root() string { return "http://127.0.0.1:" + e.port + "/v1/stream/" }

func (e *reference) start() {
	e.t.Helper()
	ready := filepath.Join(e.dir, "ready")
	if err := os.RemoveAll(ready); err != nil {
		e.t.Fatal(err)
	}
	data := filepath.Join(e.dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		e.t.Fatal(err)
	}
	var output bytes.Buffer
	e.cmd = exec.Command("node", "../bench/reference.mjs", ready, data, e.port)
	e.cmd.Stdout, e.cmd.Stderr = &output, &output
	if err := e.cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	exit := make(chan struct{})
	go func() {
		_ = e.cmd.Wait() // it is killed
		close(exit)
	}()
	e.exit = exit
	program.Until(e.t, "the reference server listens", func() bool {
		select {
		case <-exit:
			e.t.Fatalf("the reference server ended by itself:\n%s", output.String())
		default:
		}
		_, err := os.Stat(ready)
		return err == nil
	})
}

func (e *reference) kill() {
	_ = e.cmd.Process.Kill() // it may have ended
	<-e.exit
}

// torment kills ends at random moments and starts them again, as often as it is told
// to. Before each time it lets the writers write a share of their messages.
func torment(random *rand.Rand, times int, share func(), ends ...end) (kills int) {
	for range times {
		share()
		<-time.After(time.Duration(random.IntN(400)) * time.Millisecond) // any moment will do
		victims := ends
		if len(ends) > 1 && random.IntN(3) > 0 {
			i := random.IntN(len(ends))
			victims = ends[i : i+1]
		}
		for _, e := range victims {
			e.kill()
			kills++
		}
		for _, e := range victims {
			e.start()
		}
	}
	return kills
}

// client makes requests until they succeed.
type client struct {
	t    *testing.T
	http *http.Client
}

func newClient(t *testing.T) *client {
	c := &client{t: t, http: &http.Client{Timeout: program.Patience}}
	t.Cleanup(c.http.CloseIdleConnections)
	return c
}

// must makes a request until it is answered with success; final are answers that it
// takes as well.
func (c *client) must(method, url string, body []byte, headers map[string]string, final ...int) *http.Response {
	deadline := time.Now().Add(2 * time.Minute)
	for {
		req, err := http.NewRequestWithContext(context.Background(), method, url, bytes.NewReader(body))
		if err != nil {
			c.t.Error(err)
			return nil
		}
		for k, v := range headers {
			req.Header.Set(k, v)
		}
		res, err := c.http.Do(req)
		if err == nil {
			var text []byte
			text, err = io.ReadAll(res.Body)
			res.Body.Close()
			res.Body = io.NopCloser(bytes.NewReader(text))
			if err == nil && res.StatusCode/100 == 2 {
				return res
			}
			if err == nil && res.StatusCode < 500 && res.StatusCode != 404 {
				c.t.Errorf("%s %s: %s: %s", method, url, res.Status, text)
				return nil
			}
			if err == nil {
				err = fmt.Errorf("%s", res.Status)
			}
		}
		if time.Now().After(deadline) {
			c.t.Errorf("%s %s: %v", method, url, err)
			return nil
		}
		<-time.After(5 * time.Millisecond) // it may be about to start
	}
}

// read returns all of a stream.
func (c *client) read(url string) (all []byte, closed bool) {
	c.t.Helper()
	offset := "-1"
	for {
		res := c.must(http.MethodGet, url+"?offset="+offset, nil, nil)
		if res == nil {
			c.t.FailNow()
		}
		part, err := io.ReadAll(res.Body)
		if err != nil {
			c.t.Fatal(err)
		}
		if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
			part = bytes.TrimSuffix(bytes.TrimPrefix(part, []byte("[")), []byte("]"))
			if len(all) > 0 && len(part) > 0 {
				all = append(all, ',')
			}
		}
		all = append(all, part...)
		next := res.Header.Get("Stream-Next-Offset")
		if res.Header.Get("Stream-Up-To-Date") == "true" || next == offset {
			return all, res.Header.Get("Stream-Closed") == "true"
		}
		offset = next
	}
}

// write writes numbered messages to one stream as an idempotent producer, and closes
// it. It writes as many as it gets from share, until that is closed.
func (c *client) write(url string, asJSON bool, share <-chan int, random *rand.Rand) {
	contentType := "application/octet-stream"
	if asJSON {
		contentType = "application/json"
	}
	c.must(http.MethodPut, url, nil, map[string]string{"Content-Type": contentType})
	n, seq := 0, 0
	send := func(body []byte, headers ...string) {
		all := map[string]string{
			"Content-Type": contentType, "Producer-Id": "writer", "Producer-Epoch": "0", "Producer-Seq": strconv.Itoa(seq),
		}
		for i := 0; i < len(headers); i += 2 {
			all[headers[i]] = headers[i+1]
		}
		c.must(http.MethodPost, url, body, all)
		seq++
	}
	for messages := range share {
		for end := n + messages; n < end; {
			var b bytes.Buffer
			for range min(1+random.IntN(40), end-n) {
				if asJSON && b.Len() > 0 {
					b.WriteByte(',')
				}
				b.WriteString(message(asJSON, n))
				n++
			}
			body := b.Bytes()
			if asJSON {
				body = fmt.Appendf(nil, "[%s]", body)
			}
			send(body)
		}
	}
	send(nil, "Stream-Closed", "true")
}

func message(asJSON bool, n int) string {
	if asJSON {
		return fmt.Sprintf(`{"n":%d,"text":"message %d, and so on"}`, n, n)
	}
	return fmt.Sprintf("<%d>", n)
}

// content is what a stream of so many messages holds.
func content(asJSON bool, messages int) []byte {
	var b bytes.Buffer
	for n := range messages {
		if asJSON && n > 0 {
			b.WriteByte(',')
		}
		b.WriteString(message(asJSON, n))
	}
	return b.Bytes()
}
