package crash

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"tailrace/test/program"
)

func TestMain(m *testing.M) { program.Main(m) }

const (
	rounds  = 5
	streams = 12  // with a producer each
	sharing = 6   // producers of one more stream
	minAcks = 300 // acknowledged appends before a kill
	maxAcks = 1500
)

// TestKillUnderLoad kills the server with SIGKILL while many producers append,
// five times on the same data folder. Producers retry what was under way with
// the same epoch and sequence number and go on. At the end every acknowledged
// append is there exactly once and in order.
func TestKillUnderLoad(t *testing.T) {
	dir := t.TempDir()
	var producers []*producer
	for i := range streams {
		producers = append(producers, &producer{id: fmt.Sprintf("p%d", i), path: fmt.Sprintf("own/%d", i)})
	}
	for i := range sharing {
		producers = append(producers, &producer{id: fmt.Sprintf("shared%d", i), path: "shared"})
	}

	for round := range rounds {
		s := start(t, dir)
		if round == 0 {
			for _, p := range producers {
				s.create(t, p.path)
			}
		}
		target := int64(minAcks + rand.IntN(maxAcks-minAcks))
		s.load(t, producers, target)
	}

	s := start(t, dir)
	total := 0
	byPath := map[string]map[string][]int{}
	for _, p := range producers {
		if byPath[p.path] == nil {
			byPath[p.path] = s.read(t, p.path)
		}
		got := byPath[p.path][p.id]
		for n, v := range got {
			if v != n {
				t.Fatalf("%s of producer %s: message %d is number %d; lost or repeated", p.path, p.id, n, v)
			}
		}
		// The last append may have been written without being acknowledged.
		if len(got) != p.next && len(got) != p.next+1 {
			t.Errorf("%s of producer %s: %d messages, %d were acknowledged", p.path, p.id, len(got), p.next)
		}
		total += p.next
	}
	t.Logf("%d appends acknowledged over %d kills", total, rounds)
	s.checkRegistry(t, streams+1)
}

// producer appends numbers to a stream, one request at a time.
type producer struct {
	id, path string
	next     int // number and sequence number of the next append: all before are acknowledged
}

// server is a running program.
type server struct {
	*program.Program
	data string // where streams are
}

func start(t *testing.T, dir string) *server {
	t.Helper()
	p := program.Start(t, dir)
	return &server{p, p.DataURL + "/v1/stream/"}
}

func (s *server) create(t *testing.T, path string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPut, s.data+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusCreated && res.StatusCode != http.StatusOK {
		t.Fatalf("create %s: %s", path, res.Status)
	}
}

// load lets all producers append until the server dies, which it does after
// target acknowledged appends.
func (s *server) load(t *testing.T, producers []*producer, target int64) {
	t.Helper()
	var acked atomic.Int64
	var running sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: len(producers)}}
	defer client.CloseIdleConnections()
	for _, p := range producers {
		running.Go(func() {
			for p.append(t, client, s.data) {
				if acked.Add(1) == target {
					go s.Kill()
				}
			}
		})
	}
	running.Wait()
	s.Kill()
}

// append sends the producer's next number. It reports false when the server has
// gone; whether the append was written is then unknown.
func (p *producer) append(t *testing.T, client *http.Client, data string) bool {
	body := fmt.Sprintf(`{"producer":%q,"n":%d}`, p.id, p.next)
	req, err := http.NewRequest(http.MethodPost, data+p.path, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Error(err)
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Producer-Id", p.id)
	req.Header.Set("Producer-Epoch", "0")
	req.Header.Set("Producer-Seq", strconv.Itoa(p.next))
	res, err := client.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return false
	}
	// 204: it had been written before the last kill.
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusNoContent {
		t.Errorf("append %d of %s: %s", p.next, p.id, res.Status)
		return false
	}
	p.next++
	return true
}

// read returns the numbers in a stream by producer, in order.
func (s *server) read(t *testing.T, path string) map[string][]int {
	t.Helper()
	out := map[string][]int{}
	for _, raw := range s.readAll(t, path) {
		var m struct {
			Producer string
			N        int
		}
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		out[m.Producer] = append(out[m.Producer], m.N)
	}
	return out
}

func (s *server) readAll(t *testing.T, path string) []json.RawMessage {
	t.Helper()
	var all []json.RawMessage
	offset := "-1"
	for {
		res, err := http.Get(s.data + path + "?offset=" + url.QueryEscape(offset))
		if err != nil {
			t.Fatal(err)
		}
		var page []json.RawMessage
		err = json.NewDecoder(res.Body).Decode(&page)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("read %s: %s, %v", path, res.Status, err)
		}
		all = append(all, page...)
		offset = res.Header.Get("Stream-Next-Offset")
		if res.Header.Get("Stream-Up-To-Date") == "true" {
			return all
		}
	}
}

// checkRegistry expects one insert event for each stream that was created.
func (s *server) checkRegistry(t *testing.T, want int) {
	t.Helper()
	seen := map[string]int{}
	for _, raw := range s.readAll(t, "__registry__") {
		var e struct {
			Key     string
			Headers struct{ Operation string }
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatal(err)
		}
		if e.Headers.Operation != "insert" {
			t.Errorf("unexpected registry event %s", raw)
		}
		seen[e.Key]++
	}
	if len(seen) != want {
		t.Errorf("the registry announces %d streams, %d were created", len(seen), want)
	}
	for key, n := range seen {
		if n != 1 {
			t.Errorf("the registry announces %s %d times", key, n)
		}
	}
}
