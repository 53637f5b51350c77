package server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const (
	asText = "Content-Type: text/plain"
	asJSON = "Content-Type: application/json"
	closes = "Stream-Closed: true"
)

func by(id, epoch, seq string, more ...string) []string {
	return append([]string{asText, "Producer-Id: " + id, "Producer-Epoch: " + epoch, "Producer-Seq: " + seq}, more...)
}

func TestPut(t *testing.T) {
	for name, exchanges := range map[string][]exchange{
		"new": {{
			"PUT", "a/b%2Fc%20d", "",
			[]string{asText},
			201,
			[]string{"Location: http://localhost:4437/v1/stream/a/b%2Fc%20d", "Content-Type: text/plain", "Stream-Next-Offset: " + token(0), "Stream-Closed: -"},
			"",
		}},
		"without type": {{"PUT", "a", "", nil, 201, []string{"Content-Type: application/octet-stream"}, ""}},
		"same again": {
			{"PUT", "a", "xyz", []string{asText}, 201, []string{"Stream-Next-Offset: " + token(3)}, ""},
			{"PUT", "a", "more", []string{asText}, 200, []string{"Stream-Next-Offset: " + token(3), "Location: -"}, ""},
			{"GET", "a", "", nil, 200, nil, "xyz"},
		},
		"type as it was sent": {
			{"PUT", "a", "", []string{"Content-Type: Text/Plain; charset=X"}, 201, []string{"Content-Type: Text/Plain; charset=X"}, ""},
			{"HEAD", "a", "", nil, 200, []string{"Content-Type: Text/Plain; charset=X"}, ""},
			{"PUT", "a", "", []string{asText}, 200, []string{"Content-Type: Text/Plain; charset=X"}, ""},
		},
		"another type": {
			{"PUT", "a", "", []string{asText}, 201, nil, ""},
			{"PUT", "a", "", []string{asJSON}, 409, nil, "Content-Type"},
			{"PUT", "a", "", nil, 409, nil, "Content-Type"},
		},
		"closed": {
			{"PUT", "a", "all", []string{asText, closes}, 201, []string{"Stream-Closed: true", "Stream-Next-Offset: " + token(3)}, ""},
			{"PUT", "a", "", []string{asText, closes}, 200, []string{"Stream-Closed: true"}, ""},
			{"PUT", "a", "", []string{asText}, 409, nil, "Stream-Closed"},
			{"GET", "a", "", nil, 200, []string{"Stream-Closed: true"}, "all"},
		},
		"closed in capitals":     {{"PUT", "a", "", []string{asText, "Stream-Closed: TRUE"}, 201, []string{"Stream-Closed: true"}, ""}},
		"closed: yes is nothing": {{"PUT", "a", "", []string{asText, "Stream-Closed: yes"}, 201, []string{"Stream-Closed: -"}, ""}},
		"JSON content": {
			{"PUT", "a", ` [1, {"x":1.0}] `, []string{asJSON}, 201, []string{"Stream-Next-Offset: " + token(2)}, ""},
			{"GET", "a", "", nil, 200, []string{"Content-Type: application/json"}, `[1,{"x":1.0}]`},
		},
		"empty JSON array": {
			{"PUT", "a", `[]`, []string{asJSON}, 201, []string{"Stream-Next-Offset: " + token(0)}, ""},
			{"GET", "a", "", nil, 200, nil, `[]`},
		},
		"bad JSON leaves nothing": {
			{"PUT", "a", `{`, []string{asJSON}, 400, nil, "body"},
			{"HEAD", "a", "", nil, 404, nil, ""},
		},
		"garbage type":   {{"PUT", "a", "", []string{"Content-Type: garbage"}, 400, nil, "Content-Type"}},
		"empty type":     {{"PUT", "a", "", []string{"Content-Type: "}, 400, nil, "Content-Type"}},
		"two types":      {{"PUT", "a", "", []string{asText, asJSON}, 400, nil, "Content-Type"}},
		"TTL is told":    {{"PUT", "a", "", []string{asText, "Stream-TTL: 3600"}, 201, []string{"Stream-TTL: 3600"}, ""}, {"HEAD", "a", "", nil, 200, []string{"Stream-TTL: 3600"}, ""}},
		"bad TTL":        {{"PUT", "a", "", []string{asText, "Stream-TTL: 00060"}, 400, nil, "Stream-TTL"}},
		"expiry is told": {{"PUT", "a", "", []string{asText, "Stream-Expires-At: 2100-01-01T00:00:00.5+00:00"}, 201, []string{"Stream-Expires-At: 2100-01-01T00:00:00.5+00:00"}, ""}},
		"bad expiry":     {{"PUT", "a", "", []string{asText, "Stream-Expires-At: soon"}, 400, nil, "Stream-Expires-At"}},
		"TTL and expiry": {{"PUT", "a", "", []string{asText, "Stream-TTL: 1", "Stream-Expires-At: 2100-01-01T00:00:00Z"}, 400, nil, "Stream-TTL"}},
		"two TTLs":       {{"PUT", "a", "", []string{asText, "Stream-TTL: 1", "Stream-TTL: 2"}, 400, nil, "Stream-TTL"}},
		"TTL of zero":    {{"PUT", "a", "", []string{asText, "Stream-TTL: 0"}, 201, nil, ""}, {"GET", "a", "", nil, 404, nil, "no stream"}},
		"the registry":   {{"PUT", "__registry__", "", []string{asJSON}, 403, nil, "system"}},
		"long type":      {{"PUT", "a", "", []string{"Content-Type: text/" + strings.Repeat("x", 1100)}, 431, nil, "max_header_value_bytes"}},
	} {
		t.Run(name, func(t *testing.T) { newTestServer(t).run(t, exchanges) })
	}
}

func TestPost(t *testing.T) {
	open := exchange{"PUT", "a", "", []string{asText}, 201, nil, ""}
	for name, exchanges := range map[string][]exchange{
		"append": {
			open,
			{"POST", "a", "xy", []string{asText}, 204, []string{"Stream-Next-Offset: " + token(2), "Stream-Closed: -", "Producer-Seq: -"}, ""},
			{"GET", "a", "", nil, 200, nil, "xy"},
		},
		"no stream":                  {{"POST", "a", "", by("", "x", "y"), 404, nil, "no stream"}},
		"empty body":                 {open, {"POST", "a", "", []string{asText}, 400, nil, "empty"}},
		"no type":                    {open, {"POST", "a", "x", nil, 400, nil, "Content-Type"}},
		"bad type":                   {open, {"POST", "a", "x", []string{"Content-Type: x"}, 400, nil, "Content-Type"}},
		"other type":                 {open, {"POST", "a", "x", []string{asJSON}, 409, []string{"Stream-Closed: -"}, "text/plain"}},
		"producer":                   {open, {"POST", "a", "x", by("p", "0", "0"), 200, []string{"Producer-Epoch: 0", "Producer-Seq: 0", "Stream-Next-Offset: " + token(1)}, ""}},
		"producer incomplete":        {open, {"POST", "a", "x", []string{asText, "Producer-Id: p"}, 400, nil, "Producer-Epoch"}},
		"producer comes before body": {open, {"POST", "a", "", by("p", "0", "x"), 400, nil, "Producer-Seq"}},
		"producer id empty":          {open, {"POST", "a", "x", by("", "0", "0"), 400, nil, "Producer-Id"}},
		"producer id long":           {open, {"POST", "a", "x", by(strings.Repeat("p", 1025), "0", "0"), 431, nil, "max_header_value_bytes"}},
		"duplicate": {
			open,
			{"POST", "a", "x", by("p", "0", "0"), 200, nil, ""},
			{"POST", "a", "y", by("p", "0", "1"), 200, nil, ""},
			{"POST", "a", "x", by("p", "0", "0"), 204, []string{"Producer-Epoch: 0", "Producer-Seq: 1", "Stream-Next-Offset: " + token(2)}, ""},
			{"GET", "a", "", nil, 200, nil, "xy"},
		},
		"gap":                     {open, {"POST", "a", "x", by("p", "0", "0"), 200, nil, ""}, {"POST", "a", "z", by("p", "0", "5"), 409, []string{"Producer-Expected-Seq: 1", "Producer-Received-Seq: 5", "Stream-Closed: -"}, "expected 1"}},
		"stale":                   {open, {"POST", "a", "x", by("p", "3", "0"), 200, nil, ""}, {"POST", "a", "z", by("p", "2", "0"), 403, []string{"Producer-Epoch: 3"}, "fenced"}},
		"new epoch in the middle": {open, {"POST", "a", "x", by("p", "0", "0"), 200, nil, ""}, {"POST", "a", "z", by("p", "1", "1"), 400, nil, "Producer-Seq 0"}},
		"close": {
			open,
			{"POST", "a", "", []string{closes}, 204, []string{"Stream-Closed: true", "Stream-Next-Offset: " + token(0)}, ""},
			{"POST", "a", "", []string{closes, asJSON}, 204, []string{"Stream-Closed: true"}, ""},
			{"POST", "a", "x", []string{asJSON}, 409, []string{"Stream-Closed: true", "Stream-Next-Offset: " + token(0)}, "closed"},
			{"POST", "a", "x", []string{asText, closes}, 409, []string{"Stream-Closed: true"}, "closed"},
		},
		"append and close by a producer": {
			open,
			{"POST", "a", "x", by("p", "0", "0", closes), 200, []string{"Stream-Closed: true", "Producer-Seq: 0"}, ""},
			{"POST", "a", "other", by("p", "0", "0", closes), 204, []string{"Stream-Closed: true", "Stream-Next-Offset: " + token(1)}, ""},
			{"POST", "a", "x", by("p", "0", "1"), 409, []string{"Stream-Closed: true"}, "closed"},
			{"GET", "a", "", nil, 200, nil, "x"},
		},
		"close by a producer": {
			open,
			{"POST", "a", "", by("p", "0", "0", closes), 204, []string{"Stream-Closed: true", "Producer-Epoch: 0", "Producer-Seq: 0"}, ""},
			{"POST", "a", "", by("p", "0", "0", closes), 204, []string{"Stream-Closed: true"}, ""},
			{"POST", "a", "", by("q", "0", "0", closes), 409, []string{"Stream-Closed: true"}, "closed"},
		},
		"stream seq": {
			open,
			{"POST", "a", "x", []string{asText, "Stream-Seq: 2"}, 204, nil, ""},
			{"POST", "a", "y", []string{asText, "Stream-Seq: 10"}, 409, []string{"Stream-Closed: -"}, "Stream-Seq"},
			{"POST", "a", "y", []string{asText, "Stream-Seq: "}, 400, nil, "Stream-Seq"},
			{"POST", "a", "y", []string{asText, "Stream-Seq: 3", "Stream-Seq: 4"}, 400, nil, "Stream-Seq"},
			{"GET", "a", "", nil, 200, nil, "x"},
		},
		"JSON": {
			{"PUT", "a", "", []string{asJSON}, 201, nil, ""},
			{"POST", "a", "[[1,2]]", []string{asJSON}, 204, []string{"Stream-Next-Offset: " + token(1)}, ""},
			{"POST", "a", "[]", []string{asJSON}, 400, nil, "[]"},
			{"POST", "a", "\xef\xbb\xbf1", []string{asJSON}, 400, nil, "byte order mark"},
			{"POST", "a", "[1,", []string{asJSON}, 400, nil, "byte 3"},
			{"GET", "a", "", nil, 200, nil, "[[1,2]]"},
		},
		"the registry": {{"POST", "__registry__", "1", []string{asJSON}, 403, nil, "system"}, {"DELETE", "__registry__", "", nil, 403, nil, "system"}},
		"delete": {
			open,
			{"DELETE", "a", "", nil, 204, nil, ""},
			{"DELETE", "a", "", nil, 404, nil, "no stream"},
			{"PUT", "a", "", []string{asJSON}, 201, []string{"Stream-Next-Offset: 0000000000000001_0000000000000000"}, ""},
		},
	} {
		t.Run(name, func(t *testing.T) { newTestServer(t).run(t, exchanges) })
	}
}

func TestBodyLimits(t *testing.T) {
	s := newTestServer(t, func(o *Options) {
		o.Limits.BodyBytes, o.Limits.MessagesPerAppend, o.Limits.JSONDepth, o.Limits.PathBytes = 10, 3, 2, 8
	})
	s.run(t, []exchange{
		{"PUT", "a", "", []string{asText}, 201, nil, ""},
		{"POST", "a", "0123456789", []string{asText}, 204, nil, ""},
		{"POST", "a", "0123456789x", []string{asText}, 413, nil, "max_body_bytes"},
		{"PUT", "b", "0123456789x", []string{asText}, 413, nil, "max_body_bytes"},
		{"GET", "b", "", nil, 404, nil, ""},
		{"PUT", "j", "", []string{asJSON}, 201, nil, ""},
		{"POST", "j", "[1,2,3]", []string{asJSON}, 204, nil, ""},
		{"POST", "j", "[1,2,3,4]", []string{asJSON}, 413, nil, "max_messages_per_append"},
		{"POST", "j", "[[[1]]]", []string{asJSON}, 400, nil, "max_json_depth"},
		{"PUT", "12345678", "", nil, 201, nil, ""},
		{"PUT", "123456789", "", nil, 414, nil, "max_path_bytes"},
	})
	// The same without a length, as chunked bodies come.
	for body, want := range map[string]int{"0123456789": 204, "0123456789x": 413} {
		r := newRequest("POST", "a", body, asText)
		r.ContentLength = -1
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("chunked body of %d bytes: %d", len(body), w.Code)
		}
	}
	if got := bodyOf(s.do("GET", "a", "")); got != "01234567890123456789" {
		t.Errorf("content %q", got)
	}
}

// A body that breaks off must not be appended, whatever its framing.
func TestTruncatedBody(t *testing.T) {
	s := newTestServer(t)
	s.create("a", "text/plain")
	for _, length := range []int64{-1, 100, 2 << 20} {
		r := newRequest("POST", "a", "x", asText)
		r.Body = http.MaxBytesReader(nil, brokenBody{}, 1<<30)
		r.ContentLength = length
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != 400 {
			t.Errorf("length %d: status %d", length, w.Code)
		}
	}
	if got := bodyOf(s.do("GET", "a", "")); got != "" {
		t.Errorf("content %q", got)
	}
}

// brokenBody gives a few bytes and then fails as net/http does when the
// connection is lost.
type brokenBody struct{}

func (brokenBody) Read(p []byte) (int, error) { return copy(p, "part"), io.ErrUnexpectedEOF }
func (brokenBody) Close() error               { return nil }
