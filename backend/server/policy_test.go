package server

import (
	"net/http"
	"strings"
	"testing"

	"tailrace/backend/protocol"
)

func TestHostPolicy(t *testing.T) {
	s := newTestServer(t, func(o *Options) { o.Hosts = []string{"Dev.Example"} })
	for host, want := range map[string]int{
		"localhost": 200, "localhost:4437": 200, "LOCALHOST:1": 200, "a.localhost:4437": 200, "127.0.0.1:4437": 200, "127.9.9.9": 200,
		"[::1]:4437": 200, "[::1]": 200, "dev.example": 200, "DEV.example:4437": 200,
		"": 403, "evil.example": 403, "evil.example:4437": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example": 403,
		"notlocalhost": 403, "dev.example.evil": 403, "sub.dev.example": 403, "192.168.1.1:4437": 403, "0.0.0.0": 403, "[::]:4437": 403, "localhost:4437:x": 403,
	} {
		resp := s.do("GET", "/healthz", "", "Host: "+host)
		if resp.StatusCode != want {
			t.Errorf("Host %q: %d, want %d", host, resp.StatusCode, want)
		}
		checkAlways(t, host, resp)
	}
	s.run(t, []exchange{
		{"PUT", "a", "", []string{"Host: evil.example"}, 403, nil, "Host"},
		{"OPTIONS", "a", "", []string{"Host: evil.example"}, 403, []string{"Access-Control-Allow-Methods: -"}, "Host"},
	})
}

func TestOriginPolicy(t *testing.T) {
	const mine = "https://App.Example"
	type answer struct{ read, write, grant bool }
	for _, tt := range []struct {
		name    string
		origins []string
		headers []string
		want    answer
	}{
		{"curl", nil, nil, answer{true, true, false}},
		{"local page", nil, []string{"Origin: http://localhost:3000"}, answer{true, true, true}},
		{"local page by address", nil, []string{"Origin: http://127.0.0.1:8080"}, answer{true, true, true}},
		{"local page by IPv6 address", nil, []string{"Origin: http://[::1]:8080"}, answer{true, true, true}},
		{"local page, https, subdomain", nil, []string{"Origin: https://x.localhost"}, answer{true, true, true}},
		{"foreign page", nil, []string{"Origin: https://evil.example"}, answer{true, false, false}},
		{"foreign page that sounds local", nil, []string{"Origin: http://localhost.evil.example"}, answer{true, false, false}},
		{"foreign page with local user", nil, []string{"Origin: http://localhost@evil.example"}, answer{true, false, false}},
		{"sandboxed page", nil, []string{"Origin: null"}, answer{true, false, false}},
		{"a file", nil, []string{"Origin: file://"}, answer{true, false, false}},
		{"other scheme", nil, []string{"Origin: ftp://localhost"}, answer{true, false, false}},
		{"private network", nil, []string{"Origin: http://192.168.1.1"}, answer{true, false, false}},
		{"configured", []string{"https://app.example"}, []string{"Origin: " + mine}, answer{true, true, true}},
		{"configured, other scheme", []string{"https://app.example"}, []string{"Origin: http://app.example"}, answer{true, false, false}},
		{"configured, other port", []string{"https://app.example"}, []string{"Origin: https://app.example:444"}, answer{true, false, false}},
		{"any", []string{"*"}, []string{"Origin: https://evil.example"}, answer{true, true, true}},
		{"form of a foreign page without Origin", nil, []string{"Sec-Fetch-Site: cross-site"}, answer{true, false, false}},
		{"form of a foreign page, any allowed", []string{"*"}, []string{"Sec-Fetch-Site: cross-site"}, answer{true, true, false}},
		{"address bar", nil, []string{"Sec-Fetch-Site: none"}, answer{true, true, false}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newTestServer(t, func(o *Options) { o.CORSOrigins = tt.origins })
			s.create("a", "text/plain")
			read := s.do("GET", "a", "", tt.headers...)
			write := s.do("POST", "a", "x", append(tt.headers, asText)...)
			remove := s.do("DELETE", "a", "", tt.headers...)
			got := answer{read.StatusCode == 200, write.StatusCode == 204, header(read.Header, "Access-Control-Allow-Origin") != "-"}
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if (remove.StatusCode == 204) != tt.want.write {
				t.Errorf("DELETE: %d", remove.StatusCode)
			}
			for _, resp := range []*http.Response{read, write} {
				if grant := header(resp.Header, "Access-Control-Allow-Origin"); grant != "-" && "Origin: "+grant != tt.headers[0] {
					t.Errorf("granted to %q", grant)
				}
				if header(resp.Header, "Vary") != "Origin" {
					t.Errorf("Vary is %q", header(resp.Header, "Vary"))
				}
				if header(resp.Header, "Access-Control-Allow-Credentials") != "-" {
					t.Error("credentials are allowed")
				}
			}
		})
	}
}

func TestPreflight(t *testing.T) {
	s := newTestServer(t)
	resp := s.must("OPTIONS", "none", "", "Origin: http://localhost:3000", "Access-Control-Request-Private-Network: true")
	allowed := strings.ToLower(header(resp.Header, "Access-Control-Allow-Headers"))
	for _, name := range []string{
		"content-type", "authorization", "if-none-match", protocol.HeaderStreamSeq, protocol.HeaderStreamTTL, protocol.HeaderStreamExpiresAt,
		protocol.HeaderStreamClosed, protocol.HeaderProducerID, protocol.HeaderProducerEpoch, protocol.HeaderProducerSeq,
		protocol.HeaderStreamForkedFrom, protocol.HeaderStreamForkOffset, protocol.HeaderStreamForkSubOffset,
	} {
		if !strings.Contains(allowed, strings.ToLower(name)) {
			t.Errorf("%s is not allowed: %s", name, allowed)
		}
	}
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin": "http://localhost:3000", "Access-Control-Allow-Private-Network": "true", "Access-Control-Max-Age": "600",
	} {
		if got := header(resp.Header, name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	foreign := s.must("OPTIONS", "none", "", "Origin: https://evil.example", "Access-Control-Request-Private-Network: true")
	for _, name := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Private-Network"} {
		if got := header(foreign.Header, name); got != "-" {
			t.Errorf("a foreign page gets %s: %s", name, got)
		}
	}
}

// Scripts see only the response headers that are exposed to them.
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
