package lint

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tailrace/backend/journal"
)

// watch lets a linter see requests, each so long after the one before.
type watch struct {
	Linter
	now time.Time
}

type seen struct {
	method, target string
	status         int
	outcome        journal.Outcome
	took           time.Duration
	agent, fault   string
	headers        []string
}

func (w *watch) see(after time.Duration, s seen) {
	r := httptest.NewRequest(s.method, "/v1/stream/a"+s.target, nil)
	r.Header.Set("User-Agent", "test"+s.agent)
	for _, h := range s.headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w.now = w.now.Add(after)
	w.Observe(&journal.Exchange{
		Request: r, Began: w.now, Took: s.took, Stream: "a", Status: s.status, Outcome: s.outcome, Fault: s.fault,
	})
}

func read(from, next int64) journal.Outcome {
	return journal.Outcome{Decision: journal.Read, From: from, Next: next}
}

func TestRules(t *testing.T) {
	live := journal.Outcome{Decision: journal.Live, From: 5, Next: 5}
	fenced := journal.Outcome{Decision: journal.Fenced}
	for name, tt := range map[string]struct {
		every  time.Duration
		times  int
		what   func(i int) seen
		expect Rule
	}{
		"reads from the start in a loop": {time.Second, 20, func(int) seen { return seen{method: "GET", status: 200, outcome: read(0, 9)} }, Rereads},
		"reads the same range in a loop": {time.Second, 20, func(int) seen { return seen{method: "GET", target: "?offset=0_4", status: 200, outcome: read(4, 9)} }, IgnoresNext},
		"polls at the tail":              {time.Second, 15, func(int) seen { return seen{method: "GET", target: "?offset=0_9", status: 200, outcome: read(9, 9)} }, PollsIdly},
		"long-polls without a cursor": {20 * time.Second / 4, 11, func(int) seen {
			return seen{method: "GET", target: "?offset=0_5&live=long-poll", status: 204, outcome: live, took: time.Second}
		}, IgnoresCurs},
		"reconnects without a pause": {100 * time.Millisecond, 30, func(int) seen {
			return seen{method: "GET", target: "?offset=0_5&live=sse", status: 200, outcome: live, took: time.Millisecond}
		}, Reconnects},
		"sends an offset of its own making": {0, 1, func(int) seen {
			return seen{method: "GET", target: "?offset=0000000000000000_0000000000000099", status: 400}
		}, StrangeToken},
		"sends an offset that is none": {0, 1, func(int) seen { return seen{method: "GET", target: "?offset=latest", status: 400} }, StrangeToken},
		"writes on after it was fenced": {time.Second, 3, func(int) seen {
			return seen{method: "POST", status: 403, outcome: fenced, headers: []string{"Producer-Id: p", "Producer-Epoch: 0"}}
		}, SharedID},
		"goes through a stream":             {time.Second, 99, func(i int) seen { return seen{method: "GET", status: 200, outcome: read(int64(i), int64(i)+1)} }, ""},
		"reads from the start now and then": {5 * time.Second, 99, func(int) seen { return seen{method: "GET", status: 200, outcome: read(0, 9)} }, ""},
		"reads from the start in one burst": {time.Millisecond, 99, func(int) seen { return seen{method: "GET", status: 200, outcome: read(0, 9)} }, ""},
		"each reads from the start once":    {time.Second, 99, func(i int) seen { return seen{method: "GET", status: 200, outcome: read(0, 9), agent: fmt.Sprint(i)} }, ""},
		"long-polls with a cursor": {time.Second, 99, func(int) seen {
			return seen{method: "GET", target: "?offset=0_5&live=long-poll&cursor=1", status: 204, outcome: live, took: time.Second}
		}, ""},
		"long-polls that time out quickly": {500 * time.Millisecond, 99, func(int) seen {
			return seen{method: "GET", target: "?offset=0_5&live=long-poll&cursor=1", status: 204, outcome: live, took: 500 * time.Millisecond}
		}, ""},
		"reconnects a few times": {time.Second, 99, func(int) seen {
			return seen{method: "GET", target: "?offset=0_5&live=sse", status: 200, outcome: live, took: time.Millisecond}
		}, ""},
		"is fenced once in a while": {time.Minute, 9, func(int) seen {
			return seen{method: "POST", status: 403, outcome: fenced, headers: []string{"Producer-Id: p", "Producer-Epoch: 0"}}
		}, ""},
		"is made to fail":                      {time.Second, 99, func(int) seen { return seen{method: "GET", status: 200, outcome: read(0, 9), fault: "cut off"} }, ""},
		"misses an offset where one is needed": {time.Second, 9, func(int) seen { return seen{method: "GET", target: "?live=sse", status: 400} }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := &watch{now: time.Unix(1000, 0)}
			for i := range tt.times {
				w.see(tt.every, tt.what(i))
			}
			var rules []string
			for _, f := range w.Findings() {
				rules = append(rules, string(f.Rule))
				if f.Section == "" || f.Words == "" || f.Stream != "a" || !strings.Contains(f.Client, "test") || f.Request == "" {
					t.Errorf("incomplete: %+v", f)
				}
			}
			if got := strings.Join(rules, " "); got != string(tt.expect) {
				t.Errorf("found %q, want %q", got, tt.expect)
			}
		})
	}
}

func TestSecretsAreNotKept(t *testing.T) {
	w := &watch{}
	w.see(0, seen{method: "GET", target: "?token=sesame&offset=latest", status: 400, headers: []string{"Authorization: Bearer sesame"}})
	if f := w.Findings(); len(f) != 1 || strings.Contains(fmt.Sprint(f), "sesame") {
		t.Errorf("found %+v", f)
	}
}

// New is what nobody has looked at; that it goes on does not make it new again.
func TestSeen(t *testing.T) {
	w := &watch{}
	invent := func(agent string) {
		w.see(time.Second, seen{method: "GET", target: "?offset=latest", status: 400, agent: agent})
	}
	expect := func(number uint64, unseen int) {
		t.Helper()
		if n, u := w.Seen(); n != number || u != unseen {
			t.Errorf("seen up to %d, %d behind it; want %d, %d", n, u, number, unseen)
		}
	}
	expect(0, 0)
	invent("a")
	invent("b")
	expect(0, 2)
	w.See(1)
	expect(1, 1)
	w.See(9) // as a page does that knew the server before this one
	expect(2, 0)
	invent("a")
	w.See(1)
	expect(2, 0)
	invent("c")
	if f := w.Findings()[0]; f.Number != 3 {
		t.Errorf("the third is %+v", f)
	}
	expect(2, 1)
	w.Forget()
	expect(2, 0)
	invent("a")
	expect(2, 1)
}

func TestMemoryIsBounded(t *testing.T) {
	w := &watch{now: time.Unix(1000, 0)}
	for i := range 3 * maxWatched {
		w.see(time.Millisecond, seen{method: "GET", status: 200, outcome: read(0, 9), agent: fmt.Sprint(i)})
		w.see(0, seen{method: "GET", target: "?offset=latest", status: 400, agent: fmt.Sprint(i)})
	}
	if len(w.watched) > maxWatched || len(w.findings) > maxFindings {
		t.Errorf("%d are watched, %d findings kept", len(w.watched), len(w.findings))
	}
	if f := w.Findings(); !strings.HasSuffix(f[0].Client, fmt.Sprint(3*maxWatched-1)) {
		t.Errorf("the latest is %+v", f[0])
	}
	w.Forget()
	if len(w.Findings()) != 0 || len(w.watched) != 0 {
		t.Error("not everything was forgotten")
	}
}
