package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"tailrace/backend/protocol"
)

// Readers see a prefix at all times while streams are written, sealed, merged and
// trimmed under them.
func TestReadWhileWriting(t *testing.T) {
	l := newTestLog(t, Options{SealAt: 9_000, CacheBytes: 4_000})
	var writers, readers sync.WaitGroup
	var stop atomic.Bool
	for i, contentType := range []string{"application/json", "text/plain"} {
		m := l.create(fmt.Sprint("s", i), contentType)
		var tail atomic.Pointer[Stream]
		tail.Store(clone(&m.Stream))
		writers.Go(func() {
			for n := range 300 {
				if err := l.tryAppend(m, appendOptions{}, fmt.Sprintf("%06d", 1_000_000+n)[:6]); err != nil {
					t.Error(err)
					return
				}
				tail.Store(clone(&m.Stream))
			}
		})
		for range 3 {
			readers.Go(func() {
				for !stop.Load() {
					s := tail.Load()
					if !readsPrefix(t, l, s) {
						return
					}
				}
			})
		}
	}
	writers.Wait()
	stop.Store(true)
	readers.Wait()
}

func readsPrefix(t *testing.T, l *testLog, s *Stream) bool {
	ctx := context.Background()
	width := int64(6)
	if s.Kind == protocol.KindJSON {
		width = 1
	}
	var got []string
	for at := int64(0); at < s.Tail; {
		pieces, err := l.db.Read(ctx, s, at, s.Tail, 2000)
		if err != nil {
			t.Error(err)
			return false
		}
		for _, p := range pieces {
			got = append(got, string(p.Data))
			at = p.End
		}
	}
	sep := ""
	if width == 1 {
		sep = ","
	}
	data := strings.Join(got, sep)
	for n := range s.Tail / width {
		at := int(n) * (6 + len(sep))
		if want := strconv.Itoa(1_000_000 + int(n))[:6]; data[at:at+6] != want {
			t.Errorf("message %d is %q, want %q", n, data[at:at+6], want)
			return false
		}
	}
	row, err := l.db.Row(ctx, s.ID)
	if err != nil || row.Tail < s.Tail || row.Messages*width != row.Tail {
		t.Errorf("row at %+v after the stream was at %d (%v)", row, s.Tail, err)
		return false
	}
	return true
}

// Registry events have the order of the commits that caused them, none is lost,
// none is twice.
func TestAnnouncementsUnderConcurrency(t *testing.T) {
	l := newTestLog(t, tiny)
	const writers, each = 8, 10
	var published []Position
	l.db.StartRegistry(l.registry.Stream, func(p Position) { published = append(published, p) })
	ids := make([][]int64, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range each {
				s := Stream{ID: l.db.NextID(), Path: fmt.Sprint(w, "/", n), ContentType: "text/plain", Kind: protocol.KindText}
				ids[w] = append(ids[w], s.ID)
				event := fmt.Appendf(nil, `"%d/%d"`, w, n)
				if err := l.db.Commit(&Write{Stream: &s, Create: true, Announce: [][]byte{event}, Now: 1}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	reg, _, err := l.db.Load(context.Background(), protocol.RegistryPath)
	if err != nil || reg.Tail != writers*each {
		t.Fatalf("%d events, want %d (%v)", reg.Tail, writers*each, err)
	}
	batches, err := l.db.Batches(context.Background(), &reg, 0, reg.Messages)
	if err != nil {
		t.Fatal(err)
	}
	next := map[string]int{}
	for _, b := range batches {
		for event := range strings.SplitSeq(string(b.Payload.Data), ",") {
			w, n, _ := strings.Cut(strings.Trim(event, `"`), "/")
			if n != strconv.Itoa(next[w]) {
				t.Fatalf("writer %s: event %s when %d was due", w, n, next[w])
			}
			next[w]++
		}
		l.registry.add(b)
	}
	l.registry.Position = reg.Position
	for i := 1; i < len(published); i++ {
		if published[i].Tail <= published[i-1].Tail {
			t.Fatalf("published %d after %d", published[i].Tail, published[i-1].Tail)
		}
	}
	for w := range writers {
		for n, id := range ids[w] {
			l.streams[fmt.Sprint(w, "/", n)] = &modelStream{Stream: Stream{ID: id, Path: fmt.Sprint(w, "/", n), ContentType: "text/plain", Kind: protocol.KindText}}
		}
	}
}

// BenchmarkGroupCommit measures durable appends of 100 B by 64 submitters, each
// to its own stream, sealing included.
func BenchmarkGroupCommit(b *testing.B) {
	db, err := Open(context.Background(), b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	const submitters = 64
	data := []byte(strings.Repeat("x", 100))
	streams := make([]Stream, submitters)
	for i := range streams {
		streams[i] = Stream{ID: db.NextID(), Path: fmt.Sprint(i), ContentType: "text/plain", Kind: protocol.KindText}
		if err := db.Commit(&Write{Stream: clone(&streams[i]), Create: true}); err != nil {
			b.Fatal(err)
		}
	}
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for i := range streams {
		wg.Go(func() {
			s := streams[i]
			for left.Add(-1) >= 0 {
				batch := &Batch{Stream: s.ID, Time: 1, Payload: protocol.Payload{Data: data, Sizes: []int{100}}}
				s.Position = s.Place(s.Kind, batch)
				if err := db.Commit(&Write{Stream: clone(&s), Batches: []*Batch{batch}}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
}
