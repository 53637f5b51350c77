package snapshot_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"tailrace/backend/engine"
	"tailrace/backend/protocol"
	"tailrace/backend/snapshot"
	"tailrace/backend/snapshot/bucket"
	"tailrace/backend/snapshot/segfile"
	"tailrace/backend/store"
)

func (w *world) increment(t fataler, path, dir string) *snapshot.Created {
	t.Helper()
	c, err := outcome[*snapshot.Created](w.manager.Create(snapshot.CreateRequest{Path: path, To: w.at(dir), Increment: true}))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestIncrementsJoin(t *testing.T) {
	for _, contentType := range []string{"application/json", "text/plain"} {
		t.Run(contentType, func(t *testing.T) {
			onEachPlace(t, func(t *testing.T, p place) { testIncrementsJoin(t, contentType, p) })
		})
	}
}

func testIncrementsJoin(t *testing.T, contentType string, p place) {
	w := start(t, p.named)
	w.reach = p.Target
	dir := p.Location
	w.stream(t, "a", contentType)
	w.fill(t, "a", contentType, 3, 2000)
	whole := w.increment(t, "a", dir)
	if whole.Start != 0 || whole.Joined != "" {
		t.Errorf("the first: %+v", whole)
	}
	var points []*snapshot.Created
	var states []content
	for i := range 3 {
		w.append(t, "a", contentType, `"more"`, &protocol.Producer{ID: "q", Seq: int64(i)})
		c := w.increment(t, "a", dir)
		if c.Messages != 1 || c.Start != whole.End+int64(i)*(c.End-c.Start) || c.Joined == "" {
			t.Errorf("increment %d: %+v", i, c)
		}
		points, states = append(points, c), append(states, w.content(t, "a"))
	}
	if again := w.increment(t, "a", dir); again.ID != points[2].ID {
		t.Errorf("nothing new: %+v", again)
	}
	if _, err := w.engine.Append("a", &engine.AppendRequest{Empty: true, Close: true}); err != nil {
		t.Fatal(err)
	}
	if closed := w.increment(t, "a", dir); closed.Messages != 0 || !closed.Closed {
		t.Errorf("the closure: %+v", closed)
	}
	for i, c := range points {
		v, err := w.verify(c.Joined)
		if err != nil || v.Log != snapshot.CompareSame || !v.Recorded || v.Summary.Messages != states[i].Stream.Messages {
			t.Errorf("verify %d: %+v, %v", i, v, err)
		}
		restored, err := w.restore(c.Joined, "at"+string(rune('0'+i)))
		if err != nil {
			t.Fatal(err)
		}
		got := w.content(t, restored.Path)
		if d := diff(states[i], got); d != "" {
			t.Errorf("restored %d (-want +got):\n%s", i, d)
		}
		refuseDuplicates(t, w, restored.Path, got)
	}
	// A part is right by itself, but no stream.
	if v, err := w.verify(points[1].Location); err != nil || v.Log != snapshot.CompareSame {
		t.Errorf("verify of a part: %+v, %v", v, err)
	}
	var bad *snapshot.RequestError
	if _, err := w.restore(points[1].Location, "b"); !errors.As(err, &bad) {
		t.Errorf("restore of a part: %v", err)
	}
	// Compaction takes what is there.
	want := w.content(t, "a")
	done, err := outcome[[]snapshot.Compaction](w.manager.Compact(snapshot.CompactRequest{Streams: "a", To: snapshot.Where{Name: "place"}}))
	if err != nil || len(done) != 1 {
		t.Fatalf("compacted: %+v, %v", done, err)
	}
	if c := done[0]; len(c.Locations) != 4 && len(c.Locations) != 5 {
		t.Errorf("compacted from %v", c.Locations)
	}
	if d := diff(want, w.content(t, "a")); d != "" {
		t.Errorf("compacted (-want +got):\n%s", d)
	}
}

func TestDamagedChainsAreFound(t *testing.T) { onEachPlace(t, testDamagedChains) }

func testDamagedChains(t *testing.T, p place) {
	w := start(t, nil)
	w.reach = p.Target
	dir := p.Location
	w.stream(t, "a", "text/plain", "one")
	first := w.increment(t, "a", dir)
	w.append(t, "a", "text/plain", "two", nil)
	second := w.increment(t, "a", dir)
	w.append(t, "a", "text/plain", "three", nil)
	third := w.increment(t, "a", dir)
	file := func(location string) []byte {
		data, err := os.ReadFile(p.file(location))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	manifest := file(third.Joined)
	for name, tt := range map[string]struct {
		at   string
		data []byte
	}{
		"a flipped bit in the manifest": {third.Joined, []byte(strings.Replace(string(manifest), `"start":3`, `"start":2`, 1))},
		"another version":               {third.Joined, []byte(strings.Replace(string(manifest), `"tailrace_manifest":1`, `"tailrace_manifest":2`, 1))},
		"a cut manifest":                {third.Joined, manifest[:len(manifest)/2]},
		"another part in its place":     {second.Location, file(third.Location)},
		"the whole one in its place":    {second.Location, file(first.Location)},
		"a damaged part":                {second.Location, append([]byte(nil), file(second.Location)[:100]...)},
	} {
		t.Run(name, func(t *testing.T) {
			sound := file(tt.at)
			if err := os.WriteFile(p.file(tt.at), tt.data, 0o600); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := os.WriteFile(p.file(tt.at), sound, 0o600); err != nil {
					t.Fatal(err)
				}
			}()
			var damaged *segfile.DamagedError
			var version *segfile.VersionError
			_, err := w.verify(third.Joined)
			if !errors.As(err, &damaged) && !errors.As(err, &version) && !errors.Is(err, segfile.ErrNotSnapshot) {
				t.Errorf("verify: %v", err)
			}
			if _, err := w.restore(third.Joined, "b"); err == nil || w.exists("b") == nil {
				t.Errorf("restore: %v", err)
			}
		})
	}
	if err := os.Remove(p.file(second.Location)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.verify(third.Joined); bucket.ProblemOf(err) != bucket.ProblemMissing {
		t.Errorf("verify without a part: %v", err)
	}
	w.append(t, "a", "text/plain", "four", nil)
	if c := w.increment(t, "a", dir); c.Start != 0 || c.Joined != "" {
		t.Errorf("what goes on from a broken chain: %+v", c)
	}
}

func TestIncrementsDoNotGoOnFromAnotherStream(t *testing.T) {
	w := start(t, nil)
	dir := t.TempDir()
	w.stream(t, "a", "text/plain", "one")
	early := w.create(t, "a", dir)
	w.append(t, "a", "text/plain", "two", nil)
	w.increment(t, "a", dir)
	if err := w.engine.Delete("a"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.restore(early.Location, ""); err != nil {
		t.Fatal(err)
	}
	w.append(t, "a", "text/plain", "other words", nil)
	c := w.increment(t, "a", dir)
	if c.Start != 0 {
		t.Errorf("it goes on from a stream with another history: %+v", c)
	}
	if v, err := w.verify(c.Location); err != nil || v.Log != snapshot.CompareSame {
		t.Errorf("verify: %+v, %v", v, err)
	}
}

// TestRulesAreFollowed has the manager take, prune and compact by itself.
func TestRulesAreFollowed(t *testing.T) { onEachPlace(t, testRulesAreFollowed) }

func testRulesAreFollowed(t *testing.T, p place) {
	now := time.Now().Add(time.Hour) // compaction looks at what is an hour old
	w := start(t, func(o *snapshot.Options) {
		o.Now = func() time.Time { return now }
		o.UpkeepEvery = 5 * time.Millisecond
		o.Targets = map[string]bucket.Target{"keep": p.Target}
		o.Rules.Every = []snapshot.ScheduleRule{
			{Glob: "often/**", Target: "keep", Bytes: 1000},
			{Glob: "seldom/**", Target: "keep", Every: 24 * time.Hour},
		}
		o.Rules.Keep = []snapshot.PruneRequest{{Glob: "pruned", KeepLast: 1}, {Glob: "kept", KeepLast: 2}}
		o.Rules.Compact = []snapshot.CompactRequest{{Streams: "old", To: snapshot.Where{Name: "keep"}, Older: time.Minute, Larger: 1000}}
	})
	w.reach = p.Target
	taken := func(path string) int {
		t.Helper()
		all, err := w.manager.Recorded(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	for _, path := range []string{"often/a", "seldom/a", "never"} {
		w.stream(t, path, "text/plain", "first")
	}
	until(t, func() bool { return taken("often/a") == 1 && taken("seldom/a") == 1 })
	for _, path := range []string{"often/a", "seldom/a", "never"} {
		w.append(t, path, "text/plain", strings.Repeat("x", 1000), nil)
	}
	until(t, func() bool { return taken("often/a") == 2 })
	if n, m := taken("seldom/a"), taken("never"); n != 1 || m != 0 {
		t.Errorf("%d and %d snapshots that nobody asked for", n-1, m)
	}
	w.stream(t, "old", "text/plain", strings.Repeat("x", 2000))
	until(t, func() bool {
		cold, err := w.db.Colds(t.Context(), 0)
		return err == nil && len(cold) == 1
	})
	for _, path := range []string{"pruned", "kept"} {
		w.stream(t, path, "text/plain", "some")
		for range 4 {
			w.create(t, path, p.Location)
		}
	}
	until(t, func() bool { return taken("pruned") == 1 && taken("kept") == 2 })
	if n := taken("old"); n != 1 {
		t.Errorf("%d snapshots of the compacted stream", n)
	}
}

// TestPruneKeepsWhatKeptOnesGoOnFrom prunes chains.
func TestPruneKeepsWhatKeptOnesGoOnFrom(t *testing.T) { onEachPlace(t, testPruneOfChains) }

func testPruneOfChains(t *testing.T, p place) {
	w := start(t, nil)
	w.reach = p.Target
	dir := p.Location
	w.stream(t, "a", "text/plain", "0")
	w.create(t, "a", dir)
	for _, text := range []string{"1", "2"} {
		w.append(t, "a", "text/plain", text, nil)
		w.increment(t, "a", dir)
	}
	if pruned, err := w.manager.Prune(t.Context(), snapshot.PruneRequest{KeepLast: 1, Reach: w.at("")}); err != nil || len(pruned) != 0 {
		t.Errorf("pruned %+v, %v", pruned, err)
	}
	var unknown *snapshot.UnknownTargetError
	if _, err := w.manager.Prune(t.Context(), snapshot.PruneRequest{KeepLast: 1, Target: "nowhere"}); !errors.As(err, &unknown) {
		t.Errorf("a target that is not there: %v", err)
	}
	last := w.create(t, "a", dir)
	pruned, err := w.manager.Prune(t.Context(), snapshot.PruneRequest{KeepLast: 1, Reach: w.at("")})
	if err != nil || len(pruned) != 3 {
		t.Errorf("pruned %+v, %v", pruned, err)
	}
	files, err := w.manager.Files(t.Context(), w.at(dir))
	if err != nil || len(files) != 1 || files[0].Location != last.Location {
		t.Errorf("left: %+v, %v", files, err)
	}
}

// TestJobsAreRemembered opens a log again whose jobs have ended, or had not.
func TestJobsAreRemembered(t *testing.T) {
	dir, keep := t.TempDir(), t.TempDir()
	w := openWorld(t, dir, nil)
	w.stream(t, "a", "text/plain", "one")
	c := w.create(t, "a", keep)
	v, err := w.verify(c.Location)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.restore(c.Location, "a"); err == nil {
		t.Fatal("it was overwritten")
	}
	if _, err := w.compact("a", keep); err != nil {
		t.Fatal(err)
	}
	before := w.manager.Jobs()
	// One that a crash ends leaves its beginning.
	if err := w.db.AddJob(&store.Job{ID: before[0].ID + 1, Kind: snapshot.KindRestore, Subject: "b", StartedAt: 1}); err != nil {
		t.Fatal(err)
	}
	w.close(t)

	w = openWorld(t, dir, nil)
	defer w.close(t)
	after := w.manager.Jobs()
	if len(after) != len(before)+1 || after[0].Progress().State != snapshot.JobFailed {
		t.Fatalf("%d jobs after %d, the last is %+v", len(after), len(before), after[0].Progress())
	}
	for i, j := range after[1:] {
		want, got := before[i].Progress(), j.Progress()
		if want.State != got.State || want.Bytes != got.Bytes || !want.Ended.Truncate(time.Millisecond).Equal(got.Ended) {
			t.Errorf("job %d: %+v, was %+v", j.ID, got, want)
		}
	}
	if got := after[3].Progress().Result.(*snapshot.Verified); got.Summary != v.Summary || got.Log != v.Log {
		t.Errorf("verified: %+v, was %+v", got, v)
	}
	if j, err := w.manager.Verify(snapshot.FileRequest{Location: c.Location}); err != nil || j.ID <= after[0].ID {
		t.Errorf("the next job: %+v, %v", j, err)
	} else {
		<-j.Done()
	}
}
