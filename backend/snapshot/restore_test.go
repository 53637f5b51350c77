package snapshot_test

import (
	"errors"
	"testing"
	"time"

	"tailrace/backend/engine"
	"tailrace/backend/protocol"
	"tailrace/backend/snapshot"
)

func TestRestoreOverwritesNothing(t *testing.T) {
	w := start(t, nil)
	w.stream(t, "a", "text/plain", "one", "two")
	c := w.create(t, "a", t.TempDir())
	if _, err := w.restore(c.Location, ""); !errors.Is(err, engine.ErrPathTaken) {
		t.Errorf("restore over itself: %v", err)
	}
	w.stream(t, "other", "text/plain", "x")
	if _, err := w.restore(c.Location, "other"); !errors.Is(err, engine.ErrPathTaken) {
		t.Errorf("restore over another: %v", err)
	}
	if got := w.content(t, "other"); string(got.Wire) != "x" {
		t.Errorf("the other stream holds %q", got.Wire)
	}
	for _, as := range []string{"__registry__", "__ds/x", "a//b"} {
		if _, err := w.restore(c.Location, as); err == nil {
			t.Errorf("restore as %q is done", as)
		}
	}
}

// TestTokensStayGood deletes a stream and brings it back: its own tokens are right
// again unless somebody may hold others of the path, and no two histories ever share
// tokens.
func TestTokensStayGood(t *testing.T) {
	w := start(t, nil)
	dir := t.TempDir()
	remove := func(path string) {
		t.Helper()
		if err := w.engine.Delete(path); err != nil {
			t.Fatal(err)
		}
	}
	restore := func(location, as string, incarnation int64) {
		t.Helper()
		r, err := w.restore(location, as)
		if err != nil {
			t.Fatal(err)
		}
		got := w.content(t, r.Path).Stream.Incarnation
		if got != incarnation || r.Header.Incarnation != got || r.Anew != (incarnation != 0) {
			t.Errorf("%s has incarnation %d, want %d; told of %d, anew %v", r.Path, got, incarnation, r.Header.Incarnation, r.Anew)
		}
	}

	w.stream(t, "a", "text/plain", "first")
	c := w.create(t, "a", dir)
	for range 2 { // the one that was restored can be deleted and restored as well
		remove("a")
		restore(c.Location, "", 0)
	}
	w.append(t, "a", "text/plain", "more", nil)
	remove("a")
	restore(c.Location, "", 1) // readers may be behind what is not there any more
	remove("a")
	w.stream(t, "a", "text/plain", "later")
	remove("a")
	restore(c.Location, "", 3) // and now they may hold tokens of another stream
	if got := w.content(t, "a"); string(got.Wire) != "first" {
		t.Errorf("restored: %q", got.Wire)
	}
	remove("a")
	w.stream(t, "a", "text/plain", "last")
	if got := w.content(t, "a"); got.Stream.Incarnation != 4 {
		t.Errorf("the next stream has incarnation %d, want 4", got.Stream.Incarnation)
	}

	restore(c.Location, "free", 0)
	w.stream(t, "other", "text/plain", "of other")
	remove("other")
	restore(c.Location, "other", 1)
}

func TestExpiredStreamsComeBackWithoutTheirExpiry(t *testing.T) {
	now := time.Now()
	w := start(t, func(o *snapshot.Options) { o.Now = func() time.Time { return now } })
	expiry, err := protocol.ParseExpiry("", false, now.Add(time.Hour).UTC().Format(time.RFC3339), true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.engine.Create("a", &engine.CreateRequest{ContentType: "text/plain", Expiry: expiry}); err != nil {
		t.Fatal(err)
	}
	c := w.create(t, "a", t.TempDir())
	now = now.Add(2 * time.Hour)
	var bad *snapshot.RequestError
	if _, err := w.restore(c.Location, "b"); !errors.As(err, &bad) {
		t.Errorf("restore of an expired stream: %v", err)
	}
	r, err := outcome[*snapshot.Restored](w.manager.Restore(snapshot.FileRequest{Location: c.Location, As: "b", NoExpiry: true}))
	if err != nil {
		t.Fatal(err)
	}
	if got := w.content(t, r.Path); got.Stream.Expiry != (protocol.Expiry{}) {
		t.Errorf("it has the expiry %v", got.Stream.Expiry)
	}
}
