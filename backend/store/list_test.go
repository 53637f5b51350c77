package store

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tailrace/backend/protocol"
)

func TestBriefs(t *testing.T) {
	l := newTestLog(t, tiny)
	for _, s := range []struct {
		path, contentType string
		closed            bool
	}{
		{"b/2", "image/png", false},
		{"a", "application/json", false},
		{"b/1", "text/plain", true},
	} {
		m := l.create(s.path, s.contentType)
		l.append(m, strings.Repeat("1", 300))
		if s.closed {
			if err := l.tryAppend(m, appendOptions{close: true}); err != nil {
				t.Fatal(err)
			}
		}
	}
	l.delete(l.create("gone", "text/plain"))
	got, err := l.db.Briefs(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, b := range got {
		paths = append(paths, fmt.Sprint(b.Path, " ", b.Kind, " ", b.Closed, " ", b.System))
		if m := l.streams[b.Path]; m != nil && (b.Messages != m.Messages || b.Bytes != m.Bytes || b.LastAppendAt != m.LastAppendAt || b.ID != m.ID) {
			t.Errorf("%s is %+v, want %+v", b.Path, b, m.Position)
		}
	}
	want := []string{"__registry__ json false true", "a json false false", "b/1 text true false", "b/2 bytes false false"}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("streams (-want +got):\n%s", diff)
	}
}

func TestRowOfNoStream(t *testing.T) {
	l := newTestLog(t, tiny)
	if row, err := l.db.Row(context.Background(), 99); row != nil || err != nil {
		t.Errorf("got %v, %v", row, err)
	}
}

func TestDue(t *testing.T) {
	l := newTestLog(t, tiny)
	for i, deadline := range []int64{300, 0, 100, 200, 400} {
		m := l.newStream(fmt.Sprint(i), "text/plain")
		m.Deadline = deadline
		if err := l.commit(&Write{Stream: clone(&m.Stream), Create: true}); err != nil {
			t.Fatal(err)
		}
		l.streams[m.Path] = m
	}
	for _, tt := range []struct {
		steady, wall int64
		limit        int
		paths        []string
		wait         int64
	}{
		{99, 99, 10, nil, 1},
		{100, 100, 10, []string{"2"}, 100},
		{250, 250, 10, []string{"2", "3"}, 50},
		{500, 500, 2, []string{"2", "3"}, 0},
		{500, 500, 4, []string{"2", "3", "0", "4"}, 0},
		{500, 500, 10, []string{"2", "3", "0", "4"}, 60_000},
		{900, 99, 10, nil, 1}, // absolute deadlines do not follow the steady clock
	} {
		paths, wait, err := l.db.Due(context.Background(), tt.steady, tt.wall, tt.limit)
		if err != nil || !cmp.Equal(paths, tt.paths) || wait != tt.wait {
			t.Errorf("at %d/%d, limit %d: got %v, wait %d, %v; want %v, %d", tt.steady, tt.wall, tt.limit, paths, wait, err, tt.paths, tt.wait)
		}
	}
	m := l.newStream("sliding", "text/plain")
	m.Expiry, m.Deadline = protocol.Expiry{HasTTL: true, TTL: 1}, 50
	if err := l.commit(&Write{Stream: clone(&m.Stream), Create: true}); err != nil {
		t.Fatal(err)
	}
	l.streams[m.Path] = m
	if paths, _, err := l.db.Due(context.Background(), 49, 99, 10); err != nil || len(paths) != 0 {
		t.Errorf("a sliding deadline followed the wall clock: %v, %v", paths, err)
	}
	if paths, _, err := l.db.Due(context.Background(), 50, 0, 10); err != nil || !cmp.Equal(paths, []string{"sliding"}) {
		t.Errorf("a sliding deadline that has come: %v, %v", paths, err)
	}
}
