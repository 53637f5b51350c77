package subscription

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func (w *world) look(id string) *Sight {
	w.t.Helper()
	s, err := w.m.Look(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func wantCode(t *testing.T, err error, want Code) {
	t.Helper()
	var refused *Error
	if !errors.As(err, &refused) || refused.Code != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestAMissingWakeStreamIsInSight(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.subscribe("s", pullWake(""))
		want := func(state, trouble string) {
			t.Helper()
			synctest.Wait()
			list, err := w.m.List(t.Context())
			if err != nil || len(list) != 1 {
				t.Fatalf("%d subscriptions, %v", len(list), err)
			}
			for name, s := range map[string]*Sight{"list": &list[0], "look": w.look("s")} {
				if s.State != state || !strings.Contains(s.Trouble, trouble) || trouble == "" && s.Trouble != "" {
					t.Errorf("%s: %s, trouble %q; want %s, %q", name, s.State, s.Trouble, state, trouble)
				}
			}
		}
		want("idle", "")
		w.create("events/a", `1`)
		want("stuck", `"wakes" does not take events`)
		w.create("wakes")
		want("waking", "")
	})
}

func TestRedeliver(t *testing.T) {
	t.Run("a retry does not wait for its time", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			var down atomic.Bool
			down.Store(true)
			r := w.receiver("1", func(rw http.ResponseWriter, req *http.Request) {
				if down.Load() {
					rw.WriteHeader(http.StatusBadGateway)
					return
				}
				done(rw, req)
			})
			w.subscribe("s", webhook(r.url, ""))
			wantCode(t, w.m.Redeliver("s"), CodeNoWork)
			w.create("events/a", `1`)
			for range 5 {
				r.next(t, time.Minute)
			}
			synctest.Wait()
			s := w.look("s")
			if s.State != "retrying" || s.Pending != 1 || len(s.Shown) != 1 || !strings.Contains(s.Trouble, "502") {
				t.Errorf("in sight: %+v", s)
			}
			if len(s.Attempts) != 5 || s.Attempts[0].Status != 502 || s.Attempts[0].Generation != 1 || s.Attempts[0].At.Before(s.Attempts[4].At) {
				t.Errorf("attempts %+v", s.Attempts)
			}
			down.Store(false)
			if err := w.m.Redeliver("s"); err != nil {
				t.Fatal(err)
			}
			r.next(t, 0)
			synctest.Wait()
			if s = w.look("s"); s.State != "idle" || s.Pending != 0 || s.Attempts[0].Status != 200 || !s.Attempts[0].Done || s.Attempts[0].Error != "" {
				t.Errorf("afterwards: %+v", s)
			}
		})
	})

	t.Run("a wake that was taken comes once more, and can still be answered", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			r := w.receiver("1", later)
			w.subscribe("s", webhook(r.url, ""))
			w.create("events/a", `1`)
			one := r.next(t, 0)
			synctest.Wait()
			if err := w.m.Redeliver("s"); err != nil {
				t.Fatal(err)
			}
			two := r.next(t, 0)
			if one.WakeID != two.WakeID || one.Gen != two.Gen || one.Token != two.Token {
				t.Errorf("first %s, then %s", one.Raw, two.Raw)
			}
			synctest.Wait()
			w.must(200, "POST", "subscriptions/s/callback", one.Token, ack(one.WakeID, 1, true, [2]string{"events/a", at(1)}))
			if s := w.look("s"); s.State != "idle" {
				t.Errorf("state %s", s.State)
			}
		})
	})

	t.Run("attempts are remembered up to a bound and forgotten with the subscription", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			r := w.receiver("1", func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(500) })
			w.subscribe("s", webhook(r.url, ""))
			w.create("events/a", `1`)
			for range 2 * maxAttempts {
				r.next(t, 2*time.Minute)
			}
			if n := len(w.look("s").Attempts); n != maxAttempts {
				t.Errorf("%d attempts are remembered", n)
			}
			if err := w.m.Remove("s"); err != nil {
				t.Fatal(err)
			}
			wantCode(t, w.m.Remove("s"), CodeNotFound)
			if _, err := w.m.Look(t.Context(), "s"); err == nil {
				t.Error("it is still there")
			}
			synctest.Wait()
			if len(w.m.attempts) != 0 {
				t.Errorf("remembered: %v", w.m.attempts)
			}
		})
	})
}

func TestRelease(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.create("wakes")
		w.subscribe("s", `{"type":"pull-wake","pattern":"events/*","wake_stream":"wakes"}`)
		wantCode(t, w.m.Redeliver("s"), CodeInvalidRequest)
		wantCode(t, w.m.Release("s"), CodeNoWork)
		w.create("events/a", `1`)
		synctest.Wait()
		wantCode(t, w.m.Release("s"), CodeNoWork)
		a := w.must(200, "POST", "subscriptions/s/claim", "", `{"worker":"one"}`)
		var first claimed
		if err := json.Unmarshal(a.raw, &first); err != nil {
			t.Fatal(err)
		}
		if s := w.look("s"); s.State != "leased" || s.Holder != "one" {
			t.Errorf("claimed: %+v", s)
		}
		if err := w.m.Release("s"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s := w.look("s"); s.Generation != first.Generation+1 || s.Holder != "" || s.State != "waking" {
			t.Errorf("released: %+v", s)
		}
		// The one it was taken from is fenced off.
		w.refused(CodeFenced, "POST", "subscriptions/s/ack", first.Token, ack(first.WakeID, first.Generation, true))
		list, err := w.m.List(t.Context())
		if err != nil || len(list) != 1 || list[0].Links != 1 || list[0].State != "waking" {
			t.Errorf("list %+v, %v", list, err)
		}
	})
}
