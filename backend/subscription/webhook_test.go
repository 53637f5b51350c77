package subscription

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func webhook(url, rest string) string {
	return fmt.Sprintf(`{"type":"webhook","pattern":"events/*","webhook":{"url":%q}%s}`, url, rest)
}

func TestWebhook(t *testing.T) {
	t.Run("done acks the snapshot and what came later wakes again", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			var calls atomic.Int64
			r := w.receiver("1", func(rw http.ResponseWriter, req *http.Request) {
				if calls.Add(1) == 1 {
					w.append("events/a", `"during"`)
				}
				done(rw, req)
			})
			w.subscribe("s", webhook(r.url, ""))
			w.create("events/a", `"first"`)
			one, two := r.next(t, 0), r.next(t, 0)
			if one.Gen != 1 || two.Gen != 2 || one.WakeID == two.WakeID || one.Token == two.Token {
				t.Errorf("wakes %d %s and %d %s", one.Gen, one.WakeID, two.Gen, two.WakeID)
			}
			if got := one.stream("events/a"); got != (streamInfo{"events/a", "glob", "-1", at(1), true}) {
				t.Errorf("first wake: %+v", got)
			}
			if got := two.stream("events/a"); got != (streamInfo{"events/a", "glob", at(1), at(2), true}) {
				t.Errorf("second wake: %+v", got)
			}
			synctest.Wait()
			if got := w.cursors("s")["events/a"]; got != at(2) {
				t.Errorf("cursor %s", got)
			}
			r.none(t, time.Hour)
		})
	})

	t.Run("the signature is that of the published key", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			r := w.receiver("1", done)
			w.subscribe("s", webhook(r.url, ""))
			w.create("events/a", `1`)
			in := r.next(t, 0)
			verify(t, w, in)
			if in.URL != testBase+"/v1/stream/__ds/subscriptions/s/callback" {
				t.Errorf("callback URL %s", in.URL)
			}
			if d := w.get("s"); d.Webhook.Signing.JWKS != testBase+"/v1/stream/__ds/jwks.json" {
				t.Errorf("JWKS URL %s", d.Webhook.Signing.JWKS)
			}
		})
	})

	t.Run("a callback extends the lease and ends the wake", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			r := w.receiver("1", later)
			w.subscribe("s", webhook(r.url, `,"lease_ttl_ms":1000`))
			w.create("events/a", `1`, `2`)
			in := r.next(t, 0)
			const callback = "subscriptions/s/callback"
			for range 5 {
				time.Sleep(900 * time.Millisecond)
				w.must(200, "POST", callback, in.Token, ack(in.WakeID, 1, false))
			}
			a := w.must(200, "POST", callback, in.Token, ack(in.WakeID, 1, false, [2]string{"events/a", at(1)}))
			if string(a.raw) != `{"ok":true,"next_wake":false}` {
				t.Errorf("answer %s", a.raw)
			}
			w.append("events/a", `3`)
			a = w.must(200, "POST", callback, in.Token, ack(in.WakeID, 1, true, [2]string{"events/a", at(2)}))
			if string(a.raw) != `{"ok":true,"next_wake":true}` {
				t.Errorf("answer %s", a.raw)
			}
			next := r.next(t, 0)
			if next.Gen != 2 || next.stream("events/a").Acked != at(2) {
				t.Errorf("next wake %s", next.Raw)
			}
			w.refused(CodeFenced, "POST", callback, in.Token, ack(in.WakeID, 1, true))
			w.refused(CodeFenced, "POST", callback, in.Token, ack(next.WakeID, 2, true))
			w.refused(CodeFenced, "POST", callback, next.Token, ack(in.WakeID, 2, true))
			w.refused(CodeFenced, "POST", callback, next.Token, ack(next.WakeID, 1, true))
			w.refused(CodeTokenInvalid, "POST", callback, next.Token+"x", ack(next.WakeID, 2, true))
			w.refused(CodeTokenInvalid, "POST", callback, "", ack(next.WakeID, 2, true))
			if got := w.cursors("s")["events/a"]; got != at(2) {
				t.Errorf("cursor %s", got)
			}
		})
	})

	t.Run("a lease that runs out begins a new generation", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			r := w.receiver("1", later)
			w.subscribe("s", webhook(r.url, `,"lease_ttl_ms":1500`))
			w.create("events/a", `1`)
			one := r.next(t, 0)
			two := r.next(t, 2*time.Second)
			if gap := two.At.Sub(one.At); gap != 1500*time.Millisecond || two.Gen != 2 || two.WakeID == one.WakeID {
				t.Errorf("generation %d after %v", two.Gen, gap)
			}
			w.refused(CodeFenced, "POST", "subscriptions/s/callback", one.Token, ack(one.WakeID, 1, true))
		})
	})

	t.Run("a callback while the request is open begins the next wake at once", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			var calls atomic.Int64
			r := w.receiver("1", func(rw http.ResponseWriter, req *http.Request) {
				if calls.Add(1) > 1 {
					done(rw, req)
					return
				}
				var in received
				if err := json.NewDecoder(req.Body).Decode(&in); err != nil {
					t.Error(err)
				}
				w.append("events/a", `2`)
				w.must(200, "POST", "subscriptions/s/callback", in.Token, ack(in.WakeID, 1, true, [2]string{"events/a", at(1)}))
				time.Sleep(10 * time.Second)
				done(rw, req) // too late to mean anything
			})
			w.subscribe("s", webhook(r.url, ""))
			w.create("events/a", `1`)
			r.next(t, 0)
			if two := r.next(t, 0); two.Gen != 2 || two.stream("events/a").Acked != at(1) {
				t.Errorf("second wake %s", two.Raw)
			}
			r.none(t, time.Minute)
			if got := w.cursors("s")["events/a"]; got != at(2) {
				t.Errorf("cursor %s", got)
			}
		})
	})

	t.Run("a receiver that calls back and never answers gathers no requests", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			var open, most atomic.Int64
			r := w.receiver("1", func(_ http.ResponseWriter, req *http.Request) {
				most.Store(max(most.Load(), open.Add(1)))
				defer open.Add(-1)
				var in received
				if err := json.NewDecoder(req.Body).Decode(&in); err != nil {
					t.Error(err)
				}
				w.must(200, "POST", "subscriptions/s/callback", in.Token,
					ack(in.WakeID, in.Gen, true, [2]string{"events/a", in.stream("events/a").Tail}))
				<-req.Context().Done()
			})
			w.subscribe("s", webhook(r.url, ""))
			w.create("events/a", `1`)
			for n := range int64(20) {
				if in := r.next(t, 0); in.Gen != n+1 {
					t.Errorf("generation %d, want %d", in.Gen, n+1)
				}
				synctest.Wait()
				w.append("events/a", `2`)
			}
			if most.Load() > 3 { // one in flight, one left, one that is being cut off
				t.Errorf("%d requests were open at once", most.Load())
			}
			time.Sleep(time.Hour)
			w.m.mu.Lock()
			defer w.m.mu.Unlock()
			if open.Load() > 0 || len(w.m.actors) > 0 {
				t.Errorf("%d requests are open still, %d actors", open.Load(), len(w.m.actors))
			}
		})
	})

	t.Run("done never moves a cursor back", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			r := w.receiver("1", func(rw http.ResponseWriter, req *http.Request) {
				var in received
				if err := json.NewDecoder(req.Body).Decode(&in); err != nil {
					t.Error(err)
				}
				// The receiver has read on, beyond what it was told of.
				w.append("events/a", `2`)
				w.must(200, "POST", "subscriptions/s/callback", in.Token, ack(in.WakeID, 1, false, [2]string{"events/a", at(2)}))
				done(rw, req)
			})
			w.subscribe("s", webhook(r.url, ""))
			w.create("events/a", `1`)
			r.next(t, 0)
			synctest.Wait()
			if got := w.cursors("s")["events/a"]; got != at(2) {
				t.Errorf("cursor %s", got)
			}
			r.none(t, time.Hour)
		})
	})

	t.Run("a deleted subscription takes no callback and is told nothing more", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			r := w.receiver("1", later)
			w.subscribe("s", webhook(r.url, `,"lease_ttl_ms":1000`))
			w.create("events/a", `1`)
			in := r.next(t, 0)
			w.must(204, "DELETE", "subscriptions/s", "", "")
			w.must(204, "DELETE", "subscriptions/s", "", "")
			w.refused(CodeNotFound, "POST", "subscriptions/s/callback", in.Token, ack(in.WakeID, 1, true))
			w.refused(CodeNotFound, "GET", "subscriptions/s", "", "")
			r.none(t, time.Hour)
			// A new one with the same id neither takes the old token nor counts anew.
			w.subscribe("s", webhook(r.url, ""))
			w.refused(CodeTokenInvalid, "POST", "subscriptions/s/callback", in.Token, ack(in.WakeID, 1, true))
			w.append("events/a", `2`)
			if again := r.next(t, 0); again.Gen != 2 {
				t.Errorf("generation %d after the deletion of one with generation 1", again.Gen)
			}
		})
	})
}

// verify checks the signature of a request with the published keys.
func verify(t *testing.T, w *world, in *received) {
	t.Helper()
	var at, kid, signature string
	for _, part := range strings.Split(in.Signature, ",") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "t":
			at = value
		case "kid":
			kid = value
		case "ed25519":
			signature = value
		}
	}
	raw, err := encoding.DecodeString(signature)
	if err != nil {
		t.Fatal(err)
	}
	a := w.must(200, "GET", "jwks.json", "", "")
	if got := a.header.Get("Content-Type"); got != "application/jwk-set+json" {
		t.Errorf("Content-Type %s", got)
	}
	var set struct{ Keys []jwk }
	if err := json.Unmarshal(a.raw, &set); err != nil {
		t.Fatal(err)
	}
	for _, k := range set.Keys {
		x, err := encoding.DecodeString(k.X)
		if err != nil {
			t.Fatal(err)
		}
		if k.ID == kid && ed25519.Verify(x, []byte(at+"."+string(in.Raw)), raw) {
			return
		}
	}
	t.Errorf("no published key verifies %s", in.Signature)
}

func TestWebhookRetries(t *testing.T) {
	t.Run("back off from a second to a minute with the same wake", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			var calls atomic.Int64
			r := w.receiver("1", func(rw http.ResponseWriter, req *http.Request) {
				if calls.Add(1) <= 9 {
					rw.WriteHeader(http.StatusInternalServerError)
					return
				}
				done(rw, req)
			})
			w.subscribe("s", webhook(r.url, `,"lease_ttl_ms":1000`))
			w.create("events/a", `1`)
			first := r.next(t, 0)
			last := first
			for i, want := range []float64{1, 2, 4, 8, 16, 32, 60, 60, 60} {
				synctest.Wait()
				if d := w.get("s"); d.Status != "failed" || d.Delivery.State != "retrying" || *d.Delivery.LastError == "" {
					t.Errorf("after failure %d: %s, %+v", i+1, d.Status, d.Delivery)
				}
				in := r.next(t, 2*time.Minute)
				if gap := in.At.Sub(last.At).Seconds(); gap < want*0.8 || gap > want*1.2 {
					t.Errorf("retry %d after %.1f s, want about %.0f", i+1, gap, want)
				}
				if string(in.Raw) != string(first.Raw) {
					t.Errorf("retry %d tells something else: %s", i+1, in.Raw)
				}
				verify(t, w, in)
				last = in
			}
			synctest.Wait()
			if d := w.get("s"); d.Status != "active" || d.Streams[0].Acked != at(1) {
				t.Errorf("at the end: %s, %v", d.Status, d.Streams)
			}
			r.none(t, time.Hour)
		})
	})

	t.Run("keep their schedule over a restart", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			r := w.receiver("1", func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusBadGateway) })
			w.subscribe("s", webhook(r.url, ""))
			w.create("events/a", `1`)
			first := r.next(t, 0)
			for range 4 {
				r.next(t, time.Minute)
			}
			synctest.Wait()
			due := *w.get("s").Delivery.NextAttempt
			time.Sleep(5 * time.Second)
			w.reopen()
			if got := *w.get("s").Delivery.NextAttempt; got != due {
				t.Errorf("next attempt %s, was %s", got, due)
			}
			in := r.next(t, time.Minute)
			if got := timestamp(in.At.UnixMilli()); got != due {
				t.Errorf("attempt at %s, due at %s", got, due)
			}
			if string(in.Raw) != string(first.Raw) {
				t.Errorf("after the restart: %s, before: %s", in.Raw, first.Raw)
			}
		})
	})

	t.Run("tell why, without secrets and without end", func(t *testing.T) {
		for name, tc := range map[string]struct {
			raw  string // the answer, as it is sent; "": nobody listens
			want string
		}{
			"nobody listens":    {"", "connection refused"},
			"a chatty status":   {"HTTP/1.1 502 " + strings.Repeat("x", 5000) + "\r\n\r\n", "the receiver answered 502 Bad Gateway"},
			"no answer":         {"\r\n", "the receiver hung up without an answer"},
			"an unknown status": {"HTTP/1.1 599 Whatever\r\nContent-Length: 0\r\n\r\n", "the receiver answered 599"},
			"something else":    {strings.Repeat("é", 2000) + "\r\n\r\n", "malformed"},
		} {
			t.Run(name, func(t *testing.T) {
				bubble(t, func(t *testing.T, w *world) {
					port := "9"
					if tc.raw != "" {
						port = "1"
						w.receiver(port, func(rw http.ResponseWriter, _ *http.Request) {
							conn, _, err := http.NewResponseController(rw).Hijack()
							if err != nil {
								t.Error(err)
								return
							}
							_, _ = io.WriteString(conn, strings.TrimPrefix(tc.raw, "\r\n")) // cut off when it is too much
							_ = conn.Close()
						})
					}
					w.subscribe("s", webhook("http://localhost:"+port+"/hook/secret-path?key=secret-key", ""))
					w.create("events/a", `1`)
					synctest.Wait()
					got := w.get("s").Delivery.LastError
					if got == nil || !strings.Contains(*got, tc.want) || len(*got) > 310 {
						t.Fatalf("last error %v, want %q", got, tc.want)
					}
					if strings.Contains(*got+w.log.String(), "secret") || !strings.Contains(w.log.String(), "could not be delivered") {
						t.Errorf("error %s\nlog %s", *got, w.log.String())
					}
				})
			})
		}
	})

	for name, answer := range map[string]http.HandlerFunc{
		"a redirect": func(rw http.ResponseWriter, req *http.Request) {
			http.Redirect(rw, req, "http://localhost:2/hook", http.StatusTemporaryRedirect)
		},
		"no answer within the lease": func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() },
		"an answer without end": func(rw http.ResponseWriter, req *http.Request) {
			_, _ = io.WriteString(rw, `{"done":`)
			_ = http.NewResponseController(rw).Flush()
			<-req.Context().Done()
		},
	} {
		t.Run(name+" is a failure", func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				r := w.receiver("1", answer)
				other := w.receiver("2", done)
				w.subscribe("s", webhook(r.url, `,"lease_ttl_ms":2000`))
				w.create("events/a", `1`)
				first, second := r.next(t, 0), r.next(t, 4*time.Second)
				if first.Gen != 1 || second.Gen != 1 {
					t.Errorf("generations %d and %d", first.Gen, second.Gen)
				}
				if len(other.got) > 0 {
					t.Error("the redirect was followed")
				}
			})
		})
	}

	t.Run("an endless answer is not read to its end", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			r := w.receiver("1", func(rw http.ResponseWriter, _ *http.Request) {
				for range 1 << 20 {
					if _, err := io.WriteString(rw, strings.Repeat("x", 1024)); err != nil {
						return
					}
				}
				t.Error("a gigabyte was read")
			})
			w.subscribe("s", webhook(r.url, ""))
			w.create("events/a", `1`)
			r.next(t, 0)
			synctest.Wait()
			if d := w.get("s"); d.Delivery.State != "leased" {
				t.Errorf("state %s", d.Delivery.State)
			}
		})
	})

	t.Run("end when nothing is pending any more", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			r := w.receiver("1", func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusNotFound) })
			w.subscribe("s", webhook(r.url, ""))
			w.create("events/a", `1`)
			r.next(t, 0)
			if err := w.engine.Delete("events/a"); err != nil {
				t.Fatal(err)
			}
			r.none(t, time.Hour)
			if d := w.get("s"); d.Status != "active" || d.Delivery.State != "idle" || len(d.Streams) != 0 {
				t.Errorf("%s %+v %v", d.Status, d.Delivery, d.Streams)
			}
		})
	})
}

func TestBackoff(t *testing.T) {
	for n, want := range map[int64]time.Duration{1: time.Second, 2: 2 * time.Second, 6: 32 * time.Second, 7: time.Minute, 1 << 40: time.Minute} {
		low, high := false, false
		for range 1000 {
			d := backoff(n)
			if d < want*8/10 || d > want*12/10 {
				t.Fatalf("backoff(%d) = %v", n, d)
			}
			low, high = low || d < want*85/100, high || d > want*115/100
		}
		if !low || !high {
			t.Errorf("backoff(%d) does not use its jitter", n)
		}
	}
}
