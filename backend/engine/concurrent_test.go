package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// Many writers append to one stream: every acknowledged append is there exactly
// once, each writer's in its order, and readers see a growing prefix meanwhile.
func TestConcurrentAppends(t *testing.T) {
	e := newTestEngine(t, Options{}, store.Options{SealAt: 3000, CacheBytes: 2000})
	e.mustCreate("a", "application/json")
	const writers, each = 16, 25
	var write, read sync.WaitGroup
	offsets := make([][]int64, writers)
	for w := range writers {
		write.Go(func() {
			for n := range each {
				a, err := e.Append("a", request("application/json", fmt.Sprintf(`[%d,%d]`, w, n), by(fmt.Sprint(w), 0, int64(n))))
				if err != nil || a.Duplicate {
					t.Errorf("writer %d: %+v, %v", w, a, err)
					return
				}
				offsets[w] = append(offsets[w], a.Next.Position)
				// A retry of what was acknowledged changes nothing.
				if a, err := e.Append("a", request("application/json", `[-1,-1]`, by(fmt.Sprint(w), 0, int64(n)))); err != nil || !a.Duplicate {
					t.Errorf("retry: %+v, %v", a, err)
				}
			}
		})
	}
	for range 3 {
		read.Go(func() { followToEnd(t, e.Engine, 2*writers*each) })
	}
	write.Wait()
	read.Wait()
	content, st := e.content("a", 0)
	values := strings.Split(content, ",")
	if len(values) != 2*writers*each || st.Tail != 2*writers*each {
		t.Fatalf("%d messages, tail %d, want %d", len(values), st.Tail, 2*writers*each)
	}
	next := make([]int, writers)
	for i := 0; i < len(values); i += 2 {
		w, _ := strconv.Atoi(values[i])
		if n, _ := strconv.Atoi(values[i+1]); n != next[w] {
			t.Fatalf("writer %d: append %d when %d was due", w, n, next[w])
		}
		if got := offsets[w][next[w]]; got != int64(i+2) {
			t.Fatalf("writer %d was told offset %d for the append that ends at %d", w, got, i+2)
		}
		next[w]++
	}
}

// followToEnd reads a stream as it grows and checks that nothing seen before
// changes.
func followToEnd(t *testing.T, e *Engine, end int64) {
	r, err := e.OpenReader("a")
	if err != nil {
		t.Error(err)
		return
	}
	defer r.Close()
	r.Follow()
	at := int64(0)
	seen := map[string]int{} // writer → appends seen
	for at < end {
		st, changed, err := r.Current()
		if err != nil {
			t.Error(err)
			return
		}
		if at == st.Tail {
			<-changed
			continue
		}
		pieces, err := r.Read(st, at, 500)
		if err != nil {
			t.Error(err)
			return
		}
		var parts []string
		for _, p := range pieces {
			parts = append(parts, string(p.Data))
			at = p.End
		}
		values := strings.Split(strings.Join(parts, ","), ",")
		if len(values)%2 != 0 {
			t.Errorf("a read ended within an append: %v", values)
			return
		}
		for i := 0; i < len(values); i += 2 {
			if values[i+1] != strconv.Itoa(seen[values[i]]) {
				t.Errorf("writer %s: saw append %s when %d was due", values[i], values[i+1], seen[values[i]])
				return
			}
			seen[values[i]]++
		}
	}
}

// Many clients race to create, close and delete one path: each outcome is what
// some order of them gives.
func TestConcurrentCreation(t *testing.T) {
	e := newTestEngine(t, Options{}, store.Options{})
	var created, deleted atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 10 {
				c, err := e.Create("a", &CreateRequest{ContentType: text})
				if err != nil {
					t.Error(err)
				} else if c.New {
					created.Add(1)
				}
				if _, err := e.Append("a", request(text, "x")); err != nil && !errors.Is(err, protocol.ErrNotFound) {
					t.Error(err)
				}
				switch err := e.Delete("a"); {
				case err == nil:
					deleted.Add(1)
				case !errors.Is(err, protocol.ErrNotFound):
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	left := int64(0)
	if e.Exists("a") == nil {
		left = 1
	}
	if created.Load() != deleted.Load()+left {
		t.Errorf("%d created, %d deleted, %d left", created.Load(), deleted.Load(), left)
	}
	if n := len(e.events()); int64(n) != created.Load()+deleted.Load() {
		t.Errorf("%d events for %d creations and %d deletions", n, created.Load(), deleted.Load())
	}
}

// A stream that is deleted while it is read says so; it is never reported as
// damaged, and never shows the data of its successor.
func TestDeletionUnderReaders(t *testing.T) {
	e := newTestEngine(t, Options{}, store.Options{SealAt: 1, CacheBytes: 1})
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for !stop.Load() {
				r, err := e.OpenReader("a")
				if errors.Is(err, protocol.ErrNotFound) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				st, _, err := r.Current()
				for at := int64(0); err == nil && at < st.Tail; {
					var pieces []store.Piece
					if pieces, err = r.Read(st, at, 1); err != nil {
						break
					}
					at = pieces[len(pieces)-1].End
					want := fmt.Sprintf("%03d", st.Incarnation)
					if got := string(pieces[0].Data); got[:3] != want {
						t.Errorf("a reader of incarnation %s got %s", want, got[:3])
					}
				}
				r.Close()
				if err != nil && !errors.Is(err, protocol.ErrNotFound) {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 25 {
		st := e.mustCreate("a", text)
		for range 4 {
			e.mustAppend("a", text, fmt.Sprintf("%03d", st.Incarnation))
		}
		if err := e.Delete("a"); err != nil {
			t.Fatal(err)
		}
	}
	stop.Store(true)
	wg.Wait()
}

// Requests that race with Close are either carried out and acknowledged, or
// refused and not carried out.
func TestCloseUnderLoad(t *testing.T) {
	e := newTestEngine(t, Options{}, store.Options{})
	const streams = 8
	acked := make([]int64, streams)
	for i := range streams {
		e.mustCreate(fmt.Sprint("s", i), text)
	}
	var wg sync.WaitGroup
	started := make(chan struct{}, streams)
	for i := range streams {
		wg.Go(func() {
			for n := int64(0); ; n++ {
				_, err := e.Append(fmt.Sprint("s", i), request(text, "x", by("p", 0, n)))
				if err != nil {
					if !errors.Is(err, protocol.ErrShuttingDown) {
						t.Error(err)
					}
					return
				}
				acked[i]++
				if n == 10 {
					started <- struct{}{}
				}
			}
		})
	}
	for range streams {
		<-started
	}
	e.Engine.Close()
	wg.Wait()
	if err := e.db.Close(); err != nil {
		t.Fatal(err)
	}
	e.isOpen = false
	e.open()
	for i := range streams {
		content, st := e.content(fmt.Sprint("s", i), 0)
		if st.Tail != acked[i] || int64(len(content)) != acked[i] {
			t.Errorf("stream %d: %d appends acknowledged, %d there", i, acked[i], st.Tail)
		}
		producers, err := e.db.Producers(context.Background(), st.ID)
		if err != nil || len(producers) != 1 || producers[0].Seq != acked[i]-1 {
			t.Errorf("stream %d: producers %+v, %v", i, producers, err)
		}
	}
}
