package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tailrace/backend/protocol"
)

// watchLog is a log with subscriptions and what it tells about them.
type watchLog struct {
	*DB
	t       *testing.T
	mu      sync.Mutex
	notices []string
}

func newWatchLog(t *testing.T, o Options) *watchLog {
	t.Helper()
	db, err := Open(t.Context(), t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &watchLog{DB: db, t: t}
	db.OnWork(func(id string, n Notice) {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, path := range n.Paths {
			w.notices = append(w.notices, id+": "+path)
		}
		if n.WakeStream {
			w.notices = append(w.notices, id+" may write")
		}
	})
	return w
}

// take returns the notices since the last call. A commit has been told of only
// after its reply, so another one has to follow first.
func (w *watchLog) take() map[string]bool {
	w.t.Helper()
	w.commit(&Write{Key: &KeyChange{New: Key{ID: fmt.Sprint(w.NextID()), Use: KeyToken}}})
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[string]bool{}
	for _, n := range w.notices {
		out[n] = true
	}
	w.notices = nil
	return out
}

func (w *watchLog) wantNotices(want ...string) {
	w.t.Helper()
	set := map[string]bool{}
	for _, n := range want {
		set[n] = true
	}
	if diff := cmp.Diff(set, w.take()); diff != "" {
		w.t.Errorf("notices (-want +got):\n%s", diff)
	}
}

func (w *watchLog) commit(write *Write) {
	w.t.Helper()
	if err := w.Commit(write); err != nil {
		w.t.Fatal(err)
	}
}

func (w *watchLog) subscribe(id, pattern, wakeStream string, streams ...string) *Subscription {
	w.t.Helper()
	s := testSubscription(id, pattern, wakeStream)
	w.commit(&Write{Subscriptions: []*SubscriptionChange{{Sub: s, Create: true, Link: streams}}})
	return s
}

func testSubscription(id, pattern, wakeStream string) *Subscription {
	return &Subscription{ID: id, Type: TypePullWake, Pattern: pattern, WakeStream: wakeStream, LeaseTTL: 1000, ConfigHash: []byte{1}}
}

// stream creates a JSON stream, append appends to it.
func (w *watchLog) stream(path string) *Stream {
	w.t.Helper()
	s := &Stream{ID: w.NextID(), Path: path, ContentType: "application/json", Kind: protocol.KindJSON}
	w.commit(&Write{Stream: s, Create: true})
	return s
}

func (w *watchLog) append(s *Stream, text string, changes ...*SubscriptionChange) {
	w.t.Helper()
	b := &Batch{Stream: s.ID, Payload: protocol.Payload{Data: []byte(text), Sizes: []int{len(text)}}}
	s.Position = s.Place(s.Kind, b)
	after := *s
	w.commit(&Write{Stream: &after, Batches: []*Batch{b}, Subscriptions: changes})
}

func (w *watchLog) paths(s *Subscription) map[string]Cursor {
	w.t.Helper()
	links, err := w.Links(context.Background(), s.Number)
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]Cursor{}
	for _, l := range links {
		out[l.Path] = l.Acked
	}
	return out
}

func TestNotices(t *testing.T) {
	w := newWatchLog(t, Options{})
	a, b := w.stream("a/1"), w.stream("b/1")
	w.append(a, `1`)
	w.wantNotices()
	w.subscribe("a", "a/*", "wakes")
	w.subscribe("all", "**", "")
	w.subscribe("b", "", "", "b/1", "c")
	w.wantNotices()
	w.append(a, `2`)
	w.wantNotices("a: a/1", "all: a/1")
	w.append(b, `1`)
	w.wantNotices("all: b/1", "b: b/1")
	w.append(b, `2`)
	w.wantNotices("all: b/1", "b: b/1")
	c := w.stream("c")
	w.wantNotices()
	w.append(c, `1`)
	w.wantNotices("all: c", "b: c")
	w.stream("wakes")
	w.wantNotices("a may write")
}

// TestWatchIsBounded: what many subscriptions know of many streams does not pile up.
func TestWatchIsBounded(t *testing.T) {
	w := &watch{streams: map[string][]*watcher{}}
	watchers := make([]*watcher, 999)
	for i := range 1000 {
		w.remember(fmt.Sprint(i), watchers)
		held := 0
		for _, list := range w.streams {
			held += 1 + len(list)
		}
		if held > maxWatched+1000 || held != w.cached {
			t.Fatalf("%d in the cache, counted %d", held, w.cached)
		}
		w.forgetStream(fmt.Sprint(i - 1))
		w.forgetStream("unknown")
		w.remember(fmt.Sprint(i-1), watchers)
	}
}

func TestNoticesAfterAFailedCommit(t *testing.T) {
	w := newWatchLog(t, Options{})
	w.subscribe("s", "a/*", "")
	w.stream("taken")
	lost := testSubscription("lost", "**", "")
	err := w.Commit(&Write{
		Stream: &Stream{ID: w.NextID(), Path: "taken", ContentType: "application/json"}, Create: true,
		Subscriptions: []*SubscriptionChange{{Sub: lost, Create: true}},
	})
	if err == nil {
		t.Fatal("two streams share a path")
	}
	w.append(w.stream("b/1"), `1`)
	w.wantNotices() // the one that failed would have been concerned
	w.append(w.stream("a/1"), `1`)
	w.wantNotices("s: a/1")
}

// TestLinksInOneGroup commits the creation of a subscription together with
// appends before and behind it.
func TestLinksInOneGroup(t *testing.T) {
	w := newWatchLog(t, Options{})
	s := testSubscription("s", "**", "")
	var group []*request
	write := func(write *Write) { group = append(group, &request{write: write, reply: make(chan error, 1)}) }
	create := func(path string) {
		st := &Stream{ID: w.NextID(), Path: path, ContentType: "application/json", Kind: protocol.KindJSON}
		b := &Batch{Stream: st.ID, Payload: protocol.Payload{Data: []byte(`1`), Sizes: []int{1}}}
		st.Position = st.Place(st.Kind, b)
		write(&Write{Stream: st, Create: true, Batches: []*Batch{b}})
	}
	create("before")
	write(&Write{Subscriptions: []*SubscriptionChange{{Sub: s, Create: true}}})
	create("behind")
	for _, r := range group {
		w.submit <- r // the committer takes them as one group or as several
	}
	for _, r := range group {
		if err := <-r.reply; err != nil {
			t.Fatal(err)
		}
	}
	got := w.paths(s)
	if got["behind"] != (Cursor{Position: BeforeFirst}) {
		t.Errorf("the later stream is linked at %v", got["behind"])
	}
	if at, linked := got["before"]; !linked || at.Position < 0 {
		t.Errorf("the earlier stream is linked at %v, %v", at, linked)
	}
}

func TestWakeStreamsAreNotMatched(t *testing.T) {
	w := newWatchLog(t, Options{})
	early := w.stream("wakes/early")
	w.append(early, `1`)
	one := w.subscribe("one", "**", "wakes/early")
	two := w.subscribe("two", "**", "wakes/late")
	hook := w.subscribe("hook", "**", "")
	late := w.stream("wakes/late")
	w.append(late, `1`)
	w.append(early, `2`)
	for s, want := range map[*Subscription]map[string]Cursor{
		one: {}, two: {}, hook: {"wakes/early": {Position: 1}, "wakes/late": {Position: BeforeFirst}},
	} {
		if diff := cmp.Diff(want, w.paths(s)); diff != "" {
			t.Errorf("links of %s (-want +got):\n%s", s.ID, diff)
		}
	}
}

// TestTailsOfLinks compares tails that are in memory, in segments, or on their way
// from one to the other.
func TestTailsOfLinks(t *testing.T) {
	w := newWatchLog(t, tiny)
	s := w.subscribe("s", "**", "")
	streams := []*Stream{}
	for i := range 5 {
		streams = append(streams, w.stream(fmt.Sprint(i)))
	}
	for round := range 60 {
		for i, st := range streams {
			if i <= round%5 {
				w.append(st, fmt.Sprintf(`"%040d"`, round))
			}
		}
		links, err := w.Links(t.Context(), s.Number)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range links {
			for _, st := range streams {
				if st.Path == l.Path && l.Tail.Position != st.Tail {
					t.Fatalf("round %d: the tail of %s is %d, the link says %d", round, st.Path, st.Tail, l.Tail.Position)
				}
			}
		}
	}
}

// TestChangeWithAppend: a change of a subscription and an append are one.
func TestChangeWithAppend(t *testing.T) {
	w := newWatchLog(t, Options{})
	st := w.stream("wakes")
	s := w.subscribe("s", "a", "wakes")
	next := *s
	next.Generation, next.WakeID = 1, "w_1"
	w.append(st, `{}`, &SubscriptionChange{Sub: &next})
	got, generation, err := w.Subscription(t.Context(), "s")
	if err != nil || generation != 1 {
		t.Fatal(generation, err)
	}
	if diff := cmp.Diff(&next, got); diff != "" {
		t.Errorf("subscription (-want +got):\n%s", diff)
	}
	// An append that fails takes the change with it.
	further := next
	further.Generation = 2
	broken := &Stream{ID: w.NextID(), Path: "wakes", ContentType: "application/json", Kind: protocol.KindJSON}
	err = w.Commit(&Write{Stream: broken, Create: true, Subscriptions: []*SubscriptionChange{{Sub: &further}}})
	if err == nil {
		t.Fatal("two streams share a path")
	}
	if _, generation, err = w.Subscription(t.Context(), "s"); err != nil || generation != 1 {
		t.Errorf("generation %d after a failed commit: %v", generation, err)
	}
}

// TestTombstones: only what has counted generations is remembered.
func TestTombstones(t *testing.T) {
	w := newWatchLog(t, Options{})
	for id, generation := range map[string]int64{"quiet": 0, "busy": 7} {
		s := *w.subscribe(id, "a", "")
		s.Generation = generation
		w.commit(&Write{Subscriptions: []*SubscriptionChange{{Sub: &s, Delete: true}}})
		if _, got, err := w.Subscription(t.Context(), id); !errors.Is(err, protocol.ErrNotFound) || got != generation {
			t.Errorf("%s: generation %d, %v; want %d", id, got, err, generation)
		}
	}
	var left int
	if err := w.read.QueryRowContext(t.Context(), "SELECT count(*) FROM subscription_tombstones").Scan(&left); err != nil || left != 1 {
		t.Errorf("%d tombstones, %v; want 1", left, err)
	}
}

// TestPrivateFiles: signing keys are in the database.
func TestPrivateFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, FileName), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		db, err := Open(t.Context(), dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		files, err := os.ReadDir(dir)
		if err != nil || len(files) < 2 {
			t.Fatal(files, err)
		}
		for _, f := range files {
			if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", f.Name(), info.Mode(), err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// busyContext does something whenever a query looks whether it is to go on.
type busyContext struct {
	context.Context
	do func()
}

func (c *busyContext) Done() <-chan struct{} {
	c.do()
	return c.Context.Done()
}

// TestLinksOfABusyLog reads links while streams leave memory all the time.
func TestLinksOfABusyLog(t *testing.T) {
	w := newWatchLog(t, tiny)
	s := w.subscribe("s", "**", "")
	quiet := w.stream("quiet")
	w.append(quiet, `1`)
	for n := range 20 {
		w.append(w.stream(fmt.Sprintf("other/%d", n)), fmt.Sprintf(`"%0100d"`, n)) // pushes quiet out of memory
	}
	if _, cached := w.mem.position(quiet.ID); cached {
		t.Fatal("nothing left memory")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var looks atomic.Int64 // the driver looks from a goroutine of its own, too
	links, err := w.Links(&busyContext{ctx, func() {
		if looks.Add(1) > 1000 {
			cancel() // it goes on for ever
			return
		}
		w.mem.mu.Lock()
		defer w.mem.mu.Unlock()
		w.mem.evicted++
	}}, s.Number)
	if err != nil {
		t.Fatalf("after %d looks: %v", looks.Load(), err)
	}
	if last := links[len(links)-1]; len(links) != 21 || last.Path != "quiet" || last.Tail.Position != 1 {
		t.Errorf("%d links, the last is %+v", len(links), last)
	}
}
