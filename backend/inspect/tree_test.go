package inspect

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tailrace/backend/engine"
	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

// draw shows rows as a person sees them.
func (l *TreeList) draw() []string {
	var out []string
	for _, r := range l.Rows {
		words := ""
		if f := r.Folder; f != nil {
			words = fmt.Sprintf("%s %d, %d bytes", strings.TrimPrefix(f.Prefix, r.Around), f.Streams, f.Bytes)
			if f.LastAppendAt == nil {
				words += ", nothing appended"
			}
		} else {
			words = strings.TrimPrefix(r.Stream.Path, r.Around)
		}
		out = append(out, strings.Repeat("  ", r.Level)+words)
	}
	return out
}

func TestTree(t *testing.T) {
	p := newPage(t)
	create := func(path, contentType, body string) {
		t.Helper()
		p.call("PUT", of(path, ""), fmt.Sprintf(`{"content_type":%q,"body":%q}`, contentType, body), 201, nil)
	}
	for i := range 12 {
		create(fmt.Sprintf("orders/eu/%02d", i), "text/plain", "12")
	}
	create("orders/us/a", "text/plain", "")
	create("hello", "application/json", "[1]")
	create("solo/one", "text/plain", "x")
	for i := range 10 {
		create(fmt.Sprintf("deep/er/%d/x", i), "text/plain", "")
	}
	folders := func(open ...string) string { return url.Values{"open": open}.Encode() }
	deep := make([]string, 10)
	eu := make([]string, 12)
	for i := range deep {
		deep[i] = fmt.Sprintf("  er/%d/x", i)
	}
	for i := range eu {
		eu[i] = fmt.Sprintf("    %02d", i)
	}
	for query, want := range map[string][]string{
		"":                            {"deep/ 10, 0 bytes, nothing appended", "hello", "orders/ 13, 24 bytes", "solo/one"},
		"from=1&limit=2":              {"hello", "orders/ 13, 24 bytes"},
		"from=9":                      nil,
		"filter=us":                   {"orders/us/a"},
		"kind=json":                   {"hello"},
		"system=true&filter=__":       {"__registry__"},
		folders("orders/"):            {"deep/ 10, 0 bytes, nothing appended", "hello", "orders/ 13, 24 bytes", "  eu/ 12, 24 bytes", "  us/a", "solo/one"},
		folders("orders/eu/"):         {"deep/ 10, 0 bytes, nothing appended", "hello", "orders/ 13, 24 bytes", "solo/one"},
		folders("deep/") + "&limit=3": {"deep/ 10, 0 bytes, nothing appended", deep[0], deep[1]},
		"filter=orders/&" + folders("orders/", "orders/eu/"): append([]string{"orders/ 13, 24 bytes", "  eu/ 12, 24 bytes"}, append(eu, "  us/a")...),
	} {
		var list TreeList
		p.call("GET", "/api/tree?"+query, "", 200, &list)
		if diff := cmp.Diff(want, list.draw()); diff != "" {
			t.Errorf("%s:\n%s", query, diff)
		}
		if list.Total != 25 || list.Facets.Kind.Text != 24 {
			t.Errorf("%s: %+v", query, list.Counts)
		}
	}
	var list TreeList
	p.call("GET", "/api/tree?from=3&limit=1&find=orders/us/a&"+folders("orders/", "orders/eu/"), "", 200, &list)
	if list.Count != 18 || list.Matched != 25 || list.Found == nil || list.Found.Index != 16 || list.Found.Stream.Path != "orders/us/a" {
		t.Errorf("%+v, found %+v", list, list.Found)
	}
	// The rows say which folder they are in.
	if r := list.Rows[0]; r.Parent != 2 || r.Level != 1 || r.Folder == nil || !r.Folder.Open {
		t.Errorf("eu: %+v", r)
	}
	p.call("GET", "/api/tree?find=orders/us/a", "", 200, &list)
	if list.Found == nil || list.Found.Index != -1 {
		t.Errorf("in a closed folder: %+v", list.Found)
	}
	p.call("GET", "/api/tree?find=orders/us/a&kind=json", "", 200, &list)
	if list.Found != nil {
		t.Errorf("filtered out: %+v", list.Found)
	}
	var flat StreamList
	p.call("GET", "/api/streams?limit=1&find=orders/us/a", "", 200, &flat)
	if flat.Found == nil || flat.Found.Index != 23 || flat.Found.Stream.Path != "orders/us/a" {
		t.Errorf("in the list: %+v", flat.Found)
	}

	// What is appended now counts in the folder.
	if _, err := p.engine.Append("orders/us/a", &engine.AppendRequest{
		ContentType: "text/plain", Payload: protocol.Payload{Data: []byte("1234"), Sizes: []int{4}},
	}); err != nil {
		t.Fatal(err)
	}
	p.call("GET", "/api/tree?filter=orders/", "", 200, &list)
	if diff := cmp.Diff([]string{"orders/ 13, 28 bytes"}, list.draw()); diff != "" {
		t.Error(diff)
	}
}

// What a page of a tree of 100,000 streams costs beside reading them.
func BenchmarkTree(b *testing.B) {
	const tenants, streams = 1000, 100
	all := make([]store.Brief, 0, tenants*streams)
	for i := range tenants {
		for k := range streams {
			all = append(all, store.Brief{Path: fmt.Sprintf("tenants/%04d/%03d", i, k), Bytes: 1})
		}
	}
	for name, open := range map[string]map[string]bool{
		"closed": {}, "open": {"tenants/": true, "tenants/0500/": true},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				q := selection{}
				w := treeWalk{streams: q.pick(all), open: open, to: 100}
				w.walk(0, len(all), "", "", 0, -1)
				for _, r := range w.rows {
					if r.prefix != "" {
						newFolder(r.prefix, w.streams[r.first:r.end], false, nil)
					}
				}
			}
		})
	}
}
