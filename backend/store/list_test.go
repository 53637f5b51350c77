package store

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tailrace/backend/protocol"
)

func TestList(t *testing.T) {
	l := newTestLog(t, tiny)
	for _, s := range []struct {
		path, contentType string
		closed            bool
	}{
		{"a", "application/json", false},
		{"b/1", "text/plain", true},
		{"b/2", "image/png", false},
		{"b/c/3", "text/html", false},
		{"z%_", "application/json", true},
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
	for _, tt := range []struct {
		name    string
		query   Query
		want    []string
		matched int
		next    string
	}{
		{"all", Query{Limit: 10}, []string{"a", "b/1", "b/2", "b/c/3", "z%_"}, 5, ""},
		{"with system streams", Query{Limit: 10, System: true}, []string{"__registry__", "a", "b/1", "b/2", "b/c/3", "z%_"}, 6, ""},
		{"first page", Query{Limit: 2}, []string{"a", "b/1"}, 5, "b/1"},
		{"second page", Query{Limit: 2, After: "b/1"}, []string{"b/2", "b/c/3"}, 5, "b/c/3"},
		{"last page", Query{Limit: 2, After: "b/c/3"}, []string{"z%_"}, 5, ""},
		{"a page that ends exactly", Query{Limit: 5}, []string{"a", "b/1", "b/2", "b/c/3", "z%_"}, 5, ""},
		{"behind a path that is gone", Query{Limit: 2, After: "b/15"}, []string{"b/2", "b/c/3"}, 5, "b/c/3"},
		{"behind everything", Query{Limit: 2, After: "zz"}, nil, 5, ""},
		{"no rows", Query{}, nil, 5, ""},
		{"substring", Query{Limit: 10, Filter: "b/"}, []string{"b/1", "b/2", "b/c/3"}, 3, ""},
		{"substring is no pattern", Query{Limit: 10, Filter: "%_"}, []string{"z%_"}, 1, ""},
		{"glob", Query{Limit: 10, Filter: "b/*"}, []string{"b/1", "b/2"}, 2, ""},
		{"deep glob", Query{Limit: 1, Filter: "b/**"}, []string{"b/1"}, 3, "b/1"},
		{"kind", Query{Limit: 10, Kind: "text"}, []string{"b/1", "b/c/3"}, 2, ""},
		{"state", Query{Limit: 10, State: "closed"}, []string{"b/1", "z%_"}, 2, ""},
		{"kind and state", Query{Limit: 10, Kind: "json", State: "open"}, []string{"a"}, 1, ""},
		{"deleted", Query{Limit: 10, State: "deleted"}, nil, 0, ""},
		{"forks", Query{Limit: 10, State: "fork"}, nil, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			page, err := l.db.List(context.Background(), tt.query)
			if err != nil {
				t.Fatal(err)
			}
			var paths []string
			for _, r := range page.Streams {
				paths = append(paths, r.Path)
				if want := l.streams[r.Path]; want != nil && r.Position != want.Position {
					t.Errorf("%s is at %+v, want %+v", r.Path, r.Position, want.Position)
				}
			}
			got := Page{Matched: page.Matched, Total: page.Total, Next: page.Next, Facets: page.Facets}
			want := Page{Matched: tt.matched, Total: 5, Next: tt.next, Facets: Facets{JSON: 2, Text: 2, Bytes: 1, Open: 3, Closed: 2}}
			if diff := cmp.Diff(tt.want, paths); diff != "" {
				t.Errorf("paths (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("page (-want +got):\n%s", diff)
			}
		})
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
