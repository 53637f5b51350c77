package inspect

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tailrace/backend/engine"
	"tailrace/backend/protocol"
)

// find runs a filter to its end.
func (p *page) find(path, by, pattern string, from int) (matches []int64, last FilterProgress) {
	p.t.Helper()
	query := url.Values{"by": {by}, "pattern": {pattern}, "from": {fmt.Sprint(from)}}
	res := p.send("GET", of(path, "/filter?"+query.Encode()), "")
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/x-ndjson" {
		p.t.Fatalf("%s %v", res.Status, res.Header)
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if last.Done {
			p.t.Error("a line behind the last one")
		}
		if err := json.Unmarshal(lines.Bytes(), &last); err != nil {
			p.t.Fatal(err)
		}
		matches = append(matches, last.Matches...)
	}
	return matches, last
}

// numbers makes a stream of n messages {"n":0}, {"n":1} …, in appends of 7.
func (p *page) numbers(path string, n int) {
	p.t.Helper()
	p.call("PUT", of(path, ""), `{"content_type":"application/json"}`, 201, nil)
	for i := 0; i < n; {
		var batch []string
		for range min(7, n-i) {
			batch = append(batch, fmt.Sprintf(`{"n":%d}`, i))
			i++
		}
		body, err := json.Marshal(map[string]string{"body": "[" + strings.Join(batch, ",") + "]"})
		if err != nil {
			p.t.Fatal(err)
		}
		p.call("POST", of(path, "/messages"), string(body), 200, nil)
	}
}

func TestFilter(t *testing.T) {
	p := newPage(t)
	p.numbers("n", 1000)
	// What a fork inherits is looked at like its own messages.
	_, err := p.engine.Create("fork", &engine.CreateRequest{
		Fork:  &engine.ForkRequest{From: "n", Offset: protocol.Offset{Position: 505}.String()},
		Frame: func(protocol.Kind) (protocol.Payload, error) { return protocol.Payload{}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	p.call("POST", of("fork", "/messages"), `{"body":"[{\"n\":-1},{\"n\":500}]"}`, 200, nil)
	p.call("PUT", of("text", ""), `{"content_type":"text/plain"}`, 201, nil)
	for i := range 50 {
		p.call("POST", of("text", "/messages"), fmt.Sprintf(`{"body":"line %d"}`, i), 200, nil)
	}
	p.call("PUT", of("empty", ""), `{"content_type":"text/plain"}`, 201, nil)
	for _, tt := range []struct {
		path, by, pattern string
		from              int
		total             int64
		want              []int64
	}{
		{"n", "text", `:99`, 0, 1000, []int64{99, 990, 991, 992, 993, 994, 995, 996, 997, 998, 999}},
		{"n", "text", `:99`, 995, 1000, []int64{995, 996, 997, 998, 999}},
		{"n", "regex", `^\{"n":.00\}$`, 0, 1000, []int64{100, 200, 300, 400, 500, 600, 700, 800, 900}},
		{"n", "path", `$.n >= 998`, 0, 1000, []int64{998, 999}},
		{"n", "path", `$.n < 0`, 0, 1000, nil},
		{"n", "path", `$.n = 3`, 5000, 1000, nil},
		{"fork", "path", `$.n = 500`, 0, 507, []int64{500, 506}},
		{"fork", "path", `$.n > 502`, 0, 507, []int64{503, 504}},
		{"text", "text", "line 4", 0, 50, []int64{4, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49}},
		{"empty", "text", "a", 0, 0, nil},
	} {
		got, last := p.find(tt.path, tt.by, tt.pattern, tt.from)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s %s from %d (-want +got):\n%s", tt.path, tt.pattern, tt.from, diff)
		}
		if last.Total != tt.total || last.Read < last.Total || last.Error != nil {
			t.Errorf("%s %s ended with %+v", tt.path, tt.pattern, last)
		}
	}
	p.call("GET", of("n", "/filter?by=regex&pattern=("), "", 400, nil)
	p.call("GET", of("n", "/filter?by=path&pattern=%24.a+%3D"), "", 400, nil)
	p.call("GET", of("n", "/filter?by=text"), "", 422, nil)
	p.call("GET", of("none", "/filter?by=text&pattern=a"), "", 404, nil)
}

func TestSingleMessages(t *testing.T) {
	p := newPage(t)
	p.numbers("n", 1000)
	var list MessageList
	p.call("GET", of("n", "/messages?ordinals=999,0,1,17,500,17,4000"), "", 200, &list)
	var got []string
	for _, m := range list.Messages {
		got = append(got, fmt.Sprint(m.Ordinal, " ", m.Preview))
	}
	want := []string{`0 {"n":0}`, `1 {"n":1}`, `17 {"n":17}`, `500 {"n":500}`, `999 {"n":999}`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
