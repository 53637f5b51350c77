package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// tinyLog seals and forgets all the time, so that forks read from everywhere.
var tinyLog = store.Options{SealAt: 64, CacheBytes: 128}

// fork asks for a fork of from.
func fork(from string, change ...func(*CreateRequest)) *CreateRequest {
	r := &CreateRequest{
		Fork: &ForkRequest{From: from},
		Frame: func(k protocol.Kind) (protocol.Payload, error) {
			return protocol.Payload{}, nil
		},
	}
	for _, c := range change {
		c(r)
	}
	return r
}

func at(position int64, sub ...int64) func(*CreateRequest) {
	return func(r *CreateRequest) {
		r.Fork.Offset = protocol.Offset{Position: position}.String()
		for _, n := range sub {
			r.Fork.SubOffset = n
		}
	}
}

func (e *testEngine) mustFork(path string, r *CreateRequest) *State {
	e.t.Helper()
	created, err := e.Create(path, r)
	if err != nil || !created.New {
		e.t.Fatalf("fork %q: %+v, %v", path, created, err)
	}
	return created.State
}

func (e *testEngine) expect(path, want string) {
	e.t.Helper()
	if got, _ := e.content(path, 0); got != want {
		e.t.Errorf("%s holds %q, want %q", path, got, want)
	}
}

// until waits for something that happens behind the requests.
func (e *testEngine) until(what string, done func() bool) {
	e.t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			e.t.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond) // the sweeper has no other sign
	}
}

func TestForkReadsBothSides(t *testing.T) {
	for _, kind := range []struct{ contentType, first, second, third, all, cut string }{
		{"text/plain", "hello ", "world", "!", "hello !", "he!"},
		{"application/json", `[1,2]`, `[3]`, `["x"]`, `1,2,"x"`, `1,"x"`},
	} {
		t.Run(kind.contentType, func(t *testing.T) {
			e := newTestEngine(t, Options{}, tinyLog)
			e.mustCreate("source", kind.contentType)
			end := e.mustAppend("source", kind.contentType, kind.first).Next.Position
			e.mustAppend("source", kind.contentType, kind.second)
			e.mustFork("fork", fork("source", at(end)))
			e.mustAppend("fork", kind.contentType, kind.third)
			sub := int64(2)
			if kind.contentType == "application/json" {
				sub = 1
			}
			e.mustFork("cut", fork("source", at(0, sub)))
			e.mustAppend("cut", kind.contentType, kind.third)
			e.mustAppend("source", kind.contentType, kind.third)
			for range 2 {
				e.expect("fork", kind.all)
				e.expect("cut", kind.cut)
				e.reopen()
			}
		})
	}
}

// A long chain must be read like one stream, at every offset and after a restart.
func TestForkChain(t *testing.T) {
	e := newTestEngine(t, Options{}, tinyLog)
	const depth = 100
	e.mustCreate("0", "text/plain")
	want := ""
	for i := range depth {
		path := fmt.Sprint(i)
		if i > 0 {
			e.mustFork(path, fork(fmt.Sprint(i-1)))
		}
		part := fmt.Sprintf("<%d>", i)
		e.mustAppend(path, "text/plain", part)
		want += part
	}
	// Of a stream in the middle of the chain, from before its own data.
	e.mustFork("early", fork("50", at(7)))
	e.mustAppend("early", "text/plain", "!")
	for range 2 {
		last := fmt.Sprint(depth - 1)
		for from := int64(0); from < int64(len(want)); from += 13 {
			if got, _ := e.content(last, from); got != want[from:] {
				t.Fatalf("from %d: %q", from, got)
			}
		}
		e.expect("early", want[:7]+"!")
		e.reopen()
	}
}

func TestForkRefusals(t *testing.T) {
	e := newTestEngine(t, Options{}, store.Options{})
	e.mustCreate("source", "text/plain")
	e.mustAppend("source", "text/plain", "abc")
	e.mustAppend("source", "text/plain", "def")
	e.mustCreate("empty", "text/plain")
	var bad *protocol.BadRequestError
	var conflict *protocol.ConflictError
	for name, tt := range map[string]struct {
		r    *CreateRequest
		want any
	}{
		"no source":                       {fork("none"), protocol.ErrNotFound},
		"another content type":            {fork("source", func(r *CreateRequest) { r.ContentType = "application/json" }), &conflict},
		"beyond the tail":                 {fork("source", at(7)), &bad},
		"an older stream's offset":        {fork("source", func(r *CreateRequest) { r.Fork.Offset = "0000000000000001_0000000000000001" }), &bad},
		"sub-offset across an append":     {fork("source", at(0, 4)), &bad},
		"sub-offset at the tail":          {fork("source", at(6, 1)), &bad},
		"sub-offset without an offset":    {fork("source", func(r *CreateRequest) { r.Fork.SubOffset = 1 }), &bad},
		"sub-offset in an empty stream":   {fork("empty", at(0, 1)), &bad},
		"of the registry":                 {fork(protocol.RegistryPath), protocol.ErrReadOnly},
		"where another stream lives":      {fork("source", func(r *CreateRequest) { r.Fork.From = "empty" }), nil},
		"bad content for the source type": {fork("source", func(r *CreateRequest) { r.Frame = badFrame }), &bad},
	} {
		t.Run(name, func(t *testing.T) {
			path := "fork"
			if tt.want == nil {
				path, tt.want = "source", &conflict
			}
			_, err := e.Create(path, tt.r)
			if sentinel, ok := tt.want.(error); ok {
				if !errors.Is(err, sentinel) {
					t.Errorf("got %v", err)
				}
			} else if !errors.As(err, tt.want) {
				t.Errorf("got %v", err)
			}
			if err := e.Exists("fork"); !errors.Is(err, protocol.ErrNotFound) {
				t.Errorf("a refused fork is there: %v", err)
			}
		})
	}
	// No refusal may have left a reference behind.
	if err := e.Delete("source"); err != nil {
		t.Fatal(err)
	}
	if err := e.Exists("source"); !errors.Is(err, protocol.ErrNotFound) {
		t.Errorf("the source is not gone: %v", err)
	}
}

// What a fork inherits of an append is all that a fork of it can.
func TestSubOffsetEndsWhereTheSourceBranchedOff(t *testing.T) {
	for _, contentType := range []string{"application/json", "text/plain"} {
		e := newTestEngine(t, Options{}, tinyLog)
		e.mustCreate("source", contentType)
		e.mustAppend("source", contentType, `[1,2,3,4]`)
		e.mustFork("fork", fork("source", at(0, 2)))
		e.mustAppend("fork", contentType, `[5,6]`)
		e.mustFork("again", fork("fork", at(1, 1)))
		var bad *protocol.BadRequestError
		if _, err := e.Create("further", fork("fork", at(1, 2))); !errors.As(err, &bad) {
			t.Errorf("%s: a sub-offset beyond what the fork has of the append: %v", contentType, err)
		}
	}
}

func badFrame(protocol.Kind) (protocol.Payload, error) {
	return protocol.Payload{}, &protocol.BadRequestError{Field: "body", Reason: "bad"}
}

func TestForkAgain(t *testing.T) {
	e := newTestEngine(t, Options{}, store.Options{})
	e.mustCreate("source", "text/plain", ttl(time.Hour))
	e.mustAppend("source", "text/plain", "abc")
	e.mustFork("fork", fork("source", at(0, 2)))
	e.mustFork("tail", fork("source"))
	e.mustAppend("source", "text/plain", "moved on")
	for name, tt := range map[string]struct {
		path string
		r    *CreateRequest
		same bool
	}{
		"the same":                     {"fork", fork("source", at(0, 2)), true},
		"with the inherited TTL":       {"fork", fork("source", at(0, 2), ttl(time.Hour)), true},
		"without an offset":            {"tail", fork("source"), true},
		"with another TTL":             {"fork", fork("source", at(0, 2), ttl(time.Minute)), false},
		"with another sub-offset":      {"fork", fork("source", at(0, 1)), false},
		"without the sub-offset":       {"fork", fork("source", at(0)), false},
		"with another offset":          {"fork", fork("source", at(3)), false},
		"of another source":            {"fork", fork("tail", at(0, 2)), false},
		"as an ordinary stream":        {"fork", &CreateRequest{ContentType: "text/plain"}, false},
		"an ordinary stream as a fork": {"source", fork("tail"), false},
	} {
		t.Run(name, func(t *testing.T) {
			created, err := e.Create(tt.path, tt.r)
			var conflict *protocol.ConflictError
			if created.New || (err == nil) != tt.same || (err != nil && !errors.As(err, &conflict)) {
				t.Errorf("got %+v, %v", created.New, err)
			}
		})
	}
}

func TestSoftDeletion(t *testing.T) {
	e := newTestEngine(t, Options{}, tinyLog)
	e.mustCreate("a", "text/plain")
	e.mustAppend("a", "text/plain", "A")
	e.mustFork("b", fork("a"))
	e.mustAppend("b", "text/plain", "B")
	e.mustFork("c", fork("b"))
	for _, path := range []string{"a", "b"} {
		if err := e.Delete(path); err != nil {
			t.Fatal(err)
		}
	}
	e.reopen()
	for name, err := range map[string]error{
		"read":   e.Exists("a"),
		"append": second(e.Append("a", request("text/plain", "x"))),
		"delete": e.Delete("a"),
	} {
		if !errors.Is(err, protocol.ErrGone) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var conflict *protocol.ConflictError
	for name, r := range map[string]*CreateRequest{"create": {ContentType: "text/plain"}, "fork": fork("b")} {
		path := map[string]string{"create": "a", "fork": "d"}[name]
		if _, err := e.Create(path, r); !errors.As(err, &conflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	e.expect("c", "AB")
	if err := e.Delete("c"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"b", "a"} {
		e.until(path+" is gone", func() bool { return errors.Is(e.Exists(path), protocol.ErrNotFound) })
	}
	e.mustCreate("a", "text/plain")
	e.expect("a", "")
}

func TestForkExpiryFreesItsSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEngine(t, Options{}, store.Options{})
		e.mustCreate("source", "text/plain")
		e.mustFork("fork", fork("source", ttl(2*time.Second)))
		if err := e.Delete("source"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := e.Exists("source"); !errors.Is(err, protocol.ErrGone) {
			t.Errorf("before the fork expired: %v", err)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if err := e.Exists("source"); !errors.Is(err, protocol.ErrNotFound) {
			t.Errorf("after the fork expired: %v", err)
		}
		e.close()
	})
}

// The last fork goes while its source is being deleted: then the source goes as well,
// and no later than that.
func TestForkAndSourceGoTogether(t *testing.T) {
	base := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		e := &testEngine{t: t, dir: base, options: Options{Log: slog.New(slog.DiscardHandler)}}
		e.open()
		defer e.close()
		for range 50 {
			e.mustCreate("source", "text/plain")
			e.mustFork("fork", fork("source"))
			var both sync.WaitGroup
			for _, path := range []string{"source", "fork"} {
				both.Go(func() {
					if err := e.Delete(path); err != nil {
						t.Errorf("delete %q: %v", path, err)
					}
				})
			}
			both.Wait()
			synctest.Wait()
			if err := e.Exists("source"); !errors.Is(err, protocol.ErrNotFound) {
				t.Fatalf("the source: %v", err)
			}
		}
	})
}

func TestForkInheritsExpiry(t *testing.T) {
	hour, minute := protocol.Expiry{HasTTL: true, TTL: 3600}, protocol.Expiry{HasTTL: true, TTL: 60}
	instant := protocol.Expiry{At: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), AtRaw: "2100-01-01T00:00:00Z"}
	never := protocol.Expiry{}
	for _, tt := range []struct{ source, own, want protocol.Expiry }{
		{never, never, never},
		{never, minute, minute},
		{never, instant, instant},
		{hour, never, hour},
		{hour, minute, minute},
		{hour, instant, instant},
		{instant, never, instant},
		{instant, minute, minute},
	} {
		if got := inheritExpiry(tt.own, tt.source); got != tt.want {
			t.Errorf("%v of %v: %v, want %v", tt.own, tt.source, got, tt.want)
		}
	}
}

// Deletions race with forks; whatever comes first, no fork may lose its data.
func TestForkRacesWithDeletion(t *testing.T) {
	e := newTestEngine(t, Options{}, tinyLog)
	for round := range 30 {
		source := fmt.Sprintf("source%d", round)
		e.mustCreate(source, "text/plain")
		e.mustAppend(source, "text/plain", strings.Repeat("x", 50))
		forked := make(chan error, 1)
		go func() {
			_, err := e.Create("fork/"+source, fork(source))
			forked <- err
		}()
		if err := e.Delete(source); err != nil {
			t.Fatal(err)
		}
		if err := <-forked; err == nil {
			e.expect("fork/"+source, strings.Repeat("x", 50))
		}
	}
}

// BenchmarkReadForkChain reads 6.4 MB of a stream and of a chain of 100 forks
// that holds the same.
func BenchmarkReadForkChain(b *testing.B) {
	for _, depth := range []int{1, 100} {
		b.Run(fmt.Sprint(depth), func(b *testing.B) {
			e := newTestEngine(b, Options{}, store.Options{SealAt: 1, CacheBytes: 1})
			e.mustCreate("0", "text/plain")
			part := strings.Repeat("x", 64<<10)
			for i := range 100 {
				level := min(i, depth-1)
				if i > 0 && level == i {
					e.mustFork(fmt.Sprint(i), fork(fmt.Sprint(i-1)))
				}
				e.mustAppend(fmt.Sprint(level), "text/plain", part)
			}
			r, err := e.OpenReader(fmt.Sprint(depth - 1))
			if err != nil {
				b.Fatal(err)
			}
			defer r.Close()
			st, _, err := r.Current()
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(st.Tail)
			for b.Loop() {
				for from := int64(0); from < st.Tail; {
					pieces, err := r.Read(st, from, 1<<20)
					if err != nil {
						b.Fatal(err)
					}
					from = pieces[len(pieces)-1].End
				}
			}
		})
	}
}
