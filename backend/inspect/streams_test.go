package inspect

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestList(t *testing.T) {
	p := newPage(t)
	for i, s := range []struct{ path, contentType, body string }{
		{"b/2", "image/png", "1234"},
		{"a", "application/json", `[1,2,3]`},
		{"b/1", "text/plain", "12"},
		{"b/c/3", "text/html", ""},
		{"z%_", "application/json", `[1]`},
	} {
		p.call("PUT", of(s.path, ""), fmt.Sprintf(`{"content_type":%q,"body":%q,"closed":%v}`, s.contentType, s.body, i > 2), 201, nil)
	}
	p.call("PUT", of("fork", ""), `{"fork":{"of":"a"}}`, 201, nil)
	for query, want := range map[string]string{
		"":                         "a b/1 b/2 b/c/3 fork z%_",
		"limit=2":                  "a b/1",
		"limit=2&from=2":           "b/2 b/c/3",
		"from=5":                   "z%_",
		"from=600":                 "",
		"desc=true&limit=2":        "z%_ fork",
		"filter=b/":                "b/1 b/2 b/c/3",
		"filter=%25_":              "z%_",
		"filter=3+b/":              "b/c/3",
		"filter=3+a":               "",
		"filter=b/*":               "b/1 b/2",
		"filter=b/**":              "b/1 b/2 b/c/3",
		"kind=text":                "b/1 b/c/3",
		"state=closed":             "b/c/3 z%_",
		"state=open&kind=json":     "a fork",
		"state=fork":               "fork",
		"state=deleted":            "",
		"sort=messages&desc=true":  "a fork b/1 b/2 z%_ b/c/3",
		"sort=bytes&filter=b/":     "b/c/3 b/1 b/2",
		"system=true&filter=_":     "__registry__ z%_",
		"sort=messages&state=fork": "fork",
	} {
		var list StreamList
		p.call("GET", "/api/streams?"+query, "", 200, &list)
		var paths []string
		for _, s := range list.Streams {
			paths = append(paths, s.Path)
		}
		if got := strings.Join(paths, " "); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
		facets := Facets{}
		facets.Kind.JSON, facets.Kind.Text, facets.Kind.Bytes = 3, 2, 1
		facets.State.Open, facets.State.Closed, facets.State.Fork = 4, 2, 1
		if diff := cmp.Diff(facets, list.Facets); diff != "" || list.Total != 6 {
			t.Errorf("%s: of %d\n%s", query, list.Total, diff)
		}
	}
	p.call("GET", "/api/streams?kind=nope", "", 422, nil)
}

// What happens shows at once: the catalogue is read again, and what is in use is
// asked.
func TestListFollows(t *testing.T) {
	p := newPage(t)
	list := func(query string) (out []string, matched int) {
		var l StreamList
		p.call("GET", "/api/streams?"+query, "", 200, &l)
		for _, s := range l.Streams {
			out = append(out, fmt.Sprint(s.Path, " ", s.Messages))
		}
		return out, l.Matched
	}
	if _, n := list(""); n != 0 {
		t.Errorf("%d streams at first", n)
	}
	for i := range 20 {
		p.call("PUT", of(fmt.Sprint("s/", i), ""), `{"content_type":"application/json"}`, 201, nil)
		deadline := 0
		for n := 0; n != i+1; deadline++ {
			if _, n = list("limit=1"); deadline > 1000 {
				t.Fatalf("%d streams after %d creations", n, i+1)
			}
		}
	}
	p.call("POST", of("s/7", "/messages"), `{"body":"[1,2]"}`, 200, nil)
	if got, _ := list("sort=messages&desc=true&limit=1"); len(got) != 1 || got[0] != "s/7 2" {
		t.Errorf("the longest is %v", got)
	}
}

func TestFork(t *testing.T) {
	p := newPage(t)
	p.call("PUT", of("a", ""), `{"content_type":"application/json","body":"[1,2,3]"}`, 201, nil)
	var created struct{ Stream Stream }
	p.call("PUT", of("b", ""), `{"fork":{"of":"a","offset":"0000000000000000_0000000000000001"},"body":"[4]"}`, 201, &created)
	if s := created.Stream; s.ForkOf == nil || *s.ForkOf != "a" || s.Messages != 2 || s.Kind != "json" {
		t.Errorf("a fork is %+v", s)
	}
	p.call("PUT", of("c", ""), `{"content_type":"text/plain","fork":{"of":"a"}}`, 409, nil)
	p.call("PUT", of("c", ""), `{"fork":{"of":"none"}}`, 404, nil)
	p.call("PUT", of("c", ""), `{"fork":{"of":"a","offset":"x"}}`, 400, nil)
	p.call("PUT", of("c", ""), `{"fork":{"of":"a"},"body":"{"}`, 400, nil)
	p.call("GET", "/api/streams/"+url.PathEscape("c"), "", 404, nil)
}
