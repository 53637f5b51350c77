package inspect

import (
	"strings"
	"testing"
)

func TestStorage(t *testing.T) {
	p := newPage(t)
	read := func(path string) StreamStorage {
		t.Helper()
		var got StreamStorage
		p.call("GET", of(path, "/storage"), "", 200, &got)
		return got
	}
	p.call("PUT", of("a", ""), `{"content_type":"application/json","body":"[1,22,333]"}`, 201, nil)
	if got := read("a").Hot; got.Messages != 3 || got.Unsealed != (HotShare{1, 8}) || got.Segments != (HotShare{}) || len(got.Files) != 0 {
		t.Errorf("in arrival order: %+v", got)
	}
	// Enough to be sealed, and one that goes into a file.
	for range 8 {
		p.call("POST", of("a", "/messages"), `{"body":"[\"`+strings.Repeat("x", 100)+`\"]"}`, 200, nil)
	}
	if h := read("a").Hot; h.Messages != 11 || h.Segments.Pieces == 0 || h.Segments.Bytes+h.Unsealed.Bytes < 800 || len(h.Files) != 0 {
		t.Errorf("sealed: %+v", h)
	}
	p.call("POST", of("a", "/messages"), `{"body":"[\"`+strings.Repeat("y", 70_000)+`\"]"}`, 200, nil)
	got := read("a")
	if h := got.Hot; h.Messages != 12 || len(h.Files) != 1 ||
		!strings.HasPrefix(h.Files[0].Name, "extents/") || h.Files[0].Pieces != 1 || h.Files[0].Bytes < 70_000 {
		t.Errorf("in a file: %+v", h)
	}
	if want := got.Hot.Unsealed.Bytes + got.Hot.Segments.Bytes + got.Hot.Files[0].Bytes; got.Frees != want {
		t.Errorf("%d bytes would be freed, want %d", got.Frees, want)
	}
	p.call("PUT", of("a/b", ""), `{"fork":{"of":"a","offset":"0000000000000000_0000000000000002"}}`, 201, nil)
	p.call("POST", of("a/b", "/messages"), `{"body":"4"}`, 200, nil)
	fork := read("a/b")
	if len(fork.Inherited) != 1 || fork.Inherited[0] != (InheritedRun{"a", "0000000000000000_0000000000000002", 2}) {
		t.Errorf("inherited: %+v", fork.Inherited)
	}
	if h := fork.Hot; h.Messages != 1 || h.StartOffset != "0000000000000000_0000000000000002" || h.Unsealed != (HotShare{1, 1}) {
		t.Errorf("the fork's own: %+v", h)
	}
	p.call("GET", of("nothing", "/storage"), "", 404, nil)
}
