package server

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"tailrace/backend/protocol"
)

func TestHostPolicy(t *testing.T) {
	hosts := func(o *Options) { o.Hosts = []string{"Streams.test", "192.168.1.7", "[fd00::1]"} }
	wide := func(o *Options) { o.AnyAddress = true }
	tests := map[string]struct {
		change  func(*Options)
		yes, no []string
	}{
		"loopback": {nil, []string{
			"127.0.0.1:4437", "127.0.0.1", "127.9.9.9:1", "localhost:4437", "LOCALHOST", "app.localhost:4437", "a.b.localhost", "[::1]:4437", "[::1]",
		}, []string{
			"evil.test", "evil.test:4437", "localhost.evil.test", "127.0.0.1.evil.test", "127.0.0.1.nip.io", "notlocalhost", "localhost.",
			"0.0.0.0:4437", "[::]:4437", "192.168.1.7", "169.254.169.254", "2130706433", "0x7f000001", "127.1", "", "evil.test:127.0.0.1", "localhost:1:2",
			"evil.test/x.localhost", "evil.test?.localhost", "evil.test#.localhost", "evil.test@a.localhost", `evil.test\a.localhost`, "a b.localhost",
			"localhost:80@evil.test", "localhost:http", "localhost:-1", "[127.0.0.1", "[::1]]", "[[::1]]", "%61.localhost",
		}},
		"configured":      {hosts, []string{"streams.test", "STREAMS.test:4437", "192.168.1.7:4437", "[fd00::1]:1", "localhost"}, []string{"evil.test", "a.streams.test", "192.168.1.8", "[fd00::2]"}},
		"every interface": {wide, []string{"192.168.1.7:4437", "10.0.0.1", "[fd00::1]:4437", "localhost"}, []string{"evil.test", "box.lan", "10.0.0.1.evil.test"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, tt.change)
			for _, host := range tt.yes {
				if w := send(s, "GET", "/healthz", "", "Host", host); w.Code != http.StatusOK {
					t.Errorf("Host %q: %d %s", host, w.Code, w.Body)
				}
			}
			for _, host := range tt.no {
				for _, method := range []string{"GET", "POST", "OPTIONS"} {
					w := send(s, method, "/healthz", "", "Host", host)
					if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "HOST_NOT_ALLOWED") {
						t.Errorf("%s with Host %q: %d %s", method, host, w.Code, w.Body)
					}
				}
			}
		})
	}
}

// TestPages goes through what web pages can make a browser send.
func TestPages(t *testing.T) {
	usual := func(o *Options) { o.CORSOrigins = []string{"https://app.test"} }
	long := func(o *Options) { o.CORSOrigins = []string{"https://App.test:443"} }
	all := func(o *Options) { o.CORSOrigins = []string{"*"} }
	hosted := func(o *Options) { o.Hosts = []string{"streams.test"} }
	const evil, friend = "https://evil.test", "https://app.test"
	fetch := []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}
	tests := map[string]struct {
		change  func(*Options)
		headers []string
		read    bool   // GET is answered
		write   bool   // POST is
		grant   string // Access-Control-Allow-Origin
	}{
		"a program":                {usual, nil, true, true, ""},
		"the address bar":          {usual, []string{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, true, true, ""},
		"the page itself":          {usual, append([]string{"Sec-Fetch-Site", "same-origin"}, fetch...), true, true, ""},
		"a loopback page":          {usual, append([]string{"Origin", "http://localhost:3000", "Sec-Fetch-Site", "same-site"}, fetch...), true, true, "http://localhost:3000"},
		"a page by address":        {usual, append([]string{"Origin", "http://127.0.0.1:3000", "Sec-Fetch-Site", "cross-site"}, fetch...), true, true, "http://127.0.0.1:3000"},
		"a page by IPv6 address":   {usual, []string{"Origin", "http://[::1]:3000"}, true, true, "http://[::1]:3000"},
		"a page of *.localhost":    {usual, []string{"Origin", "https://app.localhost"}, true, true, "https://app.localhost"},
		"a configured page":        {usual, append([]string{"Origin", friend, "Sec-Fetch-Site", "cross-site"}, fetch...), true, true, friend},
		"one with an implied port": {long, []string{"Origin", friend}, true, true, friend},
		"another port":             {usual, []string{"Origin", friend + ":444"}, false, false, ""},
		"another scheme":           {usual, []string{"Origin", "http://app.test"}, false, false, ""},
		"a foreign page":           {usual, append([]string{"Origin", evil, "Sec-Fetch-Site", "cross-site"}, fetch...), false, false, ""},
		"a foreign page, old":      {usual, []string{"Origin", evil}, false, false, ""},
		"any page when all may":    {all, append([]string{"Origin", evil, "Sec-Fetch-Site", "cross-site"}, fetch...), true, true, evil},
		"a sandboxed frame":        {usual, append([]string{"Origin", "null", "Sec-Fetch-Site", "cross-site"}, fetch...), false, false, ""},
		"a lookalike name":         {usual, []string{"Origin", "http://localhost.evil.test"}, false, false, ""},
		"a lookalike address":      {usual, []string{"Origin", "http://127.0.0.1.evil.test"}, false, false, ""},
		"a name in the user part":  {usual, []string{"Origin", "http://localhost@evil.test"}, false, false, ""},
		"a file":                   {usual, []string{"Origin", "file://"}, false, false, ""},
		"an extension":             {usual, []string{"Origin", "chrome-extension://localhost"}, false, false, ""},

		"a foreign image":                 {usual, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, false, false, ""},
		"a foreign script":                {usual, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "script", "Referer", evil + "/"}, false, false, ""},
		"a foreign frame":                 {usual, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, false, false, ""},
		"a foreign link":                  {usual, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Referer", evil + "/"}, false, false, ""},
		"a link of a loopback page":       {usual, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Referer", "http://localhost:3000/"}, true, false, ""},
		"an image of a loopback page":     {usual, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image", "Referer", "http://localhost:3000/"}, true, false, ""},
		"an image of the same machine":    {usual, []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, true, true, ""},
		"an image of a configured page":   {usual, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image", "Referer", friend + "/"}, true, false, ""},
		"an image when all may":           {all, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, true, true, ""},
		"a neighbour of a configured one": {hosted, []string{"Host", "streams.test", "Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, false, false, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, tt.change)
			if w := send(s, "PUT", "/v1/stream/a", "", "Content-Type", "text/plain"); w.Code != http.StatusCreated {
				t.Fatalf("create: %d", w.Code)
			}
			for method, allowed := range map[string]bool{"GET": tt.read, "HEAD": tt.read, "POST": tt.write, "PUT": tt.write, "DELETE": tt.write} {
				path := "/v1/stream/a"
				if method == "DELETE" {
					path = "/v1/stream/missing"
				}
				w := send(s, method, path, "x", append([]string{"Content-Type", "text/plain"}, tt.headers...)...)
				if refused := w.Code == http.StatusForbidden; refused == allowed {
					t.Errorf("%s: %d %s", method, w.Code, w.Body)
				}
				if got := w.Header().Get("Access-Control-Allow-Origin"); got != tt.grant {
					t.Errorf("%s: Access-Control-Allow-Origin is %q, want %q", method, got, tt.grant)
				}
			}
		})
	}
}

func TestForeignLinksToTheFrontPage(t *testing.T) {
	s := newServer(t, nil)
	for dest, status := range map[string]int{"document": 200, "iframe": 403, "embed": 403, "object": 403} {
		w := send(s, "GET", "/", "", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", dest)
		if w.Code != status {
			t.Errorf("as %s: %d, want %d", dest, w.Code, status)
		}
	}
}

func TestPreflight(t *testing.T) {
	s := newServer(t, nil)
	ask := func(origin string) http.Header {
		w := send(s, "OPTIONS", "/v1/stream/missing", "", "Origin", origin, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors",
			"Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "authorization", "Access-Control-Request-Private-Network", "true")
		if w.Code != http.StatusNoContent {
			t.Errorf("preflight of %s: %d", origin, w.Code)
		}
		return w.Header()
	}
	for _, name := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Private-Network"} {
		if got := ask("http://localhost:3000").Get(name); got == "" {
			t.Errorf("a loopback page is not granted %s", name)
		}
		if got := ask("https://evil.test").Get(name); got != "" {
			t.Errorf("a foreign page is granted %s: %s", name, got)
		}
	}
	// Every header of the protocol is one that a page may send or see.
	h := ask("http://localhost:3000")
	allowed := strings.Split(h.Get("Access-Control-Allow-Headers"), ", ")
	exposed := strings.Split(h.Get("Access-Control-Expose-Headers"), ", ")
	for _, name := range []string{
		protocol.HeaderStreamSeq, protocol.HeaderStreamTTL, protocol.HeaderStreamExpiresAt, protocol.HeaderStreamClosed,
		protocol.HeaderStreamForkedFrom, protocol.HeaderStreamForkOffset, protocol.HeaderStreamForkSubOffset,
		protocol.HeaderProducerID, protocol.HeaderProducerEpoch, protocol.HeaderProducerSeq,
		"Content-Type", "Authorization", "If-None-Match", "Last-Event-ID",
	} {
		if !slices.Contains(allowed, name) {
			t.Errorf("pages may not send %s", name)
		}
	}
	for _, name := range []string{
		protocol.HeaderStreamNextOffset, protocol.HeaderStreamCursor, protocol.HeaderStreamUpToDate, protocol.HeaderStreamClosed,
		protocol.HeaderStreamTTL, protocol.HeaderStreamExpiresAt, protocol.HeaderStreamSSEDataEncoding,
		protocol.HeaderProducerEpoch, protocol.HeaderProducerSeq, protocol.HeaderProducerExpectedSeq, protocol.HeaderProducerReceivedSeq,
		"ETag", "Location", "Retry-After", "WWW-Authenticate",
	} {
		if !slices.Contains(exposed, name) {
			t.Errorf("pages may not see %s", name)
		}
	}
	for _, method := range []string{"GET", "HEAD", "PUT", "POST", "DELETE"} {
		if !strings.Contains(h.Get("Access-Control-Allow-Methods"), method) {
			t.Errorf("pages may not use %s", method)
		}
	}
}

// TestEveryAnswerIsGuarded: a stream opened in the browser must not run as a
// page of the server, whatever its content.
func TestEveryAnswerIsGuarded(t *testing.T) {
	s := newServer(t, func(o *Options) { o.Tokens = tokensForTest() })
	for _, headers := range [][]string{
		{"Authorization", "Bearer secret-full-all"}, {}, {"Host", "evil.test"}, {"Origin", "https://evil.test"},
	} {
		for _, method := range []string{"PUT", "GET", "POST", "OPTIONS", "DELETE", "PATCH"} {
			w := send(s, method, "/v1/stream/a", "<script>", append([]string{"Content-Type", "text/html"}, headers...)...)
			for name, want := range map[string]string{
				"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
				"Cross-Origin-Resource-Policy": "same-site",
			} {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s with %v: %s is %q", method, headers, name, got)
				}
			}
		}
	}
}

func TestExposedHeaders(t *testing.T) {
	s := newTestServer(t)
	s.create("a", "text/plain", "Stream-TTL: 60")
	exposed := strings.ToLower(header(s.must("GET", "a", "", "Origin: http://localhost").Header, "Access-Control-Expose-Headers"))
	for _, name := range []string{
		"etag", "location", protocol.HeaderStreamNextOffset, protocol.HeaderStreamCursor, protocol.HeaderStreamUpToDate, protocol.HeaderStreamClosed,
		protocol.HeaderStreamTTL, protocol.HeaderStreamExpiresAt, protocol.HeaderProducerEpoch, protocol.HeaderProducerSeq,
		protocol.HeaderProducerExpectedSeq, protocol.HeaderProducerReceivedSeq, protocol.HeaderStreamSSEDataEncoding,
	} {
		if !strings.Contains(exposed, strings.ToLower(name)) {
			t.Errorf("%s is not exposed: %s", name, exposed)
		}
	}
	bad := s.do("POST", "a", "x", asText, "Origin: http://localhost", "Producer-Id: p")
	if bad.StatusCode != 400 || header(bad.Header, "Access-Control-Allow-Origin") != "http://localhost" {
		t.Errorf("an error is not readable for the page: %d, %v", bad.StatusCode, bad.Header)
	}
}
