package store

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestACopyKeepsWhatItRefersTo deletes streams and writes others while a copy is
// there. What it refers to must stay until it is closed, and go then.
func TestACopyKeepsWhatItRefersTo(t *testing.T) {
	l := openTestLog(t, t.TempDir(), outside)
	a, b := l.create("a", "text/plain"), l.create("b", "text/plain")
	var want []string
	for _, text := range []string{"one", "two", "three"} {
		text = strings.Repeat(text, 3000)
		l.append(a, text)
		want = append(want, text)
	}
	c, err := l.db.Copy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.append(b, "later")
	l.delete(a)
	l.waitFor(t, "SELECT count(*) FROM garbage", 0)
	// As if something had been on its way to be given back when the copy began.
	given := make(chan int64)
	err = l.db.Commit(&Write{also: also{"given", func(_ context.Context, c *committer) error {
		c.given = given
		return nil
	}}})
	if err != nil {
		t.Fatal(err)
	}
	given <- 0
	l.append(b, "the committer has looked for more to do by now")
	files, err := c.Files(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	for i := range files {
		for _, r := range files[i].Runs() {
			if err := c.WriteRun(&got, r); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, text := range want {
		if !strings.Contains(got.String(), text) {
			t.Errorf("%.10q… is gone while a copy needs it", text)
		}
	}
	if n, err := c.Streams(t.Context()); err != nil || n != 2 {
		t.Errorf("%d streams in the copy, %v", n, err)
	}
	if err := c.Check(context.Background()); err != nil {
		t.Error(err)
	}
	before := len(l.files())
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	l.waitForGarbage(t)
	if after := len(l.files()); after >= before {
		t.Errorf("%d files after the copy, %d before: their room is not given back", after, before)
	}
	if left, err := filepath.Glob(filepath.Join(l.dir, "copy-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	l.close()
}

// A process that was killed leaves its copy; the next start removes it.
func TestCopiesLeftBehindAreRemoved(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, "copy-1.tmp")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(left, FileName), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := openTestLog(t, dir, Options{})
	defer l.close()
	if exists(left) {
		t.Error("it is still there")
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
