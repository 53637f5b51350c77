package mirror

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"tailrace/backend/store"
)

func TestAClosedCopyComesBackWhenAsked(t *testing.T) {
	both(t, func(t *testing.T, direction string, source, copied, at *host) {
		to := other(at, source, copied)
		source.create("a", "application/json")
		source.append("a", `1`, true)
		for _, again := range []string{"made", "there", "deleted"} {
			if again == "deleted" {
				copied.delete("a")
			}
			if got := at.once(direction, "a", to); got.Once != OnceComplete || got.Streams[0].State != StateClosed {
				t.Fatalf("%s: it ended as %+v", again, got)
			}
			if have := copied.content("a"); have != "1 (closed)" {
				t.Errorf("%s: the copy holds %q", again, have)
			}
		}
	})
}

// A source that is deleted while nobody looks leaves its copy, as one that is
// deleted before the eyes of a mirror does.
func TestASourceThatIsDeletedBetweenRuns(t *testing.T) {
	both(t, func(t *testing.T, direction string, source, copied, at *host) {
		to := other(at, source, copied)
		for _, path := range []string{"s/1", "s/2"} {
			source.create(path, "text/plain")
			source.append(path, "x")
		}
		at.once(direction, "s/*", to)
		source.delete("s/1")
		for range 2 {
			got := at.once(direction, "s/*", to)
			if got.Once != OnceComplete || got.Streams[0].State != StateSourceDeleted || got.Streams[1].State != StateLive {
				t.Fatalf("it ended as %+v", got)
			}
		}
		if have := copied.content("s/1"); have != "x" {
			t.Errorf("the copy holds %q", have)
		}
	})
}

func TestOfANameThatIsNotThereNothingHasArrived(t *testing.T) {
	both(t, func(t *testing.T, direction string, source, copied, at *host) {
		if got := at.once(direction, "ordrs", other(at, source, copied)); got.Once != OnceFailed {
			t.Errorf("it ended as %+v", got)
		}
	})
}

func TestWhatIsNoStreamIsNotMirrored(t *testing.T) {
	h := newHost(t)
	h.mirror()
	for _, name := range []string{"/a", "a//b", "../a", "__ds/subscriptions/a", "__registry__", "a\x01"} {
		for _, direction := range []string{store.MirrorPush, store.MirrorPull} {
			_, err := h.mirrors.Add(t.Context(), Request{Direction: direction, Glob: name, Remote: Remote{URL: "http://127.0.0.1:1/"}})
			if _, ok := err.(*RequestError); !ok {
				t.Errorf("%s %q: %v", direction, name, err)
			}
		}
	}
	configured := func(o *Options) {
		o.Remotes = map[string]Remote{"r": {URL: "http://127.0.0.1:1/"}}
		o.Configured = []Request{{Name: "m", Direction: store.MirrorPull, Glob: "../a", Known: "r"}}
	}
	h.mirror(configured)
	await(t, "the configured one fails", func() (bool, string) {
		got, err := h.mirrors.Look("m")
		return err == nil && got.State == Failed && strings.Contains(got.Error, "no path of a stream"), got.Error
	})
}

func TestAServerIsNotItsOwnRemote(t *testing.T) {
	h := newHost(t)
	at := h.http.Listener.Addr().(*net.TCPAddr)
	own := func(o *Options) { o.Own = at }
	h.mirror(own)
	u, err := url.Parse(h.root())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"127.0.0.1", "localhost", "x.localhost"} {
		u.Host = net.JoinHostPort(name, u.Port())
		if _, err := h.mirrors.Add(t.Context(), Request{Direction: store.MirrorPush, Glob: "**", Remote: Remote{URL: u.String()}}); err != errOwn {
			t.Errorf("%s: %v", u, err)
		}
	}
	h.mirror(own, func(o *Options) {
		o.Remotes = map[string]Remote{"r": {URL: h.root()}}
		o.Configured = []Request{{Name: "m", Direction: store.MirrorPush, Glob: "**", Known: "r"}}
	})
	await(t, "the configured one fails", func() (bool, string) {
		got, err := h.mirrors.Look("m")
		return err == nil && got.State == Failed && got.Error == errOwn.Reason, got.Error
	})
}

// A server may announce a stream a moment before it can be read.
func TestAStreamThatIsAnnouncedEarly(t *testing.T) {
	source, copied := newHost(t), newHost(t)
	var missing atomic.Int64
	missing.Store(2)
	source.fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if strings.HasSuffix(r.URL.Path, "/s/1") && missing.Add(-1) >= 0 {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		next.ServeHTTP(w, r)
	})
	copied.mirror()
	copied.add(store.MirrorPull, "s/*", source)
	await(t, "the streams are listed", func() (bool, string) {
		got, err := copied.mirrors.Look("m")
		return err == nil && got.Found, got.Error
	})
	source.create("s/1", "text/plain")
	source.append("s/1", "x")
	copied.holds("s/1", "x")
}

// Where offsets do not tell streams apart, one that was made anew may be what the
// copy begins with.
func TestASourceThatIsMadeAnewAndEndsEarly(t *testing.T) {
	source, copied := newHost(t), newHost(t)
	source.create("a", "text/plain")
	source.append("a", "one two")
	copied.mirror()
	copied.add(store.MirrorPull, "a", source)
	copied.until("a", StateLive)
	copied.mirrors.Close()

	source.delete("a")
	source.create("a", "text/plain")
	source.append("a", "one", true)
	copied.mirror()
	copied.until("a", StateStopped, "made anew")
	if have := copied.content("a"); have != "one two" {
		t.Errorf("the copy holds %q", have)
	}
}
