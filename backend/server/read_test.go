package server

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestGet(t *testing.T) {
	s := newTestServer(t)
	s.create("text", "text/plain; charset=utf-8")
	s.post("text", "text/plain", "hello")
	s.create("json", "application/json; charset=utf-8")
	s.post("json", "application/json", `[{"a": 1.0},2]`)
	s.create("empty", "image/png")
	s.create("closed", "text/plain")
	s.post("closed", "text/plain", "bye", closes)
	s.create("again", "text/plain")
	s.post("again", "text/plain", "old")
	s.must("DELETE", "again", "")
	s.create("again", "text/plain")
	s.post("again", "text/plain", "new!")
	now := "?offset=now"
	at := func(n int64) string { return "?offset=" + token(n) }
	s.run(t, []exchange{
		{"GET", "text", "", nil, 200, []string{"Content-Type: text/plain; charset=utf-8", "Content-Length: 5", "Stream-Next-Offset: " + token(5), "Stream-Up-To-Date: true", "Stream-Closed: -", "Cache-Control: no-store"}, "hello"},
		{"GET", "text?offset=-1", "", nil, 200, nil, "hello"},
		{"GET", "text" + at(0), "", nil, 200, nil, "hello"},
		{"GET", "text" + at(2), "", nil, 200, []string{"Stream-Next-Offset: " + token(5)}, "llo"},
		{"GET", "text" + at(5), "", nil, 200, []string{"Stream-Next-Offset: " + token(5), "Stream-Up-To-Date: true", "Content-Length: 0"}, ""},
		{"GET", "text" + now, "", nil, 200, []string{"Stream-Next-Offset: " + token(5), "Stream-Up-To-Date: true", "Cache-Control: no-store", "ETag: -"}, ""},
		{"GET", "text?unknown=1&rk=x", "", nil, 200, nil, "hello"},

		{"GET", "json", "", nil, 200, []string{"Content-Type: application/json", "Stream-Next-Offset: " + token(2)}, `[{"a": 1.0},2]`},
		{"GET", "json" + at(1), "", nil, 200, nil, "[2]"},
		{"GET", "json" + at(2), "", nil, 200, []string{"Content-Length: 2"}, "[]"},
		{"GET", "json" + now, "", nil, 200, nil, "[]"},

		{"GET", "empty", "", nil, 200, []string{"Content-Type: image/png", "Stream-Next-Offset: " + token(0), "Stream-Up-To-Date: true"}, ""},
		{"HEAD", "empty", "", nil, 200, []string{"Stream-Next-Offset: " + token(0), "Cache-Control: no-store"}, ""},

		{"GET", "closed", "", nil, 200, []string{"Stream-Closed: true", "Stream-Up-To-Date: true"}, "bye"},
		{"GET", "closed" + at(3), "", nil, 200, []string{"Stream-Closed: true"}, ""},
		{"GET", "closed" + now, "", nil, 200, []string{"Stream-Closed: true", "Stream-Up-To-Date: true", "Stream-Next-Offset: " + token(3)}, ""},
		{"HEAD", "closed", "", nil, 200, []string{"Stream-Closed: true", "Stream-Next-Offset: " + token(3)}, ""},

		{"GET", "again", "", nil, 200, []string{"Stream-Next-Offset: 0000000000000001_0000000000000004"}, "new!"},
		{"GET", "again" + at(0), "", nil, 200, nil, "new!"},
		{"GET", "again" + at(3), "", nil, 410, nil, "deleted"},
		{"GET", "again?offset=0000000000000001_0000000000000003", "", nil, 200, nil, "!"},
		{"GET", "again?offset=0000000000000002_0000000000000000", "", nil, 400, nil, "offset"},

		{"GET", "text?offset=", "", nil, 400, nil, "offset"},
		{"GET", "text?offset=-2", "", nil, 400, nil, "offset"},
		{"GET", "text" + at(6), "", nil, 400, nil, "beyond the end"},
		{"GET", "text?offset=9999999999999999_9999999999999999", "", nil, 400, nil, "offset"},
		{"GET", "text?offset=-1&offset=-1", "", nil, 400, nil, "offset"},
		{"GET", "text?offset=0_0;x", "", nil, 400, nil, "query"},
		{"GET", "text?offset=%zz", "", nil, 400, nil, "query"},
		{"GET", "text?live=long-poll", "", nil, 400, nil, "offset"},
		{"GET", "text?live=sse", "", nil, 400, nil, "offset"},
		{"GET", "text?live=", "", nil, 400, nil, "live"},
		{"GET", "text?offset=-1&live=websocket", "", nil, 400, nil, "live"},
		{"GET", "text?cursor=1&cursor=2", "", nil, 400, nil, "cursor"},
		{"GET", "none?offset=x&offset=y", "", nil, 404, nil, "no stream"},
		{"GET", "none?offset=-1&live=sse", "", nil, 404, nil, "no stream"},
		{"GET", "none?offset=-1&live=long-poll", "", nil, 404, nil, "no stream"},
		{"HEAD", "none", "", nil, 404, []string{"Content-Type: application/json"}, ""},
	})
}

func TestRouting(t *testing.T) {
	newTestServer(t).run(t, []exchange{
		{"GET", "/v1/stream/", "", nil, 400, nil, "path"},
		{"GET", "/v1/stream", "", nil, 404, nil, "/v1/stream/"},
		{"GET", "/nothing", "", nil, 404, nil, "/v1/stream/"},
		{"GET", "/v1/stream/a//b", "", nil, 400, nil, "path"},
		{"GET", "/v1/stream/a/../b", "", nil, 400, nil, "path"},
		{"PUT", "/v1/stream/%2e%2e/b", "", nil, 400, nil, "path"},
		{"PUT", "/v1/stream/a%00b", "", nil, 400, nil, "path"},
		{"PUT", "/v1/stream/docs/.index", "", nil, 201, nil, ""},
		{"PUT", "/v1/stream/a%2Fb", "", nil, 201, nil, ""},
		{"PUT", "/v1/stream/a/b", "", nil, 200, nil, ""},
		{"GET", "/v1/stream/__ds/none", "", nil, 404, nil, "live under"},
		{"PUT", "/v1/stream/__ds", "", nil, 404, nil, "live under"},
		{"PUT", "/v1/stream/%5F%5Fds%2Fx", "", nil, 404, nil, "live under"},
		{"PUT", "/v1/stream/f", "", []string{"Stream-Forked-From: docs/.index"}, 400, nil, "Stream-Forked-From"},
		{"PUT", "/v1/stream/f", "", []string{"Stream-Fork-Sub-Offset: "}, 400, nil, "Stream-Forked-From"},
		{"PATCH", "/v1/stream/a", "", nil, 405, []string{"Allow: GET, HEAD, PUT, POST, DELETE, OPTIONS"}, "method"},
		{"POST", "/healthz", "", nil, 405, []string{"Allow: GET, HEAD, OPTIONS"}, "method"},
		{"GET", "/healthz", "", nil, 200, []string{"Content-Type: application/json"}, "{\"live\":true,\"ready\":true}\n"},
		{"OPTIONS", "/v1/stream/none", "", nil, 204, []string{"Access-Control-Allow-Methods: GET, HEAD, PUT, POST, DELETE, OPTIONS"}, ""},
	})
	s := newTestServer(t)
	if body := bodyOf(s.must("GET", "/", "")); !strings.Contains(body, "http://localhost:4437/v1/stream/") || !strings.Contains(body, "1.2.3") {
		t.Errorf("the page at / says %q", body)
	}
}

func TestETag(t *testing.T) {
	s := newTestServer(t)
	s.create("a", "text/plain")
	s.post("a", "text/plain", "x")
	etag := func(path string) string { return header(s.must("GET", path, "").Header, "ETag") }
	first := etag("a")
	if first == "-" || header(s.must("HEAD", "a", "").Header, "ETag") != first {
		t.Fatalf("GET says %q, HEAD another", first)
	}
	for _, h := range []string{first, "W/" + first, `"other", ` + first, "*"} {
		s.run(t, []exchange{{"GET", "a", "", []string{"If-None-Match: " + h}, 304, []string{"ETag: " + first, "Stream-Next-Offset: " + token(1), "Stream-Up-To-Date: true"}, ""}})
	}
	s.run(t, []exchange{
		{"GET", "a", "", []string{"If-None-Match: \"other\"", "If-None-Match: " + first}, 304, nil, ""},
		{"HEAD", "a", "", []string{"If-None-Match: " + first}, 304, []string{"ETag: " + first, "Stream-Next-Offset: " + token(1)}, ""},
		{"HEAD", "a", "", []string{`If-None-Match: "other"`}, 200, []string{"ETag: " + first}, ""},
		{"GET", "a", "", []string{`If-None-Match: "other"`}, 200, nil, "x"},
		{"GET", "a", "", []string{"If-None-Match: "}, 200, nil, "x"},
		{"GET", "a?offset=now", "", []string{"If-None-Match: *"}, 200, []string{"ETag: -"}, ""},
		{"GET", "a?offset=-1&live=long-poll", "", []string{"If-None-Match: *"}, 200, nil, "x"},
	})
	seen := map[string]bool{first: true}
	for _, change := range []func() string{
		func() string { s.post("a", "text/plain", "y"); return "a" },
		func() string { return "a?offset=" + token(1) },
		func() string { return "a?offset=" + token(2) },
		func() string { s.must("POST", "a", "", closes); return "a" },
		func() string { return "a?offset=" + token(2) },
		func() string {
			s.must("DELETE", "a", "")
			s.create("a", "text/plain")
			s.post("a", "text/plain", "x")
			return "a"
		},
	} {
		e := etag(change())
		if seen[e] {
			t.Errorf("ETag %s again", e)
		}
		seen[e] = true
	}
}

func TestETagChangesWithClosure(t *testing.T) {
	s := newTestServer(t)
	s.create("a", "text/plain")
	s.post("a", "text/plain", "x")
	first := header(s.must("GET", "a", "").Header, "ETag")
	s.must("POST", "a", "", closes)
	s.run(t, []exchange{{"GET", "a", "", []string{"If-None-Match: " + first}, 200, []string{"Stream-Closed: true"}, "x"}})
	second := header(s.must("GET", "a", "").Header, "ETag")
	s.run(t, []exchange{{"GET", "a", "", []string{"If-None-Match: " + second}, 304, []string{"Stream-Closed: true"}, ""}})
	s.must("DELETE", "a", "")
	s.create("a", "text/plain")
	s.post("a", "text/plain", "x", closes)
	s.run(t, []exchange{{"GET", "a", "", []string{"If-None-Match: " + second}, 200, nil, "x"}})
}

// Large streams come in chunks that end between messages; only the last one is up
// to date, and closed.
func TestChunks(t *testing.T) {
	s := newTestServer(t)
	s.create("json", "application/json")
	s.create("text", "text/plain")
	var want strings.Builder
	for i := range 12 {
		message := fmt.Sprintf(`"%d%s"`, i, strings.Repeat("x", 300_000))
		s.post("json", "application/json", message)
		s.post("text", "text/plain", message)
		want.WriteString(message)
	}
	s.must("POST", "json", "", closes)
	s.must("POST", "text", "", closes)
	for _, path := range []string{"json", "text"} {
		var got strings.Builder
		chunks := 0
		for offset := "-1"; ; chunks++ {
			resp := s.must("GET", path+"?offset="+offset, "")
			body := bodyOf(resp)
			if len(body) > chunkBytes+400_000 {
				t.Fatalf("%s: a chunk of %d bytes", path, len(body))
			}
			if path == "json" {
				var messages []json.RawMessage
				if err := json.Unmarshal([]byte(body), &messages); err != nil {
					t.Fatal(err)
				}
				for _, m := range messages {
					got.Write(m)
				}
			} else {
				got.WriteString(body)
			}
			offset = resp.Header.Get("Stream-Next-Offset")
			last := resp.Header.Get("Stream-Up-To-Date") == "true"
			if closed := header(resp.Header, "Stream-Closed") == "true"; closed != last {
				t.Fatalf("%s: up to date %v, closed %v", path, last, closed)
			}
			if last {
				break
			}
		}
		if chunks < 2 || got.String() != want.String() {
			t.Errorf("%s: %d chunks, content equal: %v", path, chunks+1, got.String() == want.String())
		}
	}
}

// paced counts the deadlines of an answer.
type paced struct {
	*httptest.ResponseRecorder
	deadlines int
}

func (p *paced) SetWriteDeadline(time.Time) error {
	p.deadlines++
	return nil
}

// A message that is larger than a chunk has more time than one chunk: a slow client
// would never get it.
func TestLargeMessagesHaveTimeForEachPart(t *testing.T) {
	s := newTestServer(t)
	s.create("a", "application/octet-stream")
	body := strings.Repeat("0123456789abcdef", 5<<16) // 5 MiB
	s.post("a", "application/octet-stream", body)
	w := &paced{ResponseRecorder: httptest.NewRecorder()}
	s.ServeHTTP(w, newRequest("GET", "a", ""))
	if w.Body.String() != body || w.deadlines < 5 {
		t.Errorf("%d of %d bytes with %d deadlines", w.Body.Len(), len(body), w.deadlines)
	}
}

func TestForksOfLongPaths(t *testing.T) {
	s := newTestServer(t)
	for i, path := range []string{strings.Repeat("x", 1024), strings.Repeat("%E2%82%AC", 341)} {
		s.create(path, "text/plain")
		fork := fmt.Sprint("fork", i)
		s.must("PUT", fork, "", "Stream-Forked-From: /v1/stream/"+path)
	}
	s.run(t, []exchange{{"PUT", "fork", "", []string{"Stream-Forked-From: /v1/stream/" + strings.Repeat("x", 1025)}, 414, nil, "over the limit max_path_bytes (1024)"}})
}

func TestCacheControlOption(t *testing.T) {
	const public = "public, max-age=60, stale-while-revalidate=300"
	s := newTestServer(t, func(o *Options) { o.CacheControl = public })
	s.create("a", "text/plain")
	s.post("a", "text/plain", "x")
	s.run(t, []exchange{
		{"GET", "a", "", nil, 200, []string{"Cache-Control: " + public}, "x"},
		{"GET", "a?offset=now", "", nil, 200, []string{"Cache-Control: no-store"}, ""},
		{"HEAD", "a", "", nil, 200, []string{"Cache-Control: no-store"}, ""},
		{"GET", "a?offset=-1&live=long-poll", "", nil, 200, []string{"Cache-Control: " + public}, "x"},
	})
}
