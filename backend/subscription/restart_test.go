package subscription

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestRestart ends the program at every stage of a wake.
func TestRestart(t *testing.T) {
	t.Run("between the append and the wake", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.create("wakes")
			r := w.receiver("1", done)
			w.subscribe("pull", pullWake(""))
			w.subscribe("hook", webhook(r.url, ""))
			w.m.Close() // nobody listens to the log now
			w.create("events/a", `1`)
			w.reopen()
			w.wantGenerations("pull", 1)
			if in := r.next(t, 0); in.Gen != 1 {
				t.Errorf("generation %d", in.Gen)
			}
		})
	})

	t.Run("during a delivery", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			var calls atomic.Int64
			r := w.receiver("1", func(rw http.ResponseWriter, req *http.Request) {
				if calls.Add(1) == 1 {
					<-req.Context().Done()
					return
				}
				done(rw, req)
			})
			w.subscribe("hook", webhook(r.url, ""))
			w.create("events/a", `1`)
			first := r.next(t, 0)
			w.reopen()
			if again := r.next(t, 0); string(again.Raw) != string(first.Raw) {
				t.Errorf("after: %s\nbefore: %s", again.Raw, first.Raw)
			}
			r.none(t, time.Hour)
			if d := w.get("hook"); d.Streams[0].Acked != at(1) || d.Delivery.Generation != 1 {
				t.Errorf("%+v", d)
			}
		})
	})

	t.Run("while the receiver is at work", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			r := w.receiver("1", later)
			w.subscribe("hook", webhook(r.url, `,"lease_ttl_ms":10000`))
			w.create("events/a", `1`)
			in := r.next(t, 0)
			synctest.Wait()
			time.Sleep(4 * time.Second)
			w.reopen()
			r.none(t, 5*time.Second)
			w.must(200, "POST", "subscriptions/hook/callback", in.Token, ack(in.WakeID, 1, false))
			w.reopen()
			r.none(t, 9*time.Second)
			if again := r.next(t, 2*time.Second); again.Gen != 2 || again.At.Sub(in.At) != 19*time.Second {
				t.Errorf("generation %d after %v", again.Gen, again.At.Sub(in.At))
			}
		})
	})

	t.Run("with a wake that nobody has claimed", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.create("wakes")
			w.subscribe("pull", pullWake(""))
			w.create("events/a", `1`)
			w.wantGenerations("pull", 1)
			w.reopen()
			w.append("events/a", `2`)
			w.wantGenerations("pull", 1)
			if c := w.claim("pull", "w"); c.Generation != 1 || c.Streams[0].Tail != at(2) {
				t.Errorf("claim %+v", c)
			}
		})
	})

	t.Run("with a claimed wake", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.create("wakes")
			w.subscribe("pull", pullWake(""))
			w.create("events/a", `1`, `2`)
			c := w.claim("pull", "w1")
			w.reopen()
			w.refused(CodeClaimed, "POST", "subscriptions/pull/claim", "", `{"worker":"w2"}`)
			w.must(200, "POST", "subscriptions/pull/ack", c.Token, ack(c.WakeID, 1, false, [2]string{"events/a", at(1)}))
			time.Sleep(600 * time.Millisecond)
			w.reopen()
			time.Sleep(399 * time.Millisecond)
			w.wantGenerations("pull", 1)
			time.Sleep(time.Millisecond)
			w.wantGenerations("pull", 1, 2)
			// A lease may also run out while there is no program.
			c = w.claim("pull", "w2")
			w.m.Close()
			time.Sleep(time.Hour)
			w.reopen()
			w.wantGenerations("pull", 1, 2, 3)
			w.refused(CodeFenced, "POST", "subscriptions/pull/ack", c.Token, ack(c.WakeID, 2, true, [2]string{"events/a", at(2)}))
			if got := w.cursors("pull")["events/a"]; got != at(1) {
				t.Errorf("cursor %s", got)
			}
		})
	})

	t.Run("after a deletion", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.create("wakes")
			w.subscribe("pull", pullWake(""))
			w.create("events/a", `1`)
			w.wantGenerations("pull", 1)
			w.must(204, "DELETE", "subscriptions/pull", "", "")
			w.reopen()
			w.append("events/a", `1`)
			w.refused(CodeNotFound, "GET", "subscriptions/pull", "", "")
			w.wantGenerations("pull", 1)
			w.subscribe("pull", pullWake(""))
			w.append("events/a", `1`)
			w.wantGenerations("pull", 1, 2)
		})
	})
}

// TestRandomly lets workers, writers and restarts meet in random orders. What
// must hold at any time: generations count without gaps or repetitions, cursors
// never move back, one worker holds the lease, and an old token opens nothing. At
// the end nothing that was appended is left behind.
func TestRandomly(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				(&chaos{world: w, rnd: rand.New(rand.NewPCG(seed, 0)), cursor: map[string]string{}}).run()
			})
		})
	}
}

type chaos struct {
	*world
	rnd    *rand.Rand
	held   *claimed // by our worker, perhaps not any more
	old    []*claimed
	cursor map[string]string
	tails  [4]int64
}

func (c *chaos) run() {
	c.create("wakes")
	c.subscribe("s", pullWake(""))
	for i := range c.tails {
		c.create(fmt.Sprintf("events/%d", i))
	}
	for range 100 {
		c.step()
		c.check()
	}
	c.drain()
}

func (c *chaos) step() {
	switch c.rnd.IntN(9) {
	case 0, 1, 2:
		i := c.rnd.IntN(len(c.tails))
		c.append(fmt.Sprintf("events/%d", i), `1`)
		c.tails[i]++
	case 3, 4:
		if a := c.call("POST", "subscriptions/s/claim", "", `{"worker":"w"}`); a.status == 200 {
			if c.held != nil {
				c.old = append(c.old, c.held)
			}
			c.held = &claimed{
				WakeID: a.body["wake_id"].(string), Generation: int64(a.body["generation"].(float64)), Token: a.body["token"].(string),
			}
		} else if a.code != CodeClaimed && a.code != CodeNoWork {
			c.t.Fatalf("claim: %s", a.code)
		}
	case 5:
		if c.held != nil {
			i := c.rnd.IntN(len(c.tails))
			n := c.rnd.Int64N(c.tails[i] + 1)
			a := c.call("POST", "subscriptions/s/ack", c.held.Token,
				ack(c.held.WakeID, c.held.Generation, c.rnd.IntN(2) == 0, [2]string{fmt.Sprintf("events/%d", i), at(n)}))
			if a.status != 200 && a.code != CodeFenced && a.code != CodeInvalidOffset {
				c.t.Fatalf("ack: %s", a.code)
			}
		}
	case 6:
		if c.held != nil && c.rnd.IntN(3) == 0 {
			c.call("POST", "subscriptions/s/release", c.held.Token, ack(c.held.WakeID, c.held.Generation, false))
		}
	case 7:
		time.Sleep(time.Duration(c.rnd.IntN(1500)) * time.Millisecond)
	case 8:
		if c.rnd.IntN(4) == 0 {
			c.reopen()
		}
	}
	for _, o := range c.old {
		c.refused(CodeFenced, "POST", "subscriptions/s/ack", o.Token, ack(o.WakeID, o.Generation, true))
	}
}

func (c *chaos) check() {
	got := c.generations("s")
	for i, n := range got {
		if n != int64(i+1) {
			c.t.Fatalf("generations %v", got)
		}
	}
	if d := c.get("s").Delivery; d.Generation != int64(len(got)) {
		c.t.Fatalf("generation %d, but the wake stream tells of %d", d.Generation, len(got))
	}
	for path, cursor := range c.cursors("s") {
		if cursor < c.cursor[path] { // "-1" sorts below all tokens, as do none
			c.t.Fatalf("the cursor of %s went from %s to %s", path, c.cursor[path], cursor)
		}
		c.cursor[path] = cursor
	}
}

func (c *chaos) drain() {
	time.Sleep(time.Minute) // whoever held a lease has lost it
	for {
		a := c.call("POST", "subscriptions/s/claim", "", `{"worker":"w"}`)
		if a.code == CodeNoWork {
			break
		}
		if a.status != 200 {
			c.t.Fatalf("claim: %s", a.code)
		}
		var acks [][2]string
		for _, s := range a.body["streams"].([]any) {
			s := s.(map[string]any)
			acks = append(acks, [2]string{s["path"].(string), s["tail_offset"].(string)})
		}
		c.must(200, "POST", "subscriptions/s/ack", a.body["token"].(string),
			ack(a.body["wake_id"].(string), int64(a.body["generation"].(float64)), true, acks...))
	}
	for i, tail := range c.tails {
		path := fmt.Sprintf("events/%d", i)
		if got := c.cursors("s")[path]; got != at(tail) {
			c.t.Errorf("%s: cursor %s, tail %s", path, got, at(tail))
		}
	}
}
