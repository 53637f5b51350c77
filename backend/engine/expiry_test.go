package engine

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// inBubble runs a test with an engine whose clock and timers are those of a
// synctest bubble.
func inBubble(t *testing.T, test func(t *testing.T, e *testEngine)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e := newTestEngine(t, Options{IdleAfter: time.Minute}, store.Options{})
		test(t, e)
		e.close()
	})
}

func expiresAt(at time.Time) func(*CreateRequest) {
	return func(r *CreateRequest) { r.Expiry = protocol.Expiry{At: at, AtRaw: at.Format(time.RFC3339Nano)} }
}

func TestSlidingTTL(t *testing.T) {
	touch := func(e *testEngine) {
		r, err := e.OpenReader("a")
		if err != nil {
			e.t.Fatal(err)
		}
		r.Touch()
		r.Close()
	}
	producer := int64(0)
	for _, tt := range []struct {
		name  string
		after func(e *testEngine) // half a TTL after creation
		slide bool
	}{
		{"nothing", func(*testEngine) {}, false},
		{"a read", touch, true},
		{"an append", func(e *testEngine) { e.mustAppend("a", text, "x") }, true},
		{"a duplicate append", func(e *testEngine) {
			e.mustAppend("a", text, "x", by("p", producer, 0))
			e.mustAppend("a", text, "x", by("p", producer, 0))
		}, true},
		{"closing", func(e *testEngine) { e.mustAppend("a", "", "", closing) }, true},
		{"closing by a producer", func(e *testEngine) { e.mustAppend("a", "", "", closing, by("p", 0, 0)) }, true},
		{"a refused append", func(e *testEngine) {
			if _, err := e.Append("a", request("text/html", "x")); err == nil {
				e.t.Error("accepted")
			}
		}, false},
		{"looking at it", func(e *testEngine) {
			if err := e.Exists("a"); err != nil {
				e.t.Error(err)
			}
			e.content("a", 0) // what HEAD and the inspector do
			e.Activity("a")
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, e *testEngine) {
				e.mustCreate("a", text, ttl(10*time.Second))
				time.Sleep(5 * time.Second)
				tt.after(e)
				time.Sleep(5*time.Second - time.Millisecond)
				if err := e.Exists("a"); err != nil {
					t.Fatalf("a millisecond before the end: %v", err)
				}
				time.Sleep(time.Millisecond)
				if got := e.Exists("a"); (got == nil) != tt.slide {
					t.Fatalf("at the end of the first window: %v", got)
				}
				time.Sleep(5 * time.Second)
				e.wantGone("a")
			})
		})
	}
}

func TestExpiry(t *testing.T) {
	t.Run("absolute expiry does not slide", func(t *testing.T) {
		inBubble(t, func(t *testing.T, e *testEngine) {
			e.mustCreate("a", text, expiresAt(time.Now().Add(10*time.Second)))
			for range 9 {
				time.Sleep(time.Second)
				e.mustAppend("a", text, "x")
			}
			r, err := e.OpenReader("a")
			if err != nil {
				t.Fatal(err)
			}
			r.Follow()
			_, changed, _ := r.Current()
			time.Sleep(time.Second)
			e.wantGone("a")
			<-changed
			if _, _, err := r.Current(); !errors.Is(err, protocol.ErrNotFound) {
				t.Errorf("a live reader got %v", err)
			}
			r.Close()
		})
	})
	t.Run("a TTL of zero and an instant in the past", func(t *testing.T) {
		inBubble(t, func(t *testing.T, e *testEngine) {
			e.mustCreate("zero", text, ttl(0))
			e.mustCreate("past", text, expiresAt(time.Now().Add(-time.Hour)))
			e.mustCreate("long past", text, expiresAt(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)))
			for _, path := range []string{"zero", "past", "long past"} {
				e.wantGone(path)
				if _, err := e.Append(path, request(text, "x")); !errors.Is(err, protocol.ErrNotFound) {
					t.Errorf("append to %s: %v", path, err)
				}
				if err := e.Delete(path); !errors.Is(err, protocol.ErrNotFound) {
					t.Errorf("delete %s: %v", path, err)
				}
			}
		})
	})
	t.Run("the greatest TTL", func(t *testing.T) {
		inBubble(t, func(t *testing.T, e *testEngine) {
			e.mustCreate("a", text, func(r *CreateRequest) { r.Expiry = protocol.Expiry{HasTTL: true, TTL: 10_000_000_000} })
			time.Sleep(time.Hour)
			e.mustAppend("a", text, "x")
			e.reopen()
			e.wantContent("a", "x")
		})
	})
	t.Run("the path is free again for another configuration", func(t *testing.T) {
		inBubble(t, func(t *testing.T, e *testEngine) {
			e.mustCreate("a", text, ttl(time.Second), withBody("old"))
			time.Sleep(time.Second)
			if st := e.mustCreate("a", "application/json"); st.Incarnation != 1 {
				t.Errorf("incarnation %d", st.Incarnation)
			}
			e.wantContent("a", "")
		})
	})
	t.Run("expired streams are announced and leave the log", func(t *testing.T) {
		inBubble(t, func(t *testing.T, e *testEngine) {
			e.mustCreate("a", text, ttl(10*time.Second))
			e.mustCreate("b", text, expiresAt(time.Now().Add(20*time.Second)))
			time.Sleep(30 * time.Second)
			synctest.Wait()
			want := []string{"insert a", "insert b", "delete a", "delete b"}
			if got := e.events(); !slices.Equal(got, want) {
				t.Errorf("events %v", got)
			}
			if n, err := e.db.Count(t.Context()); n != 0 || err != nil {
				t.Errorf("%d streams left, %v", n, err)
			}
		})
	})
}

func TestLiveReaderKeepsStream(t *testing.T) {
	inBubble(t, func(t *testing.T, e *testEngine) {
		e.mustCreate("a", text, ttl(2*time.Second))
		r, err := e.OpenReader("a")
		if err != nil {
			t.Fatal(err)
		}
		r.Follow()
		time.Sleep(time.Hour)
		if err := e.Exists("a"); err != nil {
			t.Fatalf("expired under a live reader: %v", err)
		}
		r.Close()
		time.Sleep(1900 * time.Millisecond)
		if err := e.Exists("a"); err != nil {
			t.Fatalf("the window begins anew when the reader leaves: %v", err)
		}
		time.Sleep(200 * time.Millisecond)
		e.wantGone("a")
	})
}

func TestExpirySurvivesReopen(t *testing.T) {
	for name, crash := range map[string]bool{"clean": false, "crash": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, e *testEngine) {
				e.mustCreate("slides", text, ttl(100*time.Second))
				e.mustCreate("fixed", text, expiresAt(time.Now().Add(100*time.Second)))
				time.Sleep(60 * time.Second)
				e.mustAppend("slides", text, "x") // until 160
				if crash {
					e.crash()
				} else {
					e.reopen()
				}
				time.Sleep(39 * time.Second) // 99
				if err := e.Exists("fixed"); err != nil {
					t.Errorf("fixed at 99 s: %v", err)
				}
				time.Sleep(2 * time.Second) // 101
				e.wantGone("fixed")
				time.Sleep(58 * time.Second) // 159
				if err := e.Exists("slides"); err != nil {
					t.Errorf("slides at 159 s: %v", err)
				}
				time.Sleep(12 * time.Second) // 171: after a crash up to a tenth late
				e.wantGone("slides")
			})
		})
	}
}

// The deadline that follows from an append is on disk when that is acknowledged,
// not a moment later: a kill in between would let the append expire early.
func TestAppendStoresItsDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T, e *testEngine) {
		e.mustCreate("a", text, ttl(100*time.Second))
		for range 20 {
			time.Sleep(60 * time.Second)
			e.mustAppend("a", text, "x")
			s, _, err := e.db.Load(t.Context(), "a")
			if err != nil {
				t.Fatal(err)
			}
			if want := time.Now().Add(100 * time.Second).UnixMilli(); s.Deadline < want {
				t.Fatalf("stored deadline %d ms early", want-s.Deadline)
			}
		}
	})
}

// crash reopens the log without what a clean shutdown would still have stored.
func (e *testEngine) crash() {
	e.t.Helper()
	e.mu.Lock()
	for _, s := range e.active {
		s.stored.Store(s.deadline(s.state())) // it believes that there is nothing to store
	}
	e.mu.Unlock()
	e.reopen()
}

func TestExpiryWhileDown(t *testing.T) {
	inBubble(t, func(t *testing.T, e *testEngine) {
		for i := range 250 { // more than the sweeper looks up at a time
			e.mustCreate(fmt.Sprint("s", i), text, ttl(10*time.Second))
		}
		e.mustCreate("stays", text)
		e.close()
		time.Sleep(time.Hour)
		e.open()
		e.wantGone("s7")
		time.Sleep(5 * time.Second) // the sweeper needs a few rounds
		synctest.Wait()
		if n, err := e.db.Count(t.Context()); n != 1 || err != nil {
			t.Errorf("%d streams left, %v", n, err)
		}
		if n := len(e.events()); n != 251+250 {
			t.Errorf("%d events", n)
		}
	})
}

// Expired streams that live readers hold must not keep the sweeper from the
// others.
func TestSweeperPassesHeldStreams(t *testing.T) {
	inBubble(t, func(t *testing.T, e *testEngine) {
		var readers []*Reader
		for i := range sweepLimit + 5 {
			path := fmt.Sprint("held/", i)
			e.mustCreate(path, text, ttl(2*time.Second))
			r, err := e.OpenReader(path)
			if err != nil {
				t.Fatal(err)
			}
			r.Follow()
			readers = append(readers, r)
		}
		e.mustCreate("idle", text, ttl(300*time.Second))
		time.Sleep(90 * time.Second) // its sequencer has ended
		if _, active := e.Activity("idle"); active {
			t.Fatal("still active: the sweeper has nothing to do")
		}
		time.Sleep(300 * time.Second)
		synctest.Wait()
		if !slices.Contains(e.events(), "delete idle") {
			t.Error("the idle stream was not removed")
		}
		for _, r := range readers {
			r.Close()
		}
	})
}

func TestIdleSequencersEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, e *testEngine) {
		active := func() (n int) {
			e.mu.Lock()
			defer e.mu.Unlock()
			return len(e.active) - 1 // the registry stays
		}
		e.mustCreate("a", text, withBody("1"))
		e.mustCreate("ttl", text, ttl(time.Hour))
		e.wantGone("never was")
		synctest.Wait()
		if n := active(); n != 2 {
			t.Fatalf("%d sequencers, want 2: one for a path without a stream must end at once", n)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := active(); n != 0 {
			t.Fatalf("%d sequencers after two idle minutes", n)
		}
		e.mustAppend("a", text, "2", by("p", 0, 0))
		time.Sleep(2 * time.Minute)
		if a := e.mustAppend("a", text, "2", by("p", 0, 0)); !a.Duplicate {
			t.Error("a reactivated stream has forgotten its producer")
		}
		e.wantContent("a", "12")
		r, err := e.OpenReader("a")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if n := active(); n != 1 {
			t.Errorf("%d sequencers while a reader is open", n)
		}
		r.Close()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := active(); n != 0 {
			t.Errorf("%d sequencers at the end", n)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		e.wantGone("ttl")
	})
}

// A stream in heavy use does not write its deadline to disk all the time.
func TestDeadlineIsStoredRarely(t *testing.T) {
	inBubble(t, func(t *testing.T, e *testEngine) {
		e.mustCreate("a", text, ttl(100*time.Second))
		stored := func() int64 {
			s, _, err := e.db.Load(t.Context(), "a")
			if err != nil {
				t.Fatal(err)
			}
			return s.Deadline
		}
		changes, last := 0, stored()
		for range 200 {
			time.Sleep(500 * time.Millisecond)
			e.mustAppend("a", text, "x")
			synctest.Wait()
			if now := stored(); now != last {
				changes, last = changes+1, now
			}
			if last < time.Now().Add(100*time.Second).UnixMilli() {
				t.Fatalf("stored %d, which is before the real deadline", last)
			}
		}
		if changes > 10 {
			t.Errorf("stored %d times in one TTL", changes)
		}
	})
}
