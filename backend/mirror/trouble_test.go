package mirror

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// Answers get lost after the server has done what it was asked for, and before;
// bodies break off; and now and then the mirror begins anew.
func TestNothingIsLostOrTakenTwice(t *testing.T) {
	both(t, func(t *testing.T, direction string, source, copied, at *host) {
		to := other(at, source, copied)
		var n atomic.Int64
		to.fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			switch n.Add(1) % 13 {
			case 1: // it does not arrive
				panic(http.ErrAbortHandler)
			case 4: // it arrives, and the answer does not
				next.ServeHTTP(httptest.NewRecorder(), r)
				panic(http.ErrAbortHandler)
			case 7: // half of the answer arrives
				rec := httptest.NewRecorder()
				next.ServeHTTP(rec, r)
				for k, v := range rec.Header() {
					w.Header()[k] = v
				}
				w.Header().Set("Content-Length", fmt.Sprint(rec.Body.Len()))
				w.WriteHeader(rec.Code)
				_, _ = w.Write(rec.Body.Bytes()[:rec.Body.Len()/2])
				if rec.Body.Len() > 0 {
					panic(http.ErrAbortHandler)
				}
			case 10:
				w.WriteHeader(http.StatusServiceUnavailable)
			default:
				next.ServeHTTP(w, r)
			}
		})
		source.create("json", "application/json")
		source.create("bytes", "application/octet-stream")
		at.add(direction, "*s*", to)
		for i := range 40 {
			source.append("json", fmt.Sprintf(`[{"n":%d},"%d"]`, i, i))
			source.append("bytes", fmt.Sprintf("<%d>", i))
			if i%10 == 5 {
				at.mirror()
			}
		}
		source.append("json", `"end"`, true)
		source.append("bytes", "", true)
		for _, path := range []string{"json", "bytes"} {
			copied.holds(path, source.content(path))
		}
		to.fail(nil)
		at.until("json", StateClosed)
		at.until("bytes", StateClosed)
		if a, b := source.state("json").Messages, copied.state("json").Messages; a != b {
			t.Errorf("the copy has %d messages, want %d", b, a)
		}
	})
}

// A server may forget producers, and even take what it has once more.
func TestAServerThatForgetsItsProducers(t *testing.T) {
	source, copied := newHost(t), newHost(t)
	var epoch atomic.Value // a suffix that makes all producers new ones
	epoch.Store("")
	var lose atomic.Bool
	copied.fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if id := r.Header.Get(protocol.HeaderProducerID); id != "" {
			r.Header.Set(protocol.HeaderProducerID, id+epoch.Load().(string))
		}
		if r.Method == http.MethodPost && lose.CompareAndSwap(true, false) {
			next.ServeHTTP(httptest.NewRecorder(), r)
			epoch.Store(epoch.Load().(string) + "x")
			panic(http.ErrAbortHandler)
		}
		next.ServeHTTP(w, r)
	})
	source.mirror()
	source.create("a", "application/json")
	source.append("a", `1`)
	source.add(store.MirrorPush, "a", copied)
	copied.holds("a", "1")
	source.until("a", StateLive)
	epoch.Store("x") // it forgets
	source.append("a", `2`)
	copied.holds("a", "1,2")
	lose.Store(true) // it takes a batch, does not answer and forgets
	source.append("a", `3`)
	source.append("a", `4`)
	copied.holds("a", "1,2,3,4")
	source.append("a", `5`)
	copied.holds("a", "1,2,3,4,5")
	epoch.Store("") // it remembers an earlier epoch only
	source.append("a", `6`)
	copied.holds("a", "1,2,3,4,5,6")
	source.until("a", StateLive)
}

func TestTooLargeIsSentInParts(t *testing.T) {
	source, copied := newHost(t), newHost(t)
	copied.fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.ContentLength > 1000 {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		next.ServeHTTP(w, r)
	})
	source.mirror()
	source.create("json", "application/json")
	source.append("json", "["+strings.TrimSuffix(strings.Repeat(`"0123456789",`, 500), ",")+"]")
	source.create("text", "text/plain")
	source.append("text", strings.Repeat("0123456789", 1000), true)
	source.create("huge", "application/json")
	source.append("huge", `"`+strings.Repeat("x", 2000)+`"`)
	source.add(store.MirrorPush, "*", copied)
	copied.holds("json", source.content("json"))
	copied.holds("text", source.content("text"))
	source.until("huge", StateStopped, "413")
}

func TestWhoIsLetIn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "headers")
	const secret = "s3cret-token-of-mine"
	write := func(token string) {
		if err := os.WriteFile(file, []byte("# for tests\nX-Other: yes\nAuthorization: Bearer "+token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, request := range map[string]func(*Request){
		"by a variable":    func(r *Request) { r.Remote.TokenEnv = "TOKEN" },
		"by a given token": func(r *Request) { r.Remote.TokenEnv, r.Token = "GONE", secret },
		"by a file":        func(r *Request) { r.Remote.HeaderFile = file },
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, direction string, source, copied, at *host) {
				to := other(at, source, copied)
				to.fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
					if got := r.Header.Get("Authorization"); got != "Bearer "+secret {
						w.WriteHeader(http.StatusUnauthorized)
						_, _ = io.WriteString(w, "no entry with "+got)
						return
					}
					next.ServeHTTP(w, r)
				})
				token := "wrong-token-of-mine"
				write(token)
				at.mirror(func(o *Options) {
					o.Env = func(name string) string {
						return map[string]string{"TOKEN": token}[name]
					}
				})
				source.create("a", "text/plain")
				source.append("a", "one")
				if name != "by a given token" {
					at.add(direction, "a", to, request)
					if got := at.until("a", StateRetrying, "401"); strings.Contains(got.Error, "wrong") {
						t.Errorf("the token is shown: %s", got.Error)
					}
					at.mirrors.Close()
					token = secret
					at.mirror(func(o *Options) { o.Env = func(name string) string { return map[string]string{"TOKEN": token}[name] } })
					write(token)
				}
				at.add(direction, "a", to, request)
				copied.holds("a", "one")
				at.until("a", StateLive)
				sight, err := at.mirrors.Look("m")
				if text := fmt.Sprintf("%+v %v %s", sight, err, at.log.String()); strings.Contains(text, secret) || strings.Contains(text, "wrong-token") {
					t.Errorf("the token gets out: %s", text)
				}
			})
		})
	}
}

func TestAMissingVariableIsNamed(t *testing.T) {
	source, copied := newHost(t), newHost(t)
	source.mirror(func(o *Options) { o.Env = func(string) string { return "" } })
	source.create("a", "text/plain")
	source.add(store.MirrorPush, "a", copied, func(r *Request) { r.Remote.TokenEnv = "PROD_TOKEN" })
	source.until("a", StateRetrying, "PROD_TOKEN")
}

func TestTheHeaderStaysWithItsServer(t *testing.T) {
	both(t, func(t *testing.T, direction string, source, copied, at *host) {
		var leaked atomic.Bool
		thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			leaked.Store(true)
		}))
		defer thief.Close()
		to := other(at, source, copied)
		to.fail(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			http.Redirect(w, r, thief.URL+r.URL.Path, http.StatusTemporaryRedirect)
		})
		source.create("a", "text/plain")
		at.add(direction, "a", to, func(r *Request) { r.Remote.TokenEnv, r.Token = "T", "secret-secret" })
		at.until("a", StateStopped, "redirects to another server", thief.URL)
		if leaked.Load() {
			t.Error("the redirect was followed")
		}
	})
}

func TestCertificatesAreVerified(t *testing.T) {
	source := newHost(t)
	source.mirror()
	source.create("a", "text/plain")
	remote := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	remote.Config.ErrorLog = log.New(io.Discard, "", 0)
	remote.StartTLS()
	defer remote.Close()
	if _, err := source.mirrors.Add(t.Context(), Request{
		Name: "m", Direction: store.MirrorPush, Glob: "a", Remote: Remote{URL: remote.URL + "/v1/stream/", Insecure: true},
	}); err != nil {
		t.Fatal(err)
	}
	source.until("a", StateRetrying, "certificate")
}

// The offsets of some servers look alike in another stream at the same path.
func TestASourceThatIsMadeAnewBehindOffsetsThatLookAlike(t *testing.T) {
	for name, tt := range map[string]struct{ contentType, first, second string }{
		"longer":      {"text/plain", "one", "other, longer"},
		"shorter":     {"text/plain", "one", "o"},
		"empty":       {"text/plain", "one", ""},
		"as long":     {"text/plain", "one", "two"},
		"JSON":        {"application/json", "1", "[2,3]"},
		"fewer, JSON": {"application/json", "[1,2]", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			source, copied := newHost(t), newHost(t)
			source.create("a", tt.contentType)
			source.append("a", tt.first)
			copied.mirror()
			copied.add(store.MirrorPull, "a", source)
			copied.until("a", StateLive)
			before := copied.content("a")
			copied.mirrors.Close()
			copied.mirrors = nil
			source.delete("a")
			source.create("a", tt.contentType)
			if tt.second != "" {
				source.append("a", tt.second)
			}
			const first, second = "0000000000000000_", "0000000000000001_"
			source.fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				r.URL.RawQuery = strings.ReplaceAll(r.URL.RawQuery, first, second)
				rec := httptest.NewRecorder()
				next.ServeHTTP(rec, r)
				for k, v := range rec.Header() {
					w.Header()[k] = []string{strings.ReplaceAll(v[0], second, first)}
				}
				w.WriteHeader(rec.Code)
				_, _ = w.Write(rec.Body.Bytes())
			})
			copied.mirror()
			copied.until("a", StateStopped, "made anew")
			if have := copied.content("a"); have != before {
				t.Errorf("the copy holds %q, and held %q", have, before)
			}
		})
	}
}

// Some servers show messages a moment before they count them.
func TestATailThatLagsBehindItsMessages(t *testing.T) {
	source, copied := newHost(t), newHost(t)
	source.create("a", "text/plain")
	source.append("a", "one")
	var lagged atomic.Int64
	source.fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.URL.Query().Get("live") != "" && lagged.Add(1) <= 3 {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set(protocol.HeaderStreamNextOffset, "0000000000000000_0000000000000001")
			w.Header().Set(protocol.HeaderStreamUpToDate, "true")
			return
		}
		next.ServeHTTP(w, r)
	})
	copied.mirror()
	copied.add(store.MirrorPull, "a", source)
	await(t, "it has lagged", func() (bool, string) { return lagged.Load() > 3, "" })
	source.append("a", " two")
	copied.holds("a", "one two")
	copied.until("a", StateLive)
}

// Some servers give the tail another token when they tidy up.
func TestATailThatIsRenamed(t *testing.T) {
	both(t, func(t *testing.T, direction string, source, copied, at *host) {
		source.create("a", "text/plain")
		source.append("a", "one")
		to := other(at, source, copied)
		at.add(direction, "a", to)
		at.until("a", StateLive)
		at.mirrors.Close()
		at.mirrors = nil
		const tail, renamed = "0000000000000000_0000000000000003", "0000000000000000_9999999999999999"
		to.fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			r.URL.RawQuery = strings.ReplaceAll(r.URL.RawQuery, renamed, tail)
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			for k, v := range rec.Header() {
				w.Header()[k] = v
			}
			if rec.Header().Get(protocol.HeaderStreamNextOffset) == tail {
				w.Header().Set(protocol.HeaderStreamNextOffset, renamed)
			}
			w.WriteHeader(rec.Code)
			_, _ = w.Write(rec.Body.Bytes())
		})
		source.append("a", " two")
		at.mirror()
		copied.holds("a", "one two")
		at.until("a", StateLive)
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	b := backoff{first: time.Millisecond}
	for name, tt := range map[string]struct {
		header   string
		low, top time.Duration
	}{
		"seconds":         {"7", 7 * time.Second, 7 * time.Second},
		"a time":          {time.Now().Add(time.Minute).UTC().Format(http.TimeFormat), 50 * time.Second, time.Minute},
		"longer than ok":  {"86400", longestAsked, longestAsked},
		"nothing":         {"", 0, longestBackoff},
		"something else":  {"soon", 0, longestBackoff},
		"a negative time": {"-5", 0, longestBackoff},
	} {
		t.Run(name, func(t *testing.T) {
			if d := b.next(&refusal{status: 429, retryAfter: retryAfter(tt.header)}); d < tt.low || d > tt.top {
				t.Errorf("it waits %s, want from %s to %s", d, tt.low, tt.top)
			}
		})
	}
	for range 100 {
		if d := b.next(io.EOF); d > longestBackoff {
			t.Fatalf("it waits %s", d)
		}
	}
}

func TestARemoteWithoutAListNeedsAName(t *testing.T) {
	source, copied := newHost(t), newHost(t)
	source.fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if strings.HasSuffix(r.URL.Path, protocol.RegistryPath) {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		next.ServeHTTP(w, r)
	})
	source.create("a/b", "text/plain")
	source.append("a/b", "one")
	copied.mirror()
	if got := copied.once(store.MirrorPull, "a/*", source); got.State != Failed || !strings.Contains(got.Error, "without *") {
		t.Errorf("it is %+v", got)
	}
	if err := copied.mirrors.Remove(t.Context(), "m"); err != nil {
		t.Fatal(err)
	}
	if got := copied.once(store.MirrorPull, "a/b", source); got.Once != OnceComplete {
		t.Errorf("it is %+v", got)
	}
}

func TestANamedStreamIsWaitedFor(t *testing.T) {
	source, copied := newHost(t), newHost(t)
	copied.mirror()
	copied.add(store.MirrorPull, "later", source)
	copied.until("later", StateWaiting, "no such stream")
	source.create("later", "text/plain")
	source.append("later", "now")
	copied.holds("later", "now")
}

func TestRemotes(t *testing.T) {
	for address, want := range map[string]string{
		"https://host/v1/stream":        "https://host/v1/stream/",
		"http://127.0.0.1:1/v1/stream/": "http://127.0.0.1:1/v1/stream/",
		"http://a.localhost:1/x":        "http://a.localhost:1/x/",
		"http://host/v1/stream/":        "plain",
		"https://me:pass@host/":         "user name",
		"https://host/?a=b":             "no ?",
		"ftp://host/":                   "stream root",
		"host:4437":                     "stream root",
	} {
		u, err := ParseRemote(address, false)
		if err == nil && u.String() == want || err != nil && (strings.Contains(err.Error(), want) || want == "plain" && strings.Contains(err.Error(), "insecure")) {
			continue
		}
		t.Errorf("%s is %v, %v; want %s", address, u, err, want)
	}
	if _, err := ParseRemote("http://host/v1/stream/", true); err != nil {
		t.Error(err)
	}
}

func TestPauseResumeRemove(t *testing.T) {
	both(t, func(t *testing.T, direction string, source, copied, at *host) {
		source.create("a", "text/plain")
		source.append("a", "one")
		at.add(direction, "a", other(at, source, copied))
		at.until("a", StateLive)
		ctx := t.Context()
		if err := at.mirrors.Pause(ctx, "m"); err != nil {
			t.Fatal(err)
		}
		source.append("a", " two")
		at.mirror() // it stays paused
		if got, err := at.mirrors.Look("m"); err != nil || got.State != Paused {
			t.Errorf("it is %+v, %v", got, err)
		}
		if have := copied.content("a"); have != "one" {
			t.Errorf("a paused mirror has copied %q", have)
		}
		if err := at.mirrors.Resume(ctx, "m"); err != nil {
			t.Fatal(err)
		}
		copied.holds("a", "one two")
		if err := at.mirrors.Remove(ctx, "m"); err != nil {
			t.Fatal(err)
		}
		if len(at.mirrors.List()) != 0 || copied.content("a") != "one two" {
			t.Error("removing a mirror leaves it, or takes its copy")
		}
		at.mirror()
		if len(at.mirrors.List()) != 0 {
			t.Error("a removed mirror comes back")
		}
	})
}

func TestConfiguredMirrors(t *testing.T) {
	source, copied := newHost(t), newHost(t)
	with := func(direction string, glob ...string) func(*Options) {
		return func(o *Options) {
			o.Remotes = map[string]Remote{"there": {URL: copied.root()}}
			for _, g := range glob {
				o.Configured = append(o.Configured, Request{Name: "m", Direction: direction, Glob: g, Known: "there"})
			}
		}
	}
	source.create("a", "text/plain")
	source.append("a", "one")
	source.create("b", "text/plain")
	source.mirror(with(store.MirrorPush, "a"))
	copied.holds("a", "one")
	source.until("a", StateLive)
	source.mirror(with(store.MirrorPush, "*")) // another glob is fine
	source.until("a", StateLive)
	source.until("b", StateLive)
	if err := source.mirrors.Remove(t.Context(), "m"); err == nil {
		t.Error("a mirror of the configuration was removed")
	}
	source.mirror(with(store.MirrorPull, "*")) // another direction is another mirror
	if got, err := source.mirrors.Look("m"); err != nil || got.State != Failed {
		t.Errorf("it is %+v, %v", got, err)
	}
	source.mirror(with("")) // taken out: it stays, paused
	if got, err := source.mirrors.Look("m"); err != nil || got.State != Paused || got.Configured {
		t.Errorf("it is %+v, %v", got, err)
	}
}
