package mirror

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"tailrace/backend/engine"
	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

func TestStreamsAreCopied(t *testing.T) {
	both(t, func(t *testing.T, direction string, source, copied, at *host) {
		source.create("chat/json", "application/json; charset=utf-8")
		source.append("chat/json", ` {"n":9007199254740993} `)
		source.append("chat/json", `[[1,2],"a,b",null]`)
		source.create("chat/text", "text/plain")
		source.append("chat/text", "käse\r\n", true)
		source.create("chat/empty", "application/x-thing")
		source.create("chat/ended", "application/json")
		source.append("chat/ended", "", true)
		source.create("other", "text/plain")
		source.append("other", "no")

		at.add(direction, "chat/**", other(at, source, copied))
		copied.holds("chat/json", `{"n":9007199254740993},[1,2],"a,b",null`)
		copied.holds("chat/text", "käse\r\n (closed)")
		copied.holds("chat/ended", " (closed)")
		copied.holds("chat/empty", "")
		at.until("chat/json", StateLive)
		at.until("chat/text", StateClosed)
		at.until("chat/ended", StateClosed)
		for _, path := range []string{"chat/json", "chat/text", "chat/empty"} {
			if have, want := copied.state(path).ContentType, source.state(path).ContentType; have != want {
				t.Errorf("the copy of %s is %q, want %q", path, have, want)
			}
		}
		if have := copied.state("chat/json"); have.Messages != 4 {
			t.Errorf("the copy has %d messages, want 4", have.Messages)
		}
		if have := copied.content("other"); !strings.HasPrefix(have, "error: ") {
			t.Errorf("a stream that was not asked for was copied: %q", have)
		}

		// It goes on, with what is appended and with streams that are made later.
		source.append("chat/json", `5`)
		source.append("chat/empty", "x")
		source.create("chat/deep/er", "text/plain")
		source.append("chat/deep/er", "y")
		source.append("chat/json", `6`, true)
		copied.holds("chat/json", `{"n":9007199254740993},[1,2],"a,b",null,5,6 (closed)`)
		copied.holds("chat/empty", "x")
		copied.holds("chat/deep/er", "y")
		at.until("chat/json", StateClosed)
	})
}

func TestCopiesGoOnAfterARestart(t *testing.T) {
	both(t, func(t *testing.T, direction string, source, copied, at *host) {
		source.create("a", "application/json")
		source.append("a", `1`)
		at.add(direction, "a", other(at, source, copied))
		copied.holds("a", "1")
		for i := 2; i < 6; i++ {
			at.mirrors.Close()
			at.mirrors = nil
			source.append("a", fmt.Sprint(i))
			at.mirror()
		}
		copied.holds("a", "1,2,3,4,5")
		at.until("a", StateLive)
	})
}

// A fork is copied as a stream of its own.
func TestForksAreCopiedWhole(t *testing.T) {
	both(t, func(t *testing.T, direction string, source, copied, at *host) {
		source.create("trunk", "text/plain")
		source.append("trunk", "before ")
		_, err := source.engine.Create("branch", &engine.CreateRequest{Fork: &engine.ForkRequest{From: "trunk"}})
		if err != nil {
			t.Fatal(err)
		}
		source.append("branch", "after")
		at.add(direction, "branch", other(at, source, copied))
		copied.holds("branch", "before after")
		at.until("branch", StateLive)
	})
}

func TestADeletedSourceLeavesItsCopy(t *testing.T) {
	both(t, func(t *testing.T, direction string, source, copied, at *host) {
		source.create("a", "text/plain")
		source.append("a", "one")
		at.add(direction, "**", other(at, source, copied))
		copied.holds("a", "one")
		at.until("a", StateLive)
		source.delete("a")
		at.until("a", StateSourceDeleted, "deleted")

		// Another stream at its path is not appended to the copy.
		source.create("a", "text/plain")
		source.append("a", "one and another")
		at.until("a", StateStopped, "made anew")
		if have := copied.content("a"); have != "one" {
			t.Errorf("the copy holds %q", have)
		}
		// It is copied when the copy is out of the way and somebody says so.
		copied.delete("a")
		if err := at.mirrors.Resume(t.Context(), "m"); err != nil {
			t.Fatal(err)
		}
		copied.holds("a", "one and another")
		at.until("a", StateLive)
	})
}

// A registry may tell of a stream a moment before the stream answers.
func TestADeletedSourceThatIsAnnouncedAnewIsWaitedFor(t *testing.T) {
	for name, shows := range map[string]bool{"and shows": true, "and never shows": false} {
		t.Run(name, func(t *testing.T) {
			source, copied := newHost(t), newHost(t)
			copied.mirror()
			source.create("a", "text/plain")
			source.append("a", "one")
			copied.add(store.MirrorPull, "**", source)
			copied.until("a", StateLive)
			source.delete("a")
			copied.until("a", StateSourceDeleted, "deleted")

			var asked atomic.Int64
			source.fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if r.Method == http.MethodHead && (asked.Add(1) <= 2 || !shows) {
					w.WriteHeader(http.StatusNotFound)
					return
				}
				next.ServeHTTP(w, r)
			})
			source.create("a", "text/plain")
			if shows {
				copied.until("a", StateStopped, "made anew")
			} else {
				await(t, "it is given up", func() (bool, string) {
					return asked.Load() > onceTries, fmt.Sprint(asked.Load())
				})
				copied.until("a", StateSourceDeleted, "deleted")
			}
			if have := copied.content("a"); have != "one" {
				t.Errorf("the copy holds %q", have)
			}
		})
	}
}

func TestASourceThatIsMadeAnewBetweenRunsIsNoticed(t *testing.T) {
	both(t, func(t *testing.T, direction string, source, copied, at *host) {
		source.create("a", "text/plain")
		source.append("a", "one")
		to := other(at, source, copied)
		at.add(direction, "a", to)
		at.until("a", StateLive)
		at.mirrors.Close()
		at.mirrors = nil
		source.delete("a")
		source.create("a", "text/plain")
		source.append("a", "another, longer")
		at.mirror()
		at.until("a", StateStopped, "made anew")
		if have := copied.content("a"); have != "one" {
			t.Errorf("the copy holds %q", have)
		}
		// Nothing but a person changes that, not even a restart.
		at.mirror()
		at.until("a", StateStopped, "made anew")
	})
}

func TestAStreamWithDataOfItsOwnIsNotTouched(t *testing.T) {
	for name, make := range map[string]func(*host){
		"data":          func(h *host) { h.create("a", "text/plain"); h.append("a", "mine") },
		"another type":  func(h *host) { h.create("a", "application/json") },
		"closed, empty": func(h *host) { h.create("a", "text/plain"); h.append("a", "", true) },
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, direction string, source, copied, at *host) {
				source.create("a", "text/plain")
				source.append("a", "one")
				make(copied)
				before := copied.content("a")
				at.add(direction, "a", other(at, source, copied))
				at.until("a", StateStopped, "at this path")
				if have := copied.content("a"); have != before {
					t.Errorf("it holds %q, and held %q", have, before)
				}
			})
		})
	}
}

func TestAnEmptyStreamBecomesTheCopy(t *testing.T) {
	both(t, func(t *testing.T, direction string, source, copied, at *host) {
		source.create("a", "text/plain")
		source.append("a", "one")
		copied.create("a", "text/plain")
		at.add(direction, "a", other(at, source, copied))
		copied.holds("a", "one")
	})
}

func TestSomebodyElseWritesToTheCopy(t *testing.T) {
	both(t, func(t *testing.T, direction string, source, copied, at *host) {
		source.create("a", "text/plain")
		source.append("a", "one")
		at.add(direction, "a", other(at, source, copied))
		at.until("a", StateLive)
		at.mirrors.Close()
		at.mirrors = nil
		copied.append("a", " foreign")
		at.mirror()
		at.until("a", StateStopped, "somebody else")
		source.append("a", " two")
		if have := copied.content("a"); have != "one foreign" {
			t.Errorf("the copy holds %q", have)
		}
	})
}

func TestADeletedCopyComesBackWhenAsked(t *testing.T) {
	both(t, func(t *testing.T, direction string, source, copied, at *host) {
		source.create("a", "application/json")
		source.append("a", `1`)
		at.add(direction, "a", other(at, source, copied))
		at.until("a", StateLive)
		copied.delete("a")
		source.append("a", `2`)
		at.until("a", StateStopped)
		if err := at.mirrors.Resume(t.Context(), "m"); err != nil {
			t.Fatal(err)
		}
		copied.holds("a", "1,2")
		at.until("a", StateLive)
		source.append("a", `3`)
		copied.holds("a", "1,2,3")
	})
}

func TestOnceEndsWhenEverythingHasArrived(t *testing.T) {
	both(t, func(t *testing.T, direction string, source, copied, at *host) {
		want := map[string]string{}
		for i := range 12 {
			path := fmt.Sprintf("s/%d", i)
			source.create(path, "application/json")
			for n := range 20 {
				source.append(path, fmt.Sprint(n))
			}
			want[path] = source.content(path)
		}
		to := other(at, source, copied)
		if got := at.once(direction, "s/*", to); got.State != Ended || got.Once != OnceComplete || len(got.Streams) != 12 {
			t.Fatalf("it ended as %+v", got)
		}
		for path, w := range want {
			if have := copied.content(path); have != w {
				t.Errorf("%s holds %q, want %q", path, have, w)
			}
		}
		// The same again takes what is new, and nothing twice.
		source.append("s/3", "99")
		if got := at.once(direction, "s/*", to); got.Once != OnceComplete {
			t.Fatalf("it ended as %+v", got)
		}
		if have := copied.content("s/3"); have != want["s/3"]+",99" {
			t.Errorf("s/3 holds %q", have)
		}
		// What cannot arrive is no success.
		source.create("s/bad", "text/plain")
		copied.create("s/bad", "application/json")
		if got := at.once(direction, "s/*", to); got.Once != OnceFailed {
			t.Errorf("it ended as %+v", got)
		}
	})
}

func TestExpiry(t *testing.T) {
	both(t, func(t *testing.T, direction string, source, copied, at *host) {
		expiry := protocol.Expiry{HasTTL: true, TTL: 3600}
		if _, err := source.engine.Create("a", &engine.CreateRequest{ContentType: "text/plain", Expiry: expiry}); err != nil {
			t.Fatal(err)
		}
		source.append("a", "one")
		at.add(direction, "a", other(at, source, copied))
		copied.holds("a", "one")
		at.until("a", StateLive)
		// What moves on to another server keeps its expiry; what comes home stays.
		want := protocol.Expiry{}
		if direction == store.MirrorPush {
			want = expiry
		}
		if have := copied.state("a").Expiry; !have.Equal(want) {
			t.Errorf("the copy has %s, want %s", have, want)
		}
		source.append("a", " two")
		copied.holds("a", "one two")
		source.append("a", "", true)
		copied.holds("a", "one two (closed)")
	})
}

func TestLargeStreams(t *testing.T) {
	both(t, func(t *testing.T, direction string, source, copied, at *host) {
		source.create("bytes", "application/octet-stream")
		source.append("bytes", strings.Repeat("0123456789", 120_000))
		source.append("bytes", strings.Repeat("x", 1000))
		source.create("json", "application/json")
		var body strings.Builder
		body.WriteString("[0")
		for i := range 25_000 {
			fmt.Fprintf(&body, `,{"n":%d}`, i)
		}
		source.append("json", body.String()+"]")
		if got := at.once(direction, "**", other(at, source, copied)); got.Once != OnceComplete {
			t.Fatalf("it ended as %+v", got)
		}
		for _, path := range []string{"bytes", "json"} {
			if source.content(path) != copied.content(path) {
				t.Errorf("the copy of %s differs", path)
			}
			if source.state(path).Messages != copied.state(path).Messages && path == "json" {
				t.Errorf("the copy of %s has other messages", path)
			}
		}
	})
}

// Mirrors that are being ended are not changed any more, whoever asks meanwhile.
func TestNothingIsChangedOnceTheyAreEnded(t *testing.T) {
	source, copied := newHost(t), newHost(t)
	copied.mirror()
	copied.add(store.MirrorPull, "a", source)
	var asking sync.WaitGroup
	begun := make(chan struct{}, 4)
	for range cap(begun) {
		asking.Go(func() {
			for first := true; ; first = false {
				err := errors.Join(copied.mirrors.Pause(t.Context(), "m"), copied.mirrors.Resume(t.Context(), "m"))
				if first {
					begun <- struct{}{}
				}
				if errors.Is(err, protocol.ErrShuttingDown) {
					return
				} else if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range cap(begun) {
		<-begun
	}
	copied.mirrors.Close()
	asking.Wait()
	for name, err := range map[string]error{
		"pause":  copied.mirrors.Pause(t.Context(), "m"),
		"resume": copied.mirrors.Resume(t.Context(), "m"),
		"remove": copied.mirrors.Remove(t.Context(), "m"),
	} {
		if !errors.Is(err, protocol.ErrShuttingDown) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
