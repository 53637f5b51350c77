package snapshot_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tailrace/backend/engine"
	"tailrace/backend/protocol"
	"tailrace/backend/snapshot"
	"tailrace/backend/snapshot/bucket"
	"tailrace/backend/store"
)

func (w *world) compact(streams, dir string) ([]snapshot.Compaction, error) {
	return outcome[[]snapshot.Compaction](w.manager.Compact(snapshot.CompactRequest{Streams: streams, To: at(dir)}))
}

func (w *world) mustCompact(t fataler, streams, dir string) snapshot.Compaction {
	t.Helper()
	done, err := w.compact(streams, dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(done) != 1 {
		t.Fatalf("compacted: %+v", done)
	}
	return done[0]
}

// fill appends messages of some size, a hundred at a time where that can be.
func (w *world) fill(t fataler, path, contentType string, messages, size int) {
	t.Helper()
	text := strings.Repeat("x", size)
	if contentType != "application/json" {
		for i := range messages {
			w.append(t, path, contentType, fmt.Sprintf("%d %s\n", i, text), nil)
		}
		return
	}
	for from := 0; from < messages; from += 100 {
		var body strings.Builder
		body.WriteByte('[')
		for i := from; i < min(messages, from+100); i++ {
			if i > from {
				body.WriteByte(',')
			}
			fmt.Fprintf(&body, `{"n":%d,"text":%q}`, i, text)
		}
		body.WriteByte(']')
		w.append(t, path, contentType, body.String(), &protocol.Producer{ID: "p", Seq: int64(from / 100)})
	}
}

// hide moves a folder out of reach while do runs.
func hide(t *testing.T, dir string, do func()) {
	t.Helper()
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.Rename(dir+".away", dir); err != nil {
			t.Fatal(err)
		}
	}()
	do()
}

// first reads the beginning of a stream.
func (w *world) first(path string) error {
	s, _, err := w.db.Load(context.Background(), path)
	if err == nil {
		_, err = w.db.Read(context.Background(), &s, 0, s.Tail, 1)
	}
	return err
}

// TestLayoutOfACompactedStream looks where the parts of a stream lie before and
// after a run of it went cold.
func TestLayoutOfACompactedStream(t *testing.T) {
	keep := t.TempDir()
	w := start(t, nil)
	w.stream(t, "a", "text/plain")
	w.fill(t, "a", "text/plain", 50, 200)
	layout := func() *store.Layout {
		t.Helper()
		s, _, err := w.db.Load(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		l, err := w.db.Layout(t.Context(), &s)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	if l := layout(); len(l.Cold) != 0 || l.First != 0 || l.Unsealed.Bytes+l.Rows.Bytes < 50*200 {
		t.Errorf("before: %+v", l)
	}
	w.mustCompact(t, "a", keep)
	w.append(t, "a", "text/plain", "one more", nil)
	until(t, func() bool { return layout().Leaving == 0 })
	l := layout()
	if len(l.Cold) != 1 || l.Cold[0].End != l.Start || l.First != 50 || l.Rows.Bytes != 0 || l.Unsealed.Pieces != 1 || l.Unsealed.Bytes != 8 {
		t.Errorf("after: %+v", l)
	}
	if at := snapshot.Location(&l.Cold[0].Snapshot); !strings.HasPrefix(at, keep) {
		t.Errorf("the cold run lies at %s", at)
	}
}

func TestCompactedStreamsReadTheSame(t *testing.T) {
	for _, contentType := range []string{"application/json", "text/plain", "application/octet-stream"} {
		t.Run(contentType, func(t *testing.T) {
			dir, keep := t.TempDir(), filepath.Join(t.TempDir(), "keep")
			w := openWorld(t, dir, nil)
			w.stream(t, "a", contentType)
			if contentType == "application/json" {
				w.fill(t, "a", contentType, 5000, 800)
			} else {
				w.fill(t, "a", contentType, 100, 40_000)
			}
			want := w.content(t, "a")
			w.close(t)
			w = openWorld(t, dir, nil)
			before, err := w.db.DiskBytes()
			if err != nil {
				t.Fatal(err)
			}
			c := w.mustCompact(t, "a", keep)
			if c.Start != 0 || c.End != want.Stream.Tail || c.Bytes < want.Stream.Bytes {
				t.Errorf("compacted: %+v", c)
			}
			if d := diff(want, w.content(t, "a")); d != "" {
				t.Fatalf("just after (-want +got):\n%s", d)
			}
			until(t, func() bool { return noHot(t, w) })
			w.close(t)

			// Nothing of it is in memory any more.
			w = openWorld(t, dir, nil)
			defer w.close(t)
			until(t, func() bool {
				now, err := w.db.DiskBytes()
				return err == nil && now < before/2
			})
			got := w.content(t, "a")
			if d := diff(want, got); d != "" {
				t.Fatalf("after a restart (-want +got):\n%s", d)
			}
			refuseDuplicates(t, w, "a", got)
			checkSeeks(t, w, want)

			// The log goes on behind it.
			w.append(t, "a", contentType, `"more"`, nil)
			want = w.content(t, "a")
			if n := len(want.Batches); n != len(got.Batches)+1 || string(want.Batches[n-1].Payload.Data) != `"more"` {
				t.Errorf("%d batches, after %d", n, len(got.Batches))
			}
			if again, err := w.compact("a", keep); err != nil || len(again) != 1 || again[0].Start != c.End {
				t.Errorf("compacted again: %+v, %v", again, err)
			}
			if again, err := w.compact("a", keep); err != nil || len(again) != 0 {
				t.Errorf("nothing to compact: %+v, %v", again, err)
			}
			if d := diff(want, w.content(t, "a")); d != "" {
				t.Fatalf("after the second time (-want +got):\n%s", d)
			}
		})
	}
}

// checkSeeks finds messages of a compacted stream by offset and by time.
func checkSeeks(t *testing.T, w *world, want content) {
	t.Helper()
	s := want.Stream
	for _, i := range []int{0, 1, len(want.Batches) / 2, len(want.Batches) - 1} {
		b := want.Batches[i]
		if n, err := w.db.SeekPosition(t.Context(), &s, b.Start); err != nil || n != b.First {
			t.Errorf("position %d: message %d, %v; want %d", b.Start, n, err, b.First)
		}
		n, err := w.db.SeekTime(t.Context(), &s, b.Time)
		if err != nil || n > b.First {
			t.Errorf("time of message %d: message %d, %v", b.First, n, err)
		}
		if found, err := w.db.Batches(t.Context(), &s, n, n+1); err != nil || found[0].Time != b.Time {
			t.Errorf("message %d is of another time, or %v", n, err)
		}
	}
	if n, err := w.db.SeekTime(t.Context(), &s, want.Batches[len(want.Batches)-1].Time+1); err != nil || n != s.Messages {
		t.Errorf("behind the end: message %d, %v", n, err)
	}
}

func readAll(w *world, path string) error {
	s, _, err := w.db.Load(context.Background(), path)
	if err != nil {
		return err
	}
	return w.db.Scan(context.Background(), &s, 0, s.Messages, func([]*store.Batch) error { return nil })
}

// noHot reports whether the log has let go of all that is cold.
func noHot(t *testing.T, w *world) bool {
	t.Helper()
	left, err := w.db.Colds(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range left {
		if c.Hot {
			return false
		}
	}
	return true
}

func TestForksOfCompactedStreams(t *testing.T) {
	dir, keep := t.TempDir(), filepath.Join(t.TempDir(), "keep")
	w := openWorld(t, dir, nil)
	w.stream(t, "a", "application/json")
	w.fill(t, "a", "application/json", 2000, 300)
	w.mustCompact(t, "a", keep)
	until(t, func() bool { return noHot(t, w) })
	w.close(t)
	w = openWorld(t, dir, nil)
	defer func() { w.close(t) }()

	for name, base := range map[string]int64{"early": 150, "late": 1999} {
		fork := &engine.ForkRequest{From: "a", Offset: protocol.Offset{Position: base}.String()}
		if _, err := w.engine.Create(name, &engine.CreateRequest{Fork: fork}); err != nil {
			t.Fatal(err)
		}
		w.append(t, name, "application/json", `["own","words"]`, nil)
		got, source := w.content(t, name), w.content(t, "a")
		want := append(bytes.Join(elements(source, base), []byte(",")), []byte(`,"own","words"`)...)
		if !bytes.Equal(got.Wire, want) {
			t.Errorf("the fork at %d reads differently", base)
		}
		// A fork is compacted from its base on.
		c := w.mustCompact(t, name, keep)
		if c.Start != base || c.End != base+2 {
			t.Errorf("compacted: %+v", c)
		}
		if d := diff(got, w.content(t, name)); d != "" {
			t.Errorf("the compacted fork (-want +got):\n%s", d)
		}
	}
	want := w.content(t, "late")
	// The source is kept for its forks, cold as it is, and goes with the last one.
	if err := w.engine.Delete("a"); err != nil {
		t.Fatal(err)
	}
	w.close(t)
	w = openWorld(t, dir, nil)
	if d := diff(want, w.content(t, "late")); d != "" {
		t.Errorf("without its source (-want +got):\n%s", d)
	}
	for _, name := range []string{"early", "late"} {
		if err := w.engine.Delete(name); err != nil {
			t.Fatal(err)
		}
	}
	until(t, func() bool {
		left, err := w.db.Colds(t.Context(), 0)
		return err == nil && len(left) == 0
	})
	until(t, func() bool { return errors.Is(w.exists("a"), protocol.ErrNotFound) })
}

// elements are the first n messages of a JSON stream.
func elements(c content, n int64) (out [][]byte) {
	for _, b := range c.Batches {
		at := 0
		for _, size := range b.Payload.Sizes {
			if int64(len(out)) == n {
				return out
			}
			out = append(out, b.Payload.Data[at:at+size])
			at += size + 1
		}
	}
	return out
}

func TestOnlyOldRangesOfOpenStreamsGo(t *testing.T) {
	now := time.Now().Add(24 * time.Hour)
	keep := filepath.Join(t.TempDir(), "keep")
	w := start(t, func(o *snapshot.Options) { o.Now = func() time.Time { return now } })
	w.stream(t, "logs/a", "text/plain")
	w.fill(t, "logs/a", "text/plain", 30, 10_000)
	w.stream(t, "logs/small", "text/plain", "little")
	w.stream(t, "other", "text/plain")
	w.fill(t, "other", "text/plain", 30, 10_000)
	want := w.content(t, "logs/a")

	ask := snapshot.CompactRequest{Streams: "logs/**", Older: 48 * time.Hour, Larger: 10_000, To: at(keep)}
	plan := func() []snapshot.Compaction {
		t.Helper()
		plan, err := w.manager.PlanCompact(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		return plan
	}
	if p := plan(); len(p) != 0 {
		t.Errorf("it is not old enough, but planned is %+v", p)
	}
	ask.Older = time.Hour
	if p := plan(); len(p) != 1 || p[0].Path != "logs/a" || p[0].End != want.Stream.Tail || p[0].Bytes < want.Stream.Bytes || len(p[0].Locations) != 0 {
		t.Errorf("planned: %+v", p)
	}
	if files, err := w.manager.Files(t.Context(), at(keep)); bucket.ProblemOf(err) != bucket.ProblemNoBucket {
		t.Errorf("a plan has made the folder: %v, %v", files, err)
	}
	done, err := outcome[[]snapshot.Compaction](w.manager.Compact(ask))
	if err != nil || len(done) != 1 {
		t.Fatalf("compacted: %+v, %v", done, err)
	}
	if d := diff(want, w.content(t, "logs/a")); d != "" {
		t.Errorf("compacted (-want +got):\n%s", d)
	}
}

func TestCompactionNeedsASnapshotThatIsRight(t *testing.T) {
	keep := filepath.Join(t.TempDir(), "keep")
	w := start(t, nil)
	w.stream(t, "a", "text/plain")
	w.fill(t, "a", "text/plain", 30, 10_000)
	want := w.content(t, "a")
	var bad *snapshot.RequestError
	if _, err := outcome[[]snapshot.Compaction](w.manager.Compact(snapshot.CompactRequest{Streams: "a"})); !errors.As(err, &bad) {
		t.Errorf("without a snapshot: %v", err)
	}
	if _, err := outcome[[]snapshot.Compaction](w.manager.Compact(snapshot.CompactRequest{Streams: "nothing", To: at(keep)})); !errors.Is(err, protocol.ErrNotFound) {
		t.Errorf("without a stream: %v", err)
	}
	withKeys := at(keep)
	withKeys.Place.Keys = &bucket.Keys{Access: "a", Secret: "b"}
	if _, err := w.manager.Compact(snapshot.CompactRequest{Streams: "a", To: withKeys}); !errors.As(err, &bad) {
		t.Errorf("with keys that the server has not: %v", err)
	}
	location := w.create(t, "a", keep).Location
	data, err := os.ReadFile(location)
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(data)
	damaged[len(data)/3] ^= 4
	if err := os.WriteFile(location, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.compact("a", keep); !strings.Contains(fmt.Sprint(err), "damaged") {
		t.Errorf("with a damaged snapshot: %v", err)
	}
	if left, err := w.db.Colds(t.Context(), 0); err != nil || len(left) != 0 {
		t.Errorf("cold: %+v, %v", left, err)
	}
	if err := os.WriteFile(location, data, 0o600); err != nil {
		t.Fatal(err)
	}
	// A snapshot that is there is used, wherever it lies.
	done, err := outcome[[]snapshot.Compaction](w.manager.Compact(snapshot.CompactRequest{Streams: "*"}))
	if err != nil || len(done) != 1 || done[0].Locations[0] != location {
		t.Fatalf("compacted: %+v, %v", done, err)
	}
	if d := diff(want, w.content(t, "a")); d != "" {
		t.Errorf("compacted (-want +got):\n%s", d)
	}
}

func TestTheOnlyCopyIsNeverPruned(t *testing.T) {
	now := time.Now()
	w := start(t, func(o *snapshot.Options) { o.Now = func() time.Time { return now } })
	w.stream(t, "a", "text/plain")
	w.fill(t, "a", "text/plain", 30, 10_000)
	keep := filepath.Join(t.TempDir(), "keep")
	cold := w.mustCompact(t, "a", keep).Locations[0]
	for range 3 {
		now = now.Add(24 * time.Hour)
		w.create(t, "a", keep)
	}
	want := w.content(t, "a")
	pruned, err := w.manager.Prune(t.Context(), snapshot.PruneRequest{KeepLast: 1})
	if err != nil || len(pruned) != 2 {
		t.Fatalf("pruned: %+v, %v", pruned, err)
	}
	all, err := w.manager.Recorded(t.Context(), "a")
	if err != nil || len(all) != 2 || all[1].Location != cold || !all[1].InUse || all[0].InUse {
		t.Fatalf("left: %+v, %v", all, err)
	}
	if err := w.db.RemoveSnapshot(all[1].ID); !errors.Is(err, store.ErrSnapshotInUse) {
		t.Errorf("removed by force: %v", err)
	}
	if d := diff(want, w.content(t, "a")); d != "" {
		t.Errorf("afterwards (-want +got):\n%s", d)
	}
	// With the stream, the reason to keep it goes.
	if err := w.engine.Delete("a"); err != nil {
		t.Fatal(err)
	}
	if pruned, err = w.manager.Prune(t.Context(), snapshot.PruneRequest{KeepLast: 1}); err != nil || len(pruned) != 1 || pruned[0].Location != cold {
		t.Errorf("pruned afterwards: %+v, %v", pruned, err)
	}
}

// TestAppendsGoOnDuringCompaction appends while a stream is compacted again and
// again: nothing that was appended behind a cold run may go with it.
func TestAppendsGoOnDuringCompaction(t *testing.T) {
	dir, keep := t.TempDir(), filepath.Join(t.TempDir(), "keep")
	w := openWorld(t, dir, nil)
	w.stream(t, "a", "text/plain", "begin\n")
	stop, finished := make(chan struct{}), make(chan string)
	go func() {
		want := "begin\n"
		for i := 0; ; i++ {
			select {
			case <-stop:
				finished <- want
				return
			default:
			}
			line := fmt.Sprintf("%d %s\n", i, strings.Repeat("x", 3000))
			r := &engine.AppendRequest{ContentType: "text/plain", Payload: protocol.Payload{Data: []byte(line), Sizes: []int{len(line)}}}
			if _, err := w.engine.Append("a", r); err != nil {
				t.Error(err)
			}
			want += line
		}
	}()
	for range 8 {
		if _, err := w.compact("a", keep); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	want := <-finished
	until(t, func() bool { return noHot(t, w) })
	w.close(t)
	w = openWorld(t, dir, nil)
	defer w.close(t)
	if got := w.content(t, "a"); string(got.Wire) != want {
		t.Errorf("%d bytes are left of %d", len(got.Wire), len(want))
	}
}
