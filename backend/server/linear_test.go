package server

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// TestLinearizability lets several clients append to, close and read one stream
// at the same time over HTTP, and checks that what they saw has an order: that
// each request took effect at one moment between being sent and being answered.
func TestLinearizability(t *testing.T) {
	const (
		rounds   = 6
		clients  = 8
		requests = 60 // of each client
	)
	s := newTestServerOn(t, store.Options{SealAt: 2000, CacheBytes: 1000}, func(o *Options) {
		o.LongPollTimeout = 5 * time.Millisecond
	})
	web := httptest.NewServer(s)
	defer web.Close()
	seen := map[string]int{}
	for round := range rounds {
		contentType := []string{"application/json", "text/plain"}[round%2]
		path := fmt.Sprintf("round/%d", round)
		s.create(path, contentType)
		history := &history{began: time.Now()}
		var running sync.WaitGroup
		for i := range clients {
			c := &linearClient{
				t: t, http: web.Client(), url: web.URL + "/v1/stream/" + path, contentType: contentType,
				id: i, random: rand.New(rand.NewPCG(uint64(round), uint64(i))), history: history,
			}
			running.Go(func() {
				for n := range requests {
					c.request(n > requests*2/3)
				}
			})
		}
		running.Wait()
		if t.Failed() {
			return
		}
		result, info := porcupine.CheckOperationsVerbose(linearModel, history.list, time.Minute)
		if result != porcupine.Ok {
			file := filepath.Join(t.ArtifactDir(), "history.html")
			if err := porcupine.VisualizePath(linearModel, info, file); err != nil {
				t.Error(err)
			}
			t.Fatalf("round %d: %s; see %s (kept with -artifacts)", round, result, file)
		}
		for _, o := range history.list {
			seen[o.Input.(linearInput).kind+" "+o.Output.(linearOutput).outcome]++
		}
	}
	t.Log(seen)
	// The histories must have been worth checking.
	for _, want := range []string{
		"append ok", "append closed", "append duplicate", "append gap", "append seq", "read ok", "long-poll ok", "head ok",
	} {
		if seen[want] < 5 {
			t.Errorf("only %d requests had the outcome %q: %v", seen[want], want, seen)
		}
	}
}

// history is what happened, in no order.
type history struct {
	began time.Time
	mu    sync.Mutex
	list  []porcupine.Operation
}

func (h *history) now() int64 { return time.Since(h.began).Nanoseconds() }

func (h *history) add(o porcupine.Operation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, o)
}

// linearInput is one request. Positions count messages, also in text, where all
// messages are messageSize long.
type linearInput struct {
	kind     string // append, read, long-poll or head
	message  string // of an append; empty: none
	closes   bool
	seq      string // Stream-Seq
	producer int    // 0: none
	number   int64  // its sequence number
	from     int64  // of a read
}

type linearOutput struct {
	outcome string
	next    int64
	closed  bool
	content string // read
}

const messageSize = len(`"0-00000"`)

// linearState is a stream in the model.
type linearState struct {
	content   string
	closed    bool
	closedBy  [2]int64 // producer and number
	seq       string
	producers [3]int64 // how many requests each has made
}

func (s linearState) tail() int64 { return int64(len(s.content) / messageSize) }

var linearModel = porcupine.Model{
	Init: func() any { return linearState{} },
	Step: func(state, input, output any) (bool, any) {
		s, in, out := state.(linearState), input.(linearInput), output.(linearOutput)
		want := s.answer(in)
		after := s
		if want.outcome == "ok" && in.kind == "append" {
			after = s.after(in)
			want.next, want.closed = after.tail(), after.closed
		}
		return want == out, after
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %+v", input, output) },
	DescribeState:     func(state any) string { return fmt.Sprintf("%+v", state) },
}

// answer is what must be answered to a request in this state.
func (s linearState) answer(in linearInput) linearOutput {
	out := linearOutput{outcome: "ok", next: s.tail(), closed: s.closed}
	switch {
	case in.from > s.tail():
		out.outcome = "beyond"
	case in.kind == "read" || in.kind == "long-poll":
		out.content = s.content[int(in.from)*messageSize:]
	case in.kind == "head":
	case s.closed && in.producer != 0 && s.closedBy == [2]int64{int64(in.producer), in.number}:
		out.outcome = "duplicate"
	case s.closed && in.producer == 0 && in.message == "":
		out.outcome = "ok"
	case s.closed:
		out.outcome = "closed"
	case in.producer != 0 && in.number < s.producers[in.producer]:
		out.outcome = "duplicate"
	case in.producer != 0 && in.number > s.producers[in.producer]:
		out = linearOutput{outcome: "gap"}
	case in.seq != "" && in.seq <= s.seq:
		out = linearOutput{outcome: "seq"}
	}
	return out
}

// after is the state behind an append that was accepted.
func (s linearState) after(in linearInput) linearState {
	if s.closed {
		return s
	}
	s.content += in.message
	s.closed = in.closes
	if in.seq != "" {
		s.seq = in.seq
	}
	if in.producer != 0 {
		s.producers[in.producer]++
		if in.closes {
			s.closedBy = [2]int64{int64(in.producer), in.number}
		}
	}
	return s
}

// linearClient sends random requests.
type linearClient struct {
	t           *testing.T
	http        *http.Client
	url         string
	contentType string
	id          int
	random      *rand.Rand
	history     *history

	sent int
	next int64    // the newest tail that it has seen
	used [3]int64 // the next number of each producer, as far as it knows
}

func (c *linearClient) chance(percent int) bool { return c.random.IntN(100) < percent }

func (c *linearClient) request(mayClose bool) {
	in := linearInput{kind: "append"}
	switch n := c.random.IntN(100); {
	case n < 20:
		in.kind, in.from = "read", c.random.Int64N(c.next+1)
	case n < 35:
		in.kind, in.from = "long-poll", c.next
	case n < 45:
		in.kind = "head"
	default:
		c.fill(&in, mayClose)
	}
	call := c.history.now()
	out, err := c.send(in)
	if err != nil {
		c.t.Errorf("%+v: %v", in, err)
		return
	}
	c.history.add(porcupine.Operation{ClientId: c.id, Input: in, Call: call, Output: out, Return: c.history.now()})
	c.next = max(c.next, out.next)
	if in.producer != 0 && (out.outcome == "ok" || out.outcome == "duplicate") {
		c.used[in.producer] = max(c.used[in.producer], in.number+1)
	}
}

// fill makes an append. Producers are shared by all clients, so their requests
// are duplicates and gaps of each other.
func (c *linearClient) fill(in *linearInput, mayClose bool) {
	c.sent++
	in.message = fmt.Sprintf(`"%d-%05d"`, c.id, c.sent)
	if c.chance(40) {
		in.producer = 1 + c.random.IntN(2)
		in.number = max(0, c.used[in.producer]+int64(c.random.IntN(4)-1))
	}
	if c.chance(10) {
		in.seq = fmt.Sprintf("%04d", c.random.IntN(1000)+c.sent*20)
	}
	if mayClose && c.chance(3) {
		in.closes = true
		// Closing without data as a producer is 204 the first time and again.
		if in.producer == 0 && c.chance(50) {
			in.message = ""
		}
	}
}

func (c *linearClient) send(in linearInput) (out linearOutput, err error) {
	r, err := c.build(in)
	if err != nil {
		return out, err
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return out, err
	}
	if out.outcome = linearOutcome(in, resp, string(body)); out.outcome == "" {
		return out, fmt.Errorf("%s: %s", resp.Status, body)
	}
	out.closed = resp.Header.Get(protocol.HeaderStreamClosed) == "true"
	if next := resp.Header.Get(protocol.HeaderStreamNextOffset); next != "" {
		o, err := protocol.ParseOffsetToken(next)
		if err != nil {
			return out, err
		}
		if out.next = o.Position; !c.json() {
			out.next /= int64(messageSize)
		}
	}
	if in.kind == "read" || in.kind == "long-poll" {
		out.content = c.content(string(body))
	}
	return out, nil
}

func (c *linearClient) json() bool { return c.contentType == "application/json" }

// content is a body without what JSON adds between messages.
func (c *linearClient) content(body string) string {
	if c.json() {
		return strings.ReplaceAll(strings.Trim(body, "[]"), ",", "")
	}
	return body
}

func (c *linearClient) build(in linearInput) (*http.Request, error) {
	switch in.kind {
	case "head":
		return http.NewRequest("HEAD", c.url, nil)
	case "read", "long-poll":
		from := in.from
		if !c.json() {
			from *= int64(messageSize)
		}
		url := c.url + "?offset=" + token(from)
		if in.kind == "long-poll" {
			url += "&live=long-poll"
		}
		return http.NewRequest("GET", url, nil)
	}
	r, err := http.NewRequest("POST", c.url, strings.NewReader(in.message))
	if err != nil {
		return nil, err
	}
	if in.message != "" {
		r.Header.Set("Content-Type", c.contentType)
	}
	if in.closes {
		r.Header.Set(protocol.HeaderStreamClosed, "true")
	}
	if in.seq != "" {
		r.Header.Set(protocol.HeaderStreamSeq, in.seq)
	}
	if in.producer != 0 {
		r.Header.Set(protocol.HeaderProducerID, "p"+strconv.Itoa(in.producer))
		r.Header.Set(protocol.HeaderProducerEpoch, "0")
		r.Header.Set(protocol.HeaderProducerSeq, strconv.FormatInt(in.number, 10))
	}
	return r, nil
}

// linearOutcome names an answer; empty: it is none that may come.
func linearOutcome(in linearInput, resp *http.Response, body string) string {
	status := resp.StatusCode
	switch {
	case in.kind != "append" && (status == http.StatusOK || status == http.StatusNoContent):
		return "ok"
	case in.kind != "append":
		return ""
	case status == http.StatusConflict && strings.Contains(body, "STREAM_CLOSED"):
		return "closed"
	case status == http.StatusConflict && strings.Contains(body, "SEQUENCE_GAP"):
		return "gap"
	case status == http.StatusConflict && strings.Contains(body, "STREAM_SEQ"):
		return "seq"
	case status == http.StatusOK && in.producer != 0, status == http.StatusNoContent && in.producer == 0:
		return "ok"
	case status == http.StatusNoContent:
		return "duplicate"
	}
	return ""
}
