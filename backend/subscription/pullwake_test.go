package subscription

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tailrace/backend/engine"
)

func pullWake(rest string) string {
	return `{"type":"pull-wake","pattern":"events/*","wake_stream":"wakes","lease_ttl_ms":1000` + rest + `}`
}

// claim claims a subscription that has work.
func (w *world) claim(id, worker string) *claimed {
	w.t.Helper()
	var c claimed
	if err := json.Unmarshal(w.must(200, "POST", "subscriptions/"+id+"/claim", "", fmt.Sprintf(`{"worker":%q}`, worker)).raw, &c); err != nil {
		w.t.Fatal(err)
	}
	return &c
}

// generations are those of the wake events of a subscription.
func (w *world) generations(id string) []int64 {
	w.t.Helper()
	synctest.Wait()
	got := []int64{}
	for _, e := range w.events("wakes") {
		if e.Type != "wake" || e.Time == 0 {
			w.t.Errorf("event %+v", e)
		}
		if e.Subscription == id {
			got = append(got, e.Generation)
		}
	}
	return got
}

func (w *world) wantGenerations(id string, want ...int64) {
	w.t.Helper()
	if diff := cmp.Diff(append([]int64{}, want...), w.generations(id)); diff != "" {
		w.t.Fatalf("generations of %s (-want +got):\n%s", id, diff)
	}
}

func TestPullWake(t *testing.T) {
	t.Run("one event until the wake is over", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.create("wakes")
			w.subscribe("s", pullWake(""))
			w.create("events/a", `1`)
			w.wantGenerations("s", 1)
			if got := w.events("wakes")[0].Stream; got != "events/a" {
				t.Errorf("event for %q", got)
			}
			w.append("events/a", `2`)
			w.create("events/b", `1`)
			w.wantGenerations("s", 1)
			time.Sleep(time.Hour) // nobody has claimed it: there is no lease
			w.wantGenerations("s", 1)

			c := w.claim("s", "w1")
			want := []streamInfo{{"events/a", "glob", "-1", at(2), true}, {"events/b", "glob", "-1", at(1), true}}
			if diff := cmp.Diff(want, c.Streams); diff != "" || c.Generation != 1 || c.LeaseTTL != 1000 {
				t.Errorf("claim of generation %d for %d ms (-want +got):\n%s", c.Generation, c.LeaseTTL, diff)
			}
			busy := w.refused(CodeClaimed, "POST", "subscriptions/s/claim", "", `{"worker":"w2"}`)
			if busy.body["current_holder"] != "w1" {
				t.Errorf("holder %v", busy.body)
			}

			a := w.must(200, "POST", "subscriptions/s/ack", c.Token, ack(c.WakeID, 1, true, [2]string{"events/a", at(2)}))
			if a.body["next_wake"] != true {
				t.Error("events/b is pending")
			}
			w.wantGenerations("s", 1, 2)
			c = w.claim("s", "w2")
			a = w.must(200, "POST", "subscriptions/s/ack", c.Token, ack(c.WakeID, 2, true, [2]string{"events/b", at(1)}))
			if a.body["next_wake"] != false {
				t.Error("nothing is pending")
			}
			w.wantGenerations("s", 1, 2)
			w.refused(CodeNoWork, "POST", "subscriptions/s/claim", "", `{"worker":"w1"}`)
			w.refused(CodeFenced, "POST", "subscriptions/s/ack", c.Token, ack(c.WakeID, 2, true))
		})
	})

	t.Run("acks without done are heartbeats", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.create("wakes")
			w.subscribe("s", pullWake(""))
			w.create("events/a", `1`, `2`)
			c := w.claim("s", "w1")
			for range 10 {
				time.Sleep(900 * time.Millisecond)
				w.must(200, "POST", "subscriptions/s/ack", c.Token, ack(c.WakeID, 1, false))
			}
			w.must(200, "POST", "subscriptions/s/ack", c.Token, ack(c.WakeID, 1, false, [2]string{"events/a", at(1)}))
			if got := w.cursors("s")["events/a"]; got != at(1) {
				t.Errorf("cursor %s", got)
			}
			w.wantGenerations("s", 1)
			time.Sleep(999 * time.Millisecond)
			w.wantGenerations("s", 1)
			time.Sleep(time.Millisecond)
			w.wantGenerations("s", 1, 2)
			w.refused(CodeFenced, "POST", "subscriptions/s/ack", c.Token, ack(c.WakeID, 1, true, [2]string{"events/a", at(2)}))
			w.refused(CodeFenced, "POST", "subscriptions/s/release", c.Token, ack(c.WakeID, 1, false))
			c = w.claim("s", "w2")
			if c.Generation != 2 || c.Streams[0].Acked != at(1) {
				t.Errorf("claim %+v", c)
			}
		})
	})

	t.Run("a release wakes again while work remains", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.create("wakes")
			w.subscribe("s", pullWake(""))
			w.create("events/a", `1`)
			c := w.claim("s", "w1")
			w.must(204, "POST", "subscriptions/s/release", c.Token, ack(c.WakeID, 1, false))
			w.wantGenerations("s", 1, 2)
			c = w.claim("s", "w1")
			w.must(200, "POST", "subscriptions/s/ack", c.Token, ack(c.WakeID, 2, false, [2]string{"events/a", at(1)}))
			w.must(204, "POST", "subscriptions/s/release", c.Token, ack(c.WakeID, 2, false))
			w.wantGenerations("s", 1, 2)
		})
	})

	t.Run("acks of streams that have gone change nothing", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.create("wakes")
			w.subscribe("s", pullWake(""))
			for _, path := range []string{"events/a", "events/b", "events/c"} {
				w.create(path, `1`)
			}
			if _, err := w.engine.Create("fork", &engine.CreateRequest{Fork: &engine.ForkRequest{From: "events/c"}}); err != nil {
				t.Fatal(err)
			}
			c := w.claim("s", "w1")
			for _, path := range []string{"events/a", "events/c"} { // the fork keeps the data of c
				if err := w.engine.Delete(path); err != nil {
					t.Fatal(err)
				}
			}
			a := w.must(200, "POST", "subscriptions/s/ack", c.Token, ack(c.WakeID, 1, true,
				[2]string{"events/a", at(1)}, [2]string{"events/b", at(1)}, [2]string{"events/c", at(1)}))
			if a.body["next_wake"] != false {
				t.Error("something is pending")
			}
			if got := w.cursors("s")["events/b"]; got != at(1) {
				t.Errorf("cursor %s", got)
			}
		})
	})

	t.Run("acks are refused whole", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.create("wakes")
			w.subscribe("s", pullWake(""))
			w.create("events/a", `1`, `2`)
			w.create("events/b", `1`)
			c := w.claim("s", "w1")
			w.must(200, "POST", "subscriptions/s/ack", c.Token, ack(c.WakeID, 1, false, [2]string{"events/a", at(1)}))
			for name, bad := range map[string][2]string{
				"beyond the tail":       {"events/b", at(2)},
				"behind the cursor":     {"events/a", at(0)},
				"of a strange stream":   {"events/c", at(0)},
				"before the first":      {"events/b", "-1"},
				"of a later generation": {"events/b", "0000000000000007_0000000000000000"},
			} {
				body := ack(c.WakeID, 1, true, [2]string{"events/a", at(2)}, bad)
				if a := w.call("POST", "subscriptions/s/ack", c.Token, body); a.code != CodeInvalidOffset {
					t.Errorf("%s: %d %s", name, a.status, a.code)
				}
				if diff := cmp.Diff(map[string]string{"events/a": at(1), "events/b": "-1"}, w.cursors("s")); diff != "" {
					t.Errorf("%s: cursors have moved (-want +got):\n%s", name, diff)
				}
			}
		})
	})
}

func TestWakeStream(t *testing.T) {
	t.Run("that is missing does not keep workers from claiming", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.subscribe("s", pullWake(""))
			w.create("events/a", `1`)
			synctest.Wait()
			if d := w.get("s").Delivery; d.State != "idle" || d.LastError == nil {
				t.Errorf("delivery %+v", d)
			}
			if c := w.claim("s", "w1"); c.Generation != 1 {
				t.Errorf("generation %d", c.Generation)
			}
			time.Sleep(time.Hour)
			// Created late, it gets the wake at once.
			w.create("wakes")
			w.wantGenerations("s", 2)
			if d := w.get("s").Delivery; d.LastError != nil {
				t.Errorf("delivery %+v", *d.LastError)
			}
		})
	})

	t.Run("that is closed or deleted is waited for", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.create("wakes")
			if _, err := w.engine.Append("wakes", &engine.AppendRequest{Empty: true, Close: true}); err != nil {
				t.Fatal(err)
			}
			w.subscribe("s", pullWake(""))
			w.create("events/a", `1`)
			w.wantGenerations("s", seq(0)...)
			if err := w.engine.Delete("wakes"); err != nil {
				t.Fatal(err)
			}
			w.create("wakes")
			w.wantGenerations("s", 1)
		})
	})

	t.Run("may be one of text", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			if _, err := w.engine.Create("wakes", &engine.CreateRequest{ContentType: "text/plain"}); err != nil {
				t.Fatal(err)
			}
			w.subscribe("s", pullWake(""))
			w.create("events/a", `1`)
			synctest.Wait()
			r, err := w.engine.OpenReader("wakes")
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			st, _, err := r.Current()
			if err != nil {
				t.Fatal(err)
			}
			pieces, err := r.Read(st, 0, 1<<20)
			if err != nil || len(pieces) != 1 {
				t.Fatal(pieces, err)
			}
			var e wakeEvent
			if data := pieces[0].Data; data[len(data)-1] != '\n' || json.Unmarshal(data, &e) != nil || e.Generation != 1 {
				t.Errorf("event %q", data)
			}
		})
	})

	t.Run("does not wake its own subscription, nor one that writes wakes elsewhere", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.create("wakes")
			w.create("wakes/2")
			w.subscribe("one", `{"type":"pull-wake","pattern":"**","wake_stream":"wakes"}`)
			w.subscribe("two", `{"type":"pull-wake","pattern":"**","wake_stream":"wakes/2"}`)
			r := w.receiver("1", done)
			w.subscribe("hook", `{"type":"webhook","pattern":"**","webhook":{"url":"`+r.url+`"}}`)
			w.create("events/a", `1`)
			for n := range int64(3) {
				w.wantGenerations("one", seq(n+1)...)
				for _, id := range []string{"one", "two"} {
					c := w.claim(id, "w")
					for _, s := range c.Streams {
						if s.HasPending != (s.Path == "events/a") {
							t.Fatalf("%s is woken by %v", id, c.Streams)
						}
					}
					w.must(200, "POST", "subscriptions/"+id+"/ack", c.Token, ack(c.WakeID, n+1, true, [2]string{"events/a", at(n + 1)}))
				}
				time.Sleep(time.Hour)
				w.append("events/a", `1`)
			}
			// A webhook may watch wakes: it writes nothing.
			seen := map[string]bool{}
			for len(r.got) > 0 {
				for _, s := range (<-r.got).Streams {
					seen[s.Path] = true
				}
			}
			if diff := cmp.Diff(map[string]bool{"events/a": true, "wakes": true, "wakes/2": true}, seen); diff != "" {
				t.Errorf("the webhook's streams (-want +got):\n%s", diff)
			}
		})
	})

	t.Run("cannot be linked by a pull-wake subscription", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.create("wakes")
			w.create("wakes/2")
			w.subscribe("one", pullWake(""))
			w.refused(CodeInvalidRequest, "PUT", "subscriptions/own", "", `{"type":"pull-wake","streams":["wakes/2"],"wake_stream":"wakes/2"}`)
			w.refused(CodeInvalidRequest, "PUT", "subscriptions/two", "", `{"type":"pull-wake","streams":["wakes"],"wake_stream":"wakes/2"}`)
			w.refused(CodeInvalidRequest, "POST", "subscriptions/one/streams", "", `{"streams":["wakes"]}`)
			// A stream that becomes one later is inert from then on.
			w.must(204, "POST", "subscriptions/one/streams", "", `{"streams":["wakes/2"]}`)
			w.append("wakes/2", `1`)
			w.wantGenerations("one", 1)
			w.subscribe("two", `{"type":"pull-wake","streams":["events/b"],"wake_stream":"wakes/2"}`)
			w.refused(CodeNoWork, "POST", "subscriptions/one/claim", "", `{"worker":"w"}`)
			// And wakes again when it is none any more.
			w.must(204, "DELETE", "subscriptions/two", "", "")
			w.wantGenerations("one", 1, 2)
		})
	})
}

func seq(n int64) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = int64(i + 1)
	}
	return out
}

func TestClaimOfAWakeWithoutWork(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.create("wakes")
		w.subscribe("s", pullWake(""))
		w.create("events/a", `1`)
		w.wantGenerations("s", 1)
		if err := w.engine.Delete("events/a"); err != nil {
			t.Fatal(err)
		}
		w.refused(CodeNoWork, "POST", "subscriptions/s/claim", "", `{"worker":"w1"}`)
		// The next append must be announced although nobody ever took the first wake.
		w.create("events/b", `1`)
		w.wantGenerations("s", 1, 2)
	})
}
