package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

const crashEnv = "TAILRACE_TEST_CRASH_DIR"

// crashDir is set in the child process of TestKill.
func crashDir() string { return os.Getenv(crashEnv) }

const crashStreams = 8

func crashOptions() store.Options { return store.Options{SealAt: 20_000, CacheBytes: 10_000} }

// crashChild appends as fast as it can and prints every acknowledgement, until it
// is killed. Streams with an even number are JSON. Every producer writes its
// sequence number; now and then a stream is created and closed or deleted beside.
func crashChild(dir string) {
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	db, err := store.Open(context.Background(), dir, crashOptions())
	if err != nil {
		fail(err)
	}
	e, err := Open(context.Background(), db, Options{})
	if err != nil {
		fail(err)
	}
	var out sync.Mutex
	ack := func(format string, args ...any) {
		out.Lock()
		defer out.Unlock()
		fmt.Printf(format+"\n", args...)
	}
	for i := range crashStreams {
		go func() {
			path, contentType := crashStream(i)
			c, err := e.Create(path, &CreateRequest{ContentType: contentType})
			if err != nil {
				fail(err)
			}
			seq := c.State.Messages
			for ; ; seq++ {
				if _, err := e.Append(path, request(contentType, crashBody(seq), by("p", 0, seq))); err != nil {
					fail(err)
				}
				ack("append %d %d", i, seq)
				if seq%20 == 0 {
					side := fmt.Sprintf("side/%d/%d", i, seq)
					if _, err := e.Create(side, &CreateRequest{ContentType: text}); err != nil {
						fail(err)
					}
					ack("create %s", side)
					if seq%40 == 0 {
						_, err = e.Append(side, request(text, "end", closing))
						ack("close %s", side)
					} else {
						err = e.Delete(side)
						ack("delete %s", side)
					}
					if err != nil {
						fail(err)
					}
				}
			}
		}()
	}
	select {}
}

func crashStream(i int) (path, contentType string) {
	if i%2 == 0 {
		return fmt.Sprint("s", i), "application/json"
	}
	return fmt.Sprint("s", i), text
}

// crashBody is the message with a number; in text streams it needs its line end.
func crashBody(seq int64) string { return fmt.Sprintf("%d\n", seq) }

// TestKill kills a process under load again and again. What it has acknowledged is
// there, once; what it has not may be there, once; and retries are recognised.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir := t.TempDir()
	acked := make([]int64, crashStreams) // how many appends
	sides := map[string]string{}
	for round := range 4 {
		killUnderLoad(t, dir, 400+300*round, acked, sides)
		e := &testEngine{t: t, dir: dir, store: crashOptions()}
		e.open()
		for i := range crashStreams {
			checkSurvivor(t, e, i, &acked[i])
		}
		checkSides(t, e, sides)
		e.close()
	}
}

// killUnderLoad runs the child until it has printed so many acknowledgements and
// takes down those that it has printed by its end.
func killUnderLoad(t *testing.T, dir string, lines int, acked []int64, sides map[string]string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashEnv+"="+dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for in := bufio.NewScanner(stdout); in.Scan(); n++ {
		if n == lines {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		f := strings.Fields(in.Text())
		switch f[0] {
		case "append":
			i, _ := strconv.Atoi(f[1])
			seq, _ := strconv.ParseInt(f[2], 10, 64)
			acked[i] = max(acked[i], seq+1)
		default:
			sides[f[1]] = f[0]
		}
	}
	_ = cmd.Wait() // it was killed
	if n < lines {
		t.Fatalf("the child ended by itself after %d lines: %s", n, stderr.String())
	}
}

func checkSurvivor(t *testing.T, e *testEngine, i int, acked *int64) {
	t.Helper()
	path, contentType := crashStream(i)
	content, st := e.content(path, 0)
	sep := "\n"
	if st.Kind == protocol.KindJSON {
		sep = ","
	}
	values := strings.Split(strings.TrimSuffix(content, "\n"), sep)
	have := int64(len(values))
	if have < *acked || have > *acked+1 {
		t.Fatalf("%s: %d appends acknowledged, %d there", path, *acked, have)
	}
	for n, v := range values {
		if v != strconv.Itoa(n) {
			t.Fatalf("%s: message %d is %q", path, n, v)
		}
	}
	// The client retries what it got no answer to, and for good measure the one
	// before.
	for seq := *acked - 1; seq <= *acked; seq++ {
		a, err := e.Append(path, request(contentType, crashBody(seq), by("p", 0, seq)))
		if err != nil || a.Duplicate != (seq < have) {
			t.Fatalf("%s: retry of %d with %d there: %+v, %v", path, seq, have, a, err)
		}
	}
	*acked++
	if _, st := e.content(path, 0); st.Messages != *acked {
		t.Fatalf("%s: %d messages after the retries, want %d", path, st.Messages, *acked)
	}
}

func checkSides(t *testing.T, e *testEngine, sides map[string]string) {
	t.Helper()
	last := map[string]string{}
	for _, ev := range e.events() {
		operation, path, _ := strings.Cut(ev, " ")
		last[path] = operation
	}
	for path, done := range sides {
		r, err := e.OpenReader(path)
		switch done {
		case "delete":
			if !errors.Is(err, protocol.ErrNotFound) || last[path] != "delete" {
				t.Fatalf("%s was deleted: %v, last event %q", path, err, last[path])
			}
			continue
		case "close":
			if err != nil {
				t.Fatalf("%s was closed: %v", path, err)
			}
			if st, _, _ := r.Current(); !st.Closed || st.Tail != 3 || last[path] != "update" {
				t.Fatalf("%s was closed: %+v, last event %q", path, st, last[path])
			}
		}
		if err == nil {
			r.Close()
		}
	}
}
