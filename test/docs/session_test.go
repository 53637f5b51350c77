package docs

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tailrace/test/gateway"
	"tailrace/test/program"
)

// prelude makes curl quiet about progress, impatient, and loud about statuses.
const prelude = `set -euo pipefail
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
curl() { command curl -sS --max-time 20 -w '%{stderr}\n@status %{http_code} %{url_effective}\n' "$@"; local failed=$?; echo; return $failed; }
`

// mark ends what an example has printed.
const mark = "\x1e"

// session is a bash, and a server for what it runs.
type session struct {
	t              *testing.T
	dir            string
	server         *program.Program
	listen         string
	toReal, toDocs *strings.Replacer

	in         io.Writer
	out, notes *program.Output
	exit       chan struct{} // closed when bash has ended
	n          int           // of the next example
}

// open starts a session; with s3, there is a bucket as well.
func open(t *testing.T, s3 bool) *session {
	t.Helper()
	dir := t.TempDir()
	data, hook := freePort(t), freePort(t)
	real := []string{":4437", ":" + data, ":3000", ":" + hook}
	var keys []string
	if s3 {
		g := gateway.Start(t)
		real = append(real, "http://127.0.0.1:9000", g.Endpoint, "s3://bucket/", "s3://"+gateway.Bucket+"/")
		keys = []string{"AWS_ACCESS_KEY_ID=" + gateway.AccessKey, "AWS_SECRET_ACCESS_KEY=" + gateway.SecretKey}
	}
	docs := slices.Clone(real)
	slices.Reverse(docs)
	s := &session{
		t: t, dir: filepath.Join(dir, "work"), listen: "127.0.0.1:" + data,
		toReal: strings.NewReplacer(real...),
		toDocs: strings.NewReplacer(append(docs, "\r\n", "\n")...),
		out:    &program.Output{}, notes: &program.Output{}, exit: make(chan struct{}),
	}
	bin, err := filepath.Abs(program.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "bin")
	for _, folder := range []string{s.dir, path} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(bin, filepath.Join(path, "tailrace")); err != nil {
		t.Fatal(err)
	}
	s.start()

	bash := exec.Command("bash", "-s")
	bash.Dir = s.dir
	bash.Env = append(program.Env(dir), "PORT="+hook, "TAILRACE_DATA_DIR="+program.DataDir(dir),
		"PATH="+path+string(filepath.ListSeparator)+os.Getenv("PATH"))
	bash.Env = append(bash.Env, keys...)
	bash.Stdout, bash.Stderr = s.out, s.notes
	bash.WaitDelay = program.Patience
	in, err := bash.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := bash.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = bash.Wait() // it ends with a command that fails, which run sees
		close(s.exit)
	}()
	t.Cleanup(func() {
		_ = in.Close() // this ends bash, if it has not ended
		<-s.exit
	})
	s.in = in
	s.say(prelude)
	return s
}

// freePort is a port that nobody listens on, below those that systems give to
// connections: it must stay free while the server restarts.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := fmt.Sprint(20_000 + rand.IntN(12_000))
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err == nil && l.Close() == nil {
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

func (s *session) start() {
	s.t.Helper()
	s.server = program.Start(s.t, filepath.Dir(s.dir), "--listen", s.listen, "--long-poll-timeout", "1s", "--sse-max-age", "1s")
}

func (s *session) say(commands string) {
	s.t.Helper()
	if _, err := io.WriteString(s.in, commands); err != nil {
		s.t.Fatalf("bash has gone: %v\n%s", err, s.notes)
	}
}

func (s *session) write(name, content string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(s.toReal.Replace(content)), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// run executes an example and compares.
func (s *session) run(e *example) {
	s.t.Helper()
	if e.restart {
		if status := s.server.Stop(); status != 0 {
			s.t.Fatalf("line %d: the server ends with status %d:\n%s", e.line, status, s.server.Output)
		}
		s.start()
	}
	s.n++
	file := fmt.Sprintf("example-%d.sh", s.n)
	s.write(file, e.commands+"\n")
	before, notesBefore := len(s.out.String()), len(s.notes.String())
	s.say(fmt.Sprintf(". ./%s </dev/null; printf '\\x1e'; printf '\\x1e' >&2\n", file))
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) { // there is no other sign
		out, notes := s.toDocs.Replace(s.out.String()[before:]), s.toDocs.Replace(s.notes.String()[notesBefore:])
		err := errors.New("the commands do not end")
		if strings.Contains(out, mark) && strings.Contains(notes, mark) {
			err = e.check(strings.ReplaceAll(out, mark, ""), notes)
		}
		if err == nil {
			return
		}
		if s.exited() {
			err = errors.New("a command failed")
		} else if time.Since(began) < 2*program.Patience {
			continue
		}
		s.t.Fatalf("line %d: %v\n--- printed\n%s\n%s", e.line, err, out, notes)
	}
}

func (s *session) exited() bool {
	select {
	case <-s.exit:
		return true
	default:
		return false
	}
}
