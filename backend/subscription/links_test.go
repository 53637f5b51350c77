package subscription

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tailrace/backend/engine"
	"tailrace/backend/protocol"
)

// links are a subscription's streams in short: path to link type and cursor.
func (w *world) links(id string) map[string]string {
	w.t.Helper()
	synctest.Wait()
	out := map[string]string{}
	for _, s := range w.get(id).Streams {
		out[s.Path] = s.LinkType + " " + s.Acked
	}
	return out
}

func (w *world) wantLinks(id string, want map[string]string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.links(id)); diff != "" {
		w.t.Fatalf("links of %s (-want +got):\n%s", id, diff)
	}
}

func TestLinks(t *testing.T) {
	t.Run("existing streams begin at their tails, later ones before their first append", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			r := w.receiver("1", done)
			w.create("events/old", `1`, `2`, `3`)
			w.create("events/empty")
			w.create("events/deep/er", `1`)
			w.create("other", `1`)
			w.subscribe("s", webhook(r.url, `,"streams":["other","absent","/events/old/"]`))
			w.wantLinks("s", map[string]string{
				"events/old": "explicit " + at(3), "events/empty": "glob " + at(0), "other": "explicit " + at(1), "absent": "explicit " + at(0),
			})
			r.none(t, time.Hour)
			w.create("events/new")
			w.create("events/closed")
			if _, err := w.engine.Append("events/closed", &engine.AppendRequest{Empty: true, Close: true}); err != nil {
				t.Fatal(err)
			}
			r.none(t, time.Hour) // neither is an append
			w.append("events/new", `1`)
			if got := r.next(t, 0).stream("events/new"); got != (streamInfo{"events/new", "glob", "-1", at(1), true}) {
				t.Errorf("new stream: %+v", got)
			}
			w.create("absent", `1`)
			if got := r.next(t, 0).stream("absent"); got != (streamInfo{"absent", "explicit", at(0), at(1), true}) {
				t.Errorf("absent stream: %+v", got)
			}
		})
	})

	t.Run("explicit ones come and go without the pattern's", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			r := w.receiver("1", done)
			w.create("events/a", `1`)
			w.subscribe("s", webhook(r.url, ""))
			w.must(204, "POST", "subscriptions/s/streams", "", `{"streams":["events/a","x","x"]}`)
			w.must(204, "POST", "subscriptions/s/streams", "", `{"streams":["x"]}`)
			w.wantLinks("s", map[string]string{"events/a": "explicit " + at(1), "x": "explicit " + at(0)})
			w.must(204, "DELETE", "subscriptions/s/streams/events%2Fa", "", "")
			w.must(204, "DELETE", "subscriptions/s/streams/events/a", "", "")
			w.must(204, "DELETE", "subscriptions/s/streams/x", "", "")
			w.must(204, "DELETE", "subscriptions/s/streams/never", "", "")
			w.wantLinks("s", map[string]string{"events/a": "glob " + at(1)})
			w.create("x", `1`)
			r.none(t, time.Hour)
			w.append("events/a", `2`)
			r.next(t, 0)
			w.refused(CodeNotFound, "POST", "subscriptions/none/streams", "", `{"streams":["x"]}`)
			w.refused(CodeNotFound, "DELETE", "subscriptions/none/streams/x", "", "")
		})
	})

	t.Run("of deleted streams", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			r := w.receiver("1", done)
			w.create("x", `1`, `2`)
			w.create("events/a", `1`, `2`)
			w.subscribe("s", webhook(r.url, `,"streams":["x"]`))
			for _, path := range []string{"x", "events/a"} {
				if err := w.engine.Delete(path); err != nil {
					t.Fatal(err)
				}
			}
			w.wantLinks("s", map[string]string{"x": "explicit " + at(2)})
			r.none(t, time.Hour)
			// New streams at the same paths are pending from their starts.
			second := protocol.Offset{Incarnation: 1, Position: 1}.String()
			w.create("x", `1`)
			if got := r.next(t, 0).stream("x"); got != (streamInfo{"x", "explicit", "-1", second, true}) {
				t.Errorf("new x: %+v", got)
			}
			w.create("events/a", `1`)
			if got := r.next(t, 0).stream("events/a"); got != (streamInfo{"events/a", "glob", "-1", second, true}) {
				t.Errorf("new events/a: %+v", got)
			}
			w.wantLinks("s", map[string]string{"x": "explicit " + second, "events/a": "glob " + second})
		})
	})

	t.Run("an ack of a stream that is gone does no harm to the others", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.create("wakes")
			w.subscribe("s", pullWake(`,"streams":["x"]`))
			w.create("x", `1`)
			w.create("events/a", `1`)
			c := w.claim("s", "w")
			if err := w.engine.Delete("x"); err != nil {
				t.Fatal(err)
			}
			w.must(200, "POST", "subscriptions/s/ack", c.Token, ack(c.WakeID, 1, false, [2]string{"x", at(1)}, [2]string{"events/a", at(1)}))
			w.create("x", `1`)
			a := w.must(200, "POST", "subscriptions/s/ack", c.Token, ack(c.WakeID, 1, true, [2]string{"x", at(1)}))
			if a.body["next_wake"] != true {
				t.Error("the new x is pending")
			}
			if got := w.cursors("s"); got["x"] != "-1" || got["events/a"] != at(1) {
				t.Errorf("cursors %v", got)
			}
		})
	})

	t.Run("soft-deleted streams have nothing pending", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.create("wakes")
			w.subscribe("s", `{"type":"pull-wake","streams":["x"],"wake_stream":"wakes"}`)
			w.create("x", `1`)
			if _, err := w.engine.Create("fork", &engine.CreateRequest{Fork: &engine.ForkRequest{From: "x"}}); err != nil {
				t.Fatal(err)
			}
			if err := w.engine.Delete("x"); err != nil {
				t.Fatal(err)
			}
			w.refused(CodeNoWork, "POST", "subscriptions/s/claim", "", `{"worker":"w"}`)
		})
	})

	t.Run("a fork is pending with what it inherits", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			r := w.receiver("1", done)
			w.create("source", `1`, `2`)
			w.create("empty")
			w.subscribe("s", webhook(r.url, `,"streams":["x"]`))
			fork := func(path, from string) {
				t.Helper()
				if _, err := w.engine.Create(path, &engine.CreateRequest{Fork: &engine.ForkRequest{From: from}}); err != nil {
					t.Fatal(err)
				}
			}
			fork("x", "source")
			if got := r.next(t, 0).stream("x"); got != (streamInfo{"x", "explicit", at(0), at(2), true}) {
				t.Errorf("explicit fork: %+v", got)
			}
			fork("events/a", "source")
			if got := r.next(t, 0).stream("events/a"); got != (streamInfo{"events/a", "glob", "-1", at(2), true}) {
				t.Errorf("matching fork: %+v", got)
			}
			fork("events/b", "empty")
			r.none(t, time.Hour)
		})
	})

	t.Run("the registry is watched only when asked for", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			all, reg := w.receiver("1", done), w.receiver("2", done)
			w.subscribe("all", `{"type":"webhook","pattern":"**","webhook":{"url":"`+all.url+`"}}`)
			w.subscribe("reg", `{"type":"webhook","streams":["__registry__"],"webhook":{"url":"`+reg.url+`"}}`)
			w.create("x")
			all.none(t, time.Hour)
			if got := reg.next(t, 0).stream("__registry__"); got.Tail != at(1) {
				t.Errorf("registry: %+v", got)
			}
		})
	})

	t.Run("a wake names pending streams first and leaves the rest for the next", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.create("wakes")
			for i := range 200 {
				w.create(fmt.Sprintf("events/quiet-%d", i))
			}
			w.subscribe("s", pullWake(""))
			var creating sync.WaitGroup
			for i := range maxSnapshot + 50 {
				creating.Go(func() { w.create(fmt.Sprintf("events/%d", i), `1`) })
			}
			creating.Wait()
			for _, want := range []int{maxSnapshot, 50} {
				c := w.claim("s", "w")
				var acks [][2]string
				for _, s := range c.Streams {
					if s.HasPending {
						acks = append(acks, [2]string{s.Path, s.Tail})
					}
				}
				if len(acks) != want || len(c.Streams) != maxSnapshot {
					t.Errorf("%d of %d streams pending, want %d", len(acks), len(c.Streams), want)
				}
				w.must(200, "POST", "subscriptions/s/ack", c.Token, ack(c.WakeID, c.Generation, true, acks...))
			}
			w.refused(CodeNoWork, "POST", "subscriptions/s/claim", "", `{"worker":"w"}`)
		})
	})
}

// TestLinkingIsAtomic creates subscriptions in the middle of appends to new
// streams: whatever was appended after the creation was answered is pending, and
// no stream is missed.
func TestLinkingIsAtomic(t *testing.T) {
	w := newWorld(t)
	const writers, each = 8, 60
	var mu sync.Mutex
	appended := map[string]int64{}
	progress := make(chan struct{}, writers*each)
	var running sync.WaitGroup
	for n := range writers {
		running.Go(func() {
			for i := range each {
				path := fmt.Sprintf("events/%d-%d", n, i)
				w.create(path, `1`)
				w.append(path, `2`)
				mu.Lock()
				appended[path] = 2
				mu.Unlock()
				progress <- struct{}{}
			}
		})
	}
	before := make([]map[string]bool, 10)
	for n := range before {
		for range writers * each / (len(before) + 1) {
			<-progress
		}
		before[n] = map[string]bool{}
		mu.Lock()
		for path := range appended {
			before[n][path] = true
		}
		mu.Unlock()
		w.subscribe(fmt.Sprintf("s%d", n), `{"type":"pull-wake","pattern":"events/*","wake_stream":"none"}`)
	}
	running.Wait()
	for n := range before {
		got := w.cursors(fmt.Sprintf("s%d", n))
		for path := range appended {
			cursor, linked := got[path]
			switch {
			case !linked:
				t.Errorf("subscription %d misses %s", n, path)
			case before[n][path] && cursor != at(2):
				t.Errorf("subscription %d would replay %s from %s", n, path, cursor)
			}
		}
	}
}

// TestNoWakeBeforeItsData claims as fast as it can while streams grow: what a wake
// tells of can be read.
func TestNoWakeBeforeItsData(t *testing.T) {
	w := newWorld(t)
	w.create("wakes")
	w.subscribe("s", pullWake(""))
	const writers, each = 8, 150
	var running sync.WaitGroup
	for n := range writers {
		running.Go(func() {
			for i := range each {
				path := fmt.Sprintf("events/%d-%d", n, i%10)
				if i < 10 {
					w.create(path, `1`)
				} else {
					w.append(path, `2`)
				}
			}
		})
	}
	over := make(chan struct{})
	go func() { running.Wait(); close(over) }()
	for claims := 0; ; {
		a := w.call("POST", "subscriptions/s/claim", "", `{"worker":"w"}`)
		if a.code == CodeNoWork {
			select {
			case <-over:
				t.Logf("%d claims", claims)
				return
			default:
				continue
			}
		}
		claims++
		var c claimed
		if err := json.Unmarshal(a.raw, &c); err != nil {
			t.Fatal(err)
		}
		var acks [][2]string
		for _, s := range c.Streams {
			if !s.HasPending {
				continue
			}
			acks = append(acks, [2]string{s.Path, s.Tail})
			r, err := w.engine.OpenReader(s.Path)
			if err != nil {
				t.Fatalf("%s: %v", s.Path, err)
			}
			st, _, err := r.Current()
			if err != nil || st.TailOffset().String() < s.Tail {
				t.Fatalf("%s ends at %s, the wake says %s: %v", s.Path, st.TailOffset(), s.Tail, err)
			}
			r.Close()
		}
		w.must(200, "POST", "subscriptions/s/ack", c.Token, ack(c.WakeID, c.Generation, true, acks...))
	}
}
