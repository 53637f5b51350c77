package snapshot_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tailrace/backend/snapshot/segfile"
	"tailrace/backend/store"
)

func TestColdReadsFailWhileTheTargetIsAway(t *testing.T) {
	dir, keep := t.TempDir(), filepath.Join(t.TempDir(), "keep")
	w := openWorld(t, dir, nil)
	w.stream(t, "a", "text/plain")
	w.fill(t, "a", "text/plain", 50, 10_000)
	w.stream(t, "hot", "text/plain")
	w.fill(t, "hot", "text/plain", 50, 10_000)
	location := w.mustCompact(t, "a", keep).Locations[0]
	until(t, func() bool { return noHot(t, w) })
	w.close(t)

	w = openWorld(t, dir, nil)
	defer func() { w.close(t) }()
	hide(t, keep, func() {
		err := w.first("a")
		var cold *store.ColdError
		if !errors.As(err, &cold) || !strings.Contains(err.Error(), location) {
			t.Errorf("a cold read: %v", err)
		}
		if err := w.first("hot"); err != nil {
			t.Errorf("a hot read: %v", err)
		}
		w.append(t, "a", "text/plain", "more", nil)
		if _, err := w.compact("a", t.TempDir()); err == nil {
			t.Error("what cannot be read was compacted")
		}
	})
	if got := w.content(t, "a"); len(got.Batches) != 51 {
		t.Errorf("%d batches", len(got.Batches))
	}
	data, err := os.ReadFile(location)
	if err != nil {
		t.Fatal(err)
	}
	w.close(t)
	data[len(data)/2] ^= 1
	if err := os.WriteFile(location, data, 0o600); err != nil {
		t.Fatal(err)
	}
	w = openWorld(t, dir, nil)
	if err := readAll(w, "a"); !strings.Contains(fmt.Sprint(err), "checksum") {
		t.Errorf("a damaged file: %v", err)
	}
}

// TestNoOtherStreamIsReadFromACompactedOne puts the snapshot of another stream in the
// place of the one that a stream is read from.
func TestNoOtherStreamIsReadFromACompactedOne(t *testing.T) {
	dir, keep := t.TempDir(), filepath.Join(t.TempDir(), "keep")
	w := openWorld(t, dir, nil)
	w.stream(t, "a", "text/plain", strings.Repeat("a", 200_000))
	w.stream(t, "b", "text/plain", strings.Repeat("b", 200_000))
	other := w.create(t, "b", keep).Location
	location := w.mustCompact(t, "a", keep).Locations[0]
	until(t, func() bool { return noHot(t, w) })
	w.close(t)

	swap := func() {
		if err := errors.Join(os.Rename(location, location+".x"), os.Rename(other, location), os.Rename(location+".x", other)); err != nil {
			t.Fatal(err)
		}
	}
	swap()
	w = openWorld(t, dir, nil)
	defer w.close(t)
	if err := readAll(w, "a"); !strings.Contains(fmt.Sprint(err), "another snapshot") {
		t.Errorf("reading a: %v", err)
	}
	for _, file := range []string{location, other} {
		var bad *segfile.DamagedError
		if v, err := w.verify(file); !errors.As(err, &bad) {
			t.Errorf("verify %s: %+v, %v", file, v, err)
		}
	}
	swap()
	if got := w.content(t, "a"); string(got.Wire) != strings.Repeat("a", 200_000) {
		t.Errorf("with its own file again: %.20q", got.Wire)
	}
	if v, err := w.verify(location); err != nil || !v.Recorded {
		t.Errorf("verify its own file: %+v, %v", v, err)
	}
}
