package bench_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tailrace/bench"
)

// liar is a small server of the protocol, in memory. It is honest until one of its
// functions is set.
type liar struct {
	// store puts message n of a stream behind the others; it answers 204 whatever
	// comes of it.
	store func(messages [][]byte, n int, body []byte) [][]byte
	// live returns what a live reader gets of the messages that it lacks.
	live func(reader int, from int, messages [][]byte) [][]byte
	// read returns what the n-th catch-up read of a stream gets.
	read func(n int, messages [][]byte) [][]byte
	// forget makes a server of empty promises: streams that were created are not there.
	forget bool
	// hangUp ends SSE responses before they begin.
	hangUp bool
	// known is the answer to an append of a producer.
	known int

	mu      sync.Mutex
	changed chan struct{} // closed when something was appended
	streams map[string]*fibs
	readers int
}

type fibs struct {
	json     bool
	messages [][]byte
	appends  int
	reads    int
}

func (l *liar) start(t *testing.T) string {
	l.streams, l.changed = map[string]*fibs{}, make(chan struct{})
	if l.known == 0 {
		l.known = http.StatusOK
	}
	s := httptest.NewServer(l)
	t.Cleanup(s.Close)
	return s.URL
}

func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body bytes.Buffer
	if _, err := body.ReadFrom(r.Body); err != nil {
		return
	}
	l.mu.Lock()
	s := l.streams[r.URL.Path]
	switch {
	case r.Method == http.MethodPut:
		if !l.forget {
			l.streams[r.URL.Path] = &fibs{json: r.Header.Get("Content-Type") == "application/json"}
		}
		w.WriteHeader(http.StatusCreated)
	case s == nil:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodDelete:
		delete(l.streams, r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPost:
		l.append(s, body.Bytes())
		w.WriteHeader(http.StatusNoContent - (http.StatusNoContent-l.known)*min(len(r.Header.Get("Producer-Id")), 1))
	case r.Method == http.MethodGet && r.URL.Query().Get("live") != "":
		l.readers++
		reader := l.readers
		l.mu.Unlock()
		l.tail(w, r, s, reader)
		return
	case r.Method == http.MethodGet:
		messages := s.messages
		if l.read != nil {
			messages = l.read(s.reads, messages)
		}
		s.reads++
		w.Header().Set("Stream-Next-Offset", strconv.Itoa(len(s.messages)))
		w.Header().Set("Stream-Up-To-Date", "true")
		_, _ = w.Write(s.join(messages))
	}
	l.mu.Unlock()
}

func (l *liar) append(s *fibs, body []byte) {
	if s.json {
		body = bytes.TrimSuffix(bytes.TrimPrefix(body, []byte("[")), []byte("]"))
	}
	if l.store != nil {
		s.messages = l.store(s.messages, s.appends, body)
	} else {
		s.messages = append(s.messages, body)
	}
	s.appends++
	close(l.changed)
	l.changed = make(chan struct{})
}

func (s *fibs) join(messages [][]byte) []byte {
	if s.json {
		return fmt.Appendf(nil, "[%s]", bytes.Join(messages, []byte(",")))
	}
	return bytes.Join(messages, nil)
}

// tail answers a live read.
func (l *liar) tail(w http.ResponseWriter, r *http.Request, s *fibs, reader int) {
	from, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Query().Get("offset"), "-1"))
	sse := r.URL.Query().Get("live") == "sse"
	if sse {
		w.Header().Set("Content-Type", "text/event-stream")
		if l.hangUp {
			return
		}
		fmt.Fprintf(w, "event: control\ndata: {\"streamNextOffset\":\"%d\"}\n\n", from)
		w.(http.Flusher).Flush()
	}
	for {
		l.mu.Lock()
		changed, next, messages := l.changed, len(s.messages), s.messages[from:]
		if l.live != nil {
			messages = l.live(reader, from, messages)
		}
		l.mu.Unlock()
		if next == from {
			select {
			case <-changed:
				continue
			case <-r.Context().Done():
				return
			}
		}
		if !sse {
			w.Header().Set("Stream-Next-Offset", strconv.Itoa(next))
			_, _ = w.Write(bytes.Join(messages, nil))
			return
		}
		if len(messages) > 0 {
			fmt.Fprintf(w, "event: data\ndata: %s\n\n", bytes.Join(messages, nil))
		}
		fmt.Fprintf(w, "event: control\ndata: {\"streamNextOffset\":\"%d\"}\n\n", next)
		w.(http.Flusher).Flush()
		from = next
	}
}

// first changes what happens to the first append to a stream: a measurement has at
// least one, however busy the machine is.
func first(change func(body []byte) [][]byte) func([][]byte, int, []byte) [][]byte {
	return func(messages [][]byte, n int, body []byte) [][]byte {
		if n == 0 {
			return change(body)
		}
		return append(messages, body)
	}
}

func TestLiesAreCaught(t *testing.T) {
	lost := first(func([]byte) [][]byte { return nil })
	twice := first(func(body []byte) [][]byte { return [][]byte{body, body} })
	altered := first(func(body []byte) [][]byte { return [][]byte{bytes.ReplaceAll(body, []byte("j"), []byte("J"))} })
	foreign := first(func(body []byte) [][]byte { return [][]byte{bytes.Repeat([]byte(" "), len(body)), body} })
	cut := first(func(body []byte) [][]byte { return [][]byte{body[:len(body)/2]} })
	swapped := first(func(body []byte) [][]byte { // within a JSON batch
		messages := bytes.SplitAfter(body, []byte("},"))
		messages[0], messages[1] = messages[1], messages[0]
		return [][]byte{bytes.Join(messages, nil)}
	})
	backwards := func(messages [][]byte, _ int, body []byte) [][]byte { return append([][]byte{body}, messages...) }
	swappedRead := func(n int, messages [][]byte) [][]byte {
		if n > 0 {
			messages = append([][]byte{messages[1], messages[0]}, messages[2:]...)
		}
		return messages
	}
	shortRead := func(n int, messages [][]byte) [][]byte { return messages[:len(messages)-min(n, 1)] }
	repeated := func(reader, from int, messages [][]byte) [][]byte {
		if from == 0 && len(messages) > 0 && reader%10 == 7 {
			return append([][]byte{messages[0]}, messages...)
		}
		return messages
	}

	for _, test := range []struct {
		name     string
		liar     *liar
		scenario string
		want     string // in the error
	}{
		{"an append is lost", &liar{store: lost}, "append-seq", "writer 0"},
		{"an append is there twice", &liar{store: twice}, "append-64", "is there twice"},
		{"appends are out of order", &liar{store: backwards}, "append-seq", "message 0 of writer 0 is missing, or behind message"},
		{"a byte differs", &liar{store: altered}, "append-seq", "differs"},
		{"a message is nobody's", &liar{store: foreign}, "append-seq", "none that was sent"},
		{"half of a message is there", &liar{store: cut}, "append-seq", "verification failed"},
		{"one of many on a stream is lost", &liar{store: lost}, "append-hot", "verification failed"},
		{"a producer's append is there twice", &liar{store: twice}, "append-idem", "is there twice"},
		{"a new append is called a duplicate", &liar{known: http.StatusNoContent}, "append-idem", "204"},
		{"a JSON batch is lost", &liar{store: lost}, "append-json-batch", "verification failed"},
		{"JSON messages are out of order", &liar{store: swapped}, "append-json-batch", "message 0 of writer"},
		{"half of a large body is there", &liar{store: cut}, "append-1mb", "verification failed"},
		{"created streams are not there", &liar{forget: true}, "create", "HEAD answers 404"},
		{"the stream is not what was appended", &liar{store: lost}, "catchup", "is missing"},
		{"a catch-up read gets less", &liar{read: shortRead}, "catchup", "the stream holds"},
		{"a catch-up read is out of order", &liar{read: swappedRead}, "catchup", "checksum"},
		{"a catch-up read of JSON gets less", &liar{read: shortRead}, "catchup-json", "the stream holds"},
		{"an SSE reader gets a message twice", &liar{live: repeated}, "fanout-sse", "is there twice"},
		{"a long-poll reader gets a message twice", &liar{live: repeated}, "fanout-longpoll", "is there twice"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := short(bench.Server{URL: test.liar.start(t)})
			o.Scenarios, o.Duration = []string{test.scenario}, 500*time.Millisecond
			_, err := bench.Run(t.Context(), o)
			var difference *bench.MismatchError
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			if test.want != "204" && !errors.As(err, &difference) {
				t.Errorf("%v is no MismatchError", err)
			}
		})
	}
}

// Readers that lack a message are waited for.
func TestLostDeliveriesAreCaught(t *testing.T) {
	for _, scenario := range []string{"fanout-sse", "fanout-longpoll"} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			l := &liar{live: func(reader, from int, messages [][]byte) [][]byte {
				if from == 0 && reader%10 == 7 {
					return messages[min(1, len(messages)):]
				}
				return messages
			}}
			o := short(bench.Server{URL: l.start(t)})
			o.Scenarios, o.Patience = []string{scenario}, 200*time.Millisecond
			_, err := bench.Run(t.Context(), o)
			var difference *bench.MismatchError
			if !errors.As(err, &difference) || !strings.Contains(err.Error(), "reader ") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestReadersThatCannotBeOpened(t *testing.T) {
	o := short(bench.Server{URL: (&liar{hangUp: true}).start(t)})
	o.Scenarios = []string{"idle-readers"}
	_, err := bench.Run(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "ended before its first control event") {
		t.Errorf("got %v", err)
	}
}

func TestAnHonestServerPasses(t *testing.T) {
	o := short(bench.Server{URL: new(liar).start(t)})
	if _, err := bench.Run(t.Context(), o); err != nil {
		t.Error(err)
	}
}
