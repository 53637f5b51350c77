package snapshot_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tailrace/backend/snapshot"
	"tailrace/backend/snapshot/bucket"
)

// TestFilesThatAppearAreFound drops files into a watched folder, and takes them
// away.
func TestFilesThatAppearAreFound(t *testing.T) {
	elsewhere := start(t, nil)
	elsewhere.stream(t, "a/b", "text/plain", "one")
	dropped := elsewhere.create(t, "a/b", t.TempDir())
	elsewhere.append(t, "a/b", "text/plain", "two", nil)
	chained := t.TempDir()
	elsewhere.create(t, "a/b", chained)
	elsewhere.append(t, "a/b", "text/plain", "three", nil)
	manifest := elsewhere.increment(t, "a/b", chained)

	keep := t.TempDir()
	w := start(t, func(o *snapshot.Options) { o.Targets = map[string]bucket.Target{"keep": {Location: keep}} })
	seen := int64(0)
	// wait returns what is found once that are so many, with so many problems: a file
	// may be seen half copied.
	wait := func(n, problems int) []snapshot.Found {
		t.Helper()
		var found *snapshot.Findings
		until(t, func() bool {
			var err error
			if found, err = w.manager.Found(t.Context(), 10*time.Second, seen); err != nil {
				t.Fatal(err)
			}
			seen = found.Revision
			wrong := 0
			for _, f := range found.Files {
				if f.Problem != "" {
					wrong++
				}
			}
			return len(found.Files) == n && wrong == problems
		})
		return found.Files
	}
	copyTo := func(from, to string) {
		t.Helper()
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		makeDir(t, filepath.Dir(to))
		if err := os.WriteFile(to, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	copyTo(dropped.Location, filepath.Join(keep, "dropped.seg"))
	found := wait(1, 0)
	if f := found[0]; f.Stream != "a/b" || f.Target != "keep" || f.Location != filepath.Join(keep, "dropped.seg") || f.Taken {
		t.Errorf("found: %+v", f)
	}
	if w.exists("a/b") == nil {
		t.Fatal("it was restored by itself")
	}
	// What only has the name of a snapshot is listed with what is wrong; a part, and
	// what belongs to others, are not.
	for _, name := range []string{"other.seg", "package.json"} {
		if err := os.WriteFile(filepath.Join(keep, name), []byte("something else"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	folder := filepath.Join(keep, "stream", filepath.Base(filepath.Dir(manifest.Location)))
	files, err := filepath.Glob(filepath.Join(filepath.Dir(manifest.Location), "*"))
	if err != nil || len(files) != 3 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, f := range files {
		copyTo(f, filepath.Join(folder, filepath.Base(f)))
	}
	offered := map[string]bool{}
	for _, f := range wait(4, 1) {
		if f.Problem == "" {
			offered[filepath.Base(f.Location)] = true
		} else if filepath.Base(f.Location) != "other.seg" || f.Stream != "" || !strings.Contains(f.Problem, "too short") {
			t.Errorf("listed with a problem: %+v", f)
		}
	}
	if !offered["dropped.seg"] || !offered[filepath.Base(manifest.Joined)] || offered[filepath.Base(manifest.Location)] {
		t.Errorf("offered: %v", offered)
	}
	if _, err := w.restore(filepath.Join(folder, filepath.Base(manifest.Joined)), ""); err != nil {
		t.Fatal(err)
	}
	if found, err := w.manager.Found(t.Context(), 0, seen); err != nil || !slices.ContainsFunc(found.Files, func(f snapshot.Found) bool { return f.Taken }) {
		t.Errorf("after restoring: %+v, %v", found, err)
	}
	// What the log has written itself is no news.
	w.create(t, "a/b", keep)
	if err := os.Remove(filepath.Join(keep, "dropped.seg")); err != nil {
		t.Fatal(err)
	}
	wait(3, 1)
}
