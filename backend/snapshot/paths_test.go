package snapshot_test

import (
	"fmt"
	"strings"
	"testing"

	"tailrace/backend/snapshot"
	"tailrace/backend/snapshot/bucket"
)

// TestLongPathsFitIntoFolders: the name of a folder is shorter than a path may be.
func TestLongPathsFitIntoFolders(t *testing.T) {
	for _, length := range []int{1, 190, 191, 192, 382, 383, 1024} {
		t.Run(fmt.Sprint(length), func(t *testing.T) {
			keep := t.TempDir()
			path := strings.Repeat("w", length)
			w := start(t, nil)
			w.stream(t, path, "text/plain", "one")
			w.create(t, path, keep)
			w.append(t, path, "text/plain", "two", nil)
			c := w.increment(t, path, keep)
			want := w.content(t, path)
			if v, err := w.verify(c.Joined); err != nil || v.Log != snapshot.CompareSame {
				t.Errorf("verify: %+v, %v", v, err)
			}
			files, err := w.manager.Files(t.Context(), w.at(keep))
			if err != nil || len(files) == 0 {
				t.Fatalf("%d files, %v", len(files), err)
			}
			for _, f := range files {
				if f.Stream != path {
					t.Errorf("%s is listed as of %q", f.Key, f.Stream)
				}
			}
			there := start(t, func(o *snapshot.Options) { o.Targets = map[string]bucket.Target{"keep": {Location: keep}} })
			if _, err := there.restore(c.Joined, ""); err != nil {
				t.Fatal(err)
			}
			if d := diff(want, there.content(t, path)); d != "" {
				t.Error(d)
			}
		})
	}
}
