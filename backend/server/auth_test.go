package server

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tailrace/backend/access"
)

// tokensForTest are named by what they allow; the secret of each is its name
// behind "secret-".
func tokensForTest() []access.Token {
	var tokens []access.Token
	for _, level := range []access.Level{access.Read, access.Append, access.Full} {
		for name, paths := range map[string][]string{
			"all": nil, "orders": {"orders/**"}, "star": {"*"}, "two": {"orders/*", "logs"},
		} {
			name = level.String() + "-" + name
			tokens = append(tokens, access.Token{Name: name, Level: level, Paths: paths, Hash: access.HashOf("secret-" + name)})
		}
	}
	return tokens
}

// challenge is the WWW-Authenticate of an answer, which keeps its spelling.
func challenge(h http.Header) string {
	for name, values := range h {
		if name == "WWW-Authenticate" {
			return strings.Join(values, "; ")
		}
	}
	return ""
}

func guarded(t *testing.T) *Server {
	t.Helper()
	s := newServer(t, func(o *Options) { o.Tokens = tokensForTest() })
	for _, path := range []string{"orders/eu", "secret/plan", "top"} {
		w := send(s, "PUT", "/v1/stream/"+path, "", "Content-Type", "text/plain", "Authorization", "Bearer secret-full-all")
		if w.Code != http.StatusCreated {
			t.Fatalf("create %s: %d %s", path, w.Code, w.Body)
		}
	}
	return s
}

// TestAuthTable checks every level, kind of glob, method and place.
func TestAuthTable(t *testing.T) {
	s := guarded(t)
	levels := map[string]access.Level{"read": access.Read, "append": access.Append, "full": access.Full}
	methods := map[string]access.Level{
		"GET": access.Read, "HEAD": access.Read, "POST": access.Append, "PUT": access.Full, "DELETE": access.Full, "PATCH": access.Read,
	}
	// For each place, which tokens are good for it.
	places := map[string][]string{
		"/v1/stream/orders/eu":               {"all", "orders", "two"},
		"/v1/stream/orders/missing":          {"all", "orders", "two"},
		"/v1/stream/orders/a/b":              {"all", "orders"},
		"/v1/stream/orders%2Feu":             {"all", "orders", "two"},
		"/v1/stream/%6frders/eu":             {"all", "orders", "two"},
		"/v1/stream/secret/plan":             {"all"},
		"/v1/stream/secret/missing":          {"all"},
		"/v1/stream/Orders/eu":               {"all"},
		"/v1/stream/top":                     {"all", "star"},
		"/v1/stream/missing":                 {"all", "star"},
		"/v1/stream/logs":                    {"all", "star", "two"},
		"/v1/stream/__registry__":            {"all"},
		"/v1/stream/%5f_registry__":          {"all"},
		"/v1/stream/orders/eu?offset=-1&x=y": {"all", "orders", "two"},
	}
	for place, good := range places {
		for method, need := range methods {
			for level, has := range levels {
				for _, glob := range []string{"all", "orders", "star", "two"} {
					token := level + "-" + glob
					allowed := has >= need && strings.Contains(" "+strings.Join(good, " ")+" ", " "+glob+" ")
					if allowed && method == "DELETE" {
						continue // it would work; TestDeleteWithToken shows it
					}
					w := send(s, method, place, "x", "Content-Type", "text/plain", "Authorization", "Bearer secret-"+token)
					refused := w.Code == http.StatusUnauthorized ||
						w.Code == http.StatusForbidden && strings.Contains(challenge(w.Header()), "insufficient_scope")
					if refused == allowed {
						t.Errorf("%s %s with %s: %d %s", method, place, token, w.Code, w.Body)
					}
				}
			}
		}
	}
}

func TestDeleteWithToken(t *testing.T) {
	s := guarded(t)
	for _, path := range []string{"orders/eu", "top"} {
		token := map[string]string{"orders/eu": "full-orders", "top": "full-star"}[path]
		if w := send(s, "DELETE", "/v1/stream/"+path, "", "Authorization", "Bearer secret-"+token); w.Code != http.StatusNoContent {
			t.Errorf("delete %s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestAppendTokenMayClose(t *testing.T) {
	s := guarded(t)
	w := send(s, "POST", "/v1/stream/orders/eu", "", "Stream-Closed", "true", "Authorization", "Bearer secret-append-orders")
	if w.Code != http.StatusNoContent || w.Header()["Stream-Closed"] == nil {
		t.Errorf("close: %d %s", w.Code, w.Body)
	}
}

// TestControlPaths checks the reserved paths with the least token that may use
// them; 404 says that they got past the guard.
func TestControlPaths(t *testing.T) {
	s := guarded(t)
	const open, full = "nobody", "full-all"
	tests := []struct{ method, path, need string }{
		{"POST", "__ds/subscriptions/s1/callback", open},
		{"POST", "__ds/subscriptions/s1/ack", open},
		{"POST", "__ds/subscriptions/s1/release", open},
		{"POST", "__ds/subscriptions/s%201/release", open},
		{"GET", "__ds/jwks.json", open},
		{"HEAD", "__ds/jwks.json", open},

		{"POST", "__ds/jwks.json", full},
		{"GET", "__ds/jwks.json/", full},
		{"GET", "__ds/subscriptions/s1/callback", full},
		{"PUT", "__ds/subscriptions/s1/callback", full},
		{"DELETE", "__ds/subscriptions/s1/ack", full},
		{"POST", "__ds/subscriptions/s1/claim", full},
		{"POST", "__ds/subscriptions/s1/streams", full},
		{"POST", "__ds/subscriptions/s1/callback/", full},
		{"POST", "__ds/subscriptions/s1/callback/x", full},
		{"POST", "__ds/subscriptions//callback", full},
		{"POST", "__ds/subscriptions/callback", full},
		{"POST", "__ds/subscriptions/s1%2Fstreams/callback", full},
		{"POST", "__ds/subscriptions/s1%2fstreams/callback", full},
		{"POST", "__ds/subscriptions/s1%2Fcallback", full},
		{"POST", "__ds/subscriptions/s1/call%62ack", full},
		{"POST", "__ds/other/s1/callback", full},
		{"POST", "%5F_ds/subscriptions/s1/callback", full},
		{"DELETE", "__ds/subscriptions/s1/streams/callback", full},
		{"PUT", "__ds/subscriptions/s1", full},
		{"GET", "__ds/subscriptions/s1", full},
		{"PUT", "__ds%2Fsubscriptions%2Fs1", full},
		{"PUT", "__ds/subscriptions/%01", full},
		{"PUT", "__ds/subscriptions/../s1", full},
		{"GET", "__ds", full},
		{"GET", "__ds/", full},
	}
	for _, tt := range tests {
		without := send(s, tt.method, "/v1/stream/"+tt.path, "")
		// The subscription API says what it thinks of the missing token of a wake.
		passed := without.Code != http.StatusUnauthorized || strings.Contains(without.Body.String(), "TOKEN_INVALID")
		if passed != (tt.need == open) {
			t.Errorf("%s %s without a token: %d", tt.method, tt.path, without.Code)
		}
		if tt.need == open {
			continue
		}
		for _, token := range tokensForTest() {
			w := send(s, tt.method, "/v1/stream/"+tt.path, "", "Authorization", "Bearer secret-"+token.Name)
			if got := w.Code != http.StatusForbidden; got != (token.Name == full) {
				t.Errorf("%s %s with %s: %d", tt.method, tt.path, token.Name, w.Code)
			}
		}
	}
}

func TestOpenAndGuardedPlaces(t *testing.T) {
	s := guarded(t)
	tests := []struct {
		method, path, token string
		status              int
	}{
		{"GET", "/", "", 200},
		{"GET", "/healthz", "", 200},
		{"GET", "/elsewhere", "", 404},
		{"OPTIONS", "/v1/stream/orders/eu", "", 204},
		{"OPTIONS", "/metrics", "", 204},
		{"GET", "/metrics", "", 401},
		{"GET", "/metrics", "read-orders", 403},
		{"GET", "/metrics", "full-star", 403},
		{"GET", "/metrics", "read-all", 200},
		{"GET", "/v1/stream/", "", 401},
		{"GET", "/v1/stream/", "read-orders", 400},
		{"GET", "/v1/stream/a//b", "", 401},
		{"GET", "/v1/stream/a//b", "read-orders", 400},
	}
	for _, tt := range tests {
		var headers []string
		if tt.token != "" {
			headers = []string{"Authorization", "Bearer secret-" + tt.token}
		}
		if w := send(s, tt.method, tt.path, "", headers...); w.Code != tt.status {
			t.Errorf("%s %s with token %q: %d, want %d", tt.method, tt.path, tt.token, w.Code, tt.status)
		}
	}
}

func TestAuthorizationHeader(t *testing.T) {
	s := guarded(t)
	const good = "secret-read-all"
	tests := map[string]struct {
		headers   []string
		target    string
		status    int
		challenge string
	}{
		"none":                    {nil, "", 401, `Bearer realm="tailrace"`},
		"known":                   {[]string{"Authorization", "Bearer " + good}, "", 200, ""},
		"scheme in lower case":    {[]string{"Authorization", "bearer " + good}, "", 200, ""},
		"two spaces":              {[]string{"Authorization", "Bearer  " + good}, "", 200, ""},
		"unknown":                 {[]string{"Authorization", "Bearer " + good + "x"}, "", 401, `Bearer realm="tailrace", error="invalid_token"`},
		"the hash":                {[]string{"Authorization", "Bearer " + access.HashOf(good).String()}, "", 401, `Bearer realm="tailrace", error="invalid_token"`},
		"empty":                   {[]string{"Authorization", "Bearer "}, "", 401, `Bearer realm="tailrace", error="invalid_token"`},
		"no scheme":               {[]string{"Authorization", good}, "", 401, `Bearer realm="tailrace"`},
		"another scheme":          {[]string{"Authorization", "Basic " + good}, "", 401, `Bearer realm="tailrace"`},
		"two headers":             {[]string{"Authorization", "Bearer " + good, "Authorization", "Bearer " + good}, "", 401, `Bearer realm="tailrace"`},
		"in the query":            {nil, "?access_token=" + good + "&token=" + good, 401, `Bearer realm="tailrace"`},
		"in a cookie":             {[]string{"Cookie", "token=" + good}, "", 401, `Bearer realm="tailrace"`},
		"in another header":       {[]string{"X-Authorization", "Bearer " + good}, "", 401, `Bearer realm="tailrace"`},
		"in proxy authentication": {[]string{"Proxy-Authorization", "Bearer " + good}, "", 401, `Bearer realm="tailrace"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := send(s, "GET", "/v1/stream/orders/eu"+tt.target, "", tt.headers...)
			if got := challenge(w.Header()); w.Code != tt.status || got != tt.challenge {
				t.Errorf("%d with challenge %q, want %d with %q", w.Code, got, tt.status, tt.challenge)
			}
			if strings.Contains(w.Body.String(), good) {
				t.Errorf("the answer repeats the secret: %s", w.Body)
			}
		})
	}
}

// TestRefusalsTellNothing compares the whole answers about a stream that exists
// with those about one that does not.
func TestRefusalsTellNothing(t *testing.T) {
	s := guarded(t)
	type answer struct {
		Code   int
		Header http.Header
		Body   string
	}
	ask := func(method, path string, headers ...string) answer {
		w := send(s, method, path, "x", append(headers, "Content-Type", "text/plain")...)
		return answer{w.Code, maps.Clone(w.Header()), w.Body.String()}
	}
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"} {
		for _, token := range []string{"", "unknown", "read-orders", "append-two", "full-star", "full-orders"} {
			var headers []string
			if token != "" {
				headers = []string{"Authorization", "Bearer secret-" + token}
			}
			there := ask(method, "/v1/stream/secret/plan", headers...)
			missing := ask(method, "/v1/stream/secret/miss", headers...)
			if there.Code != http.StatusUnauthorized && there.Code != http.StatusForbidden {
				t.Errorf("%s with %q: %d", method, token, there.Code)
			}
			if diff := cmp.Diff(there, missing); diff != "" {
				t.Errorf("%s with %q tells whether a stream exists (-exists +missing):\n%s", method, token, diff)
			}
		}
	}
	fork := func(source string) answer {
		return ask("PUT", "/v1/stream/orders/fork", "Authorization", "Bearer secret-full-orders", "Stream-Forked-From", source)
	}
	for _, form := range []string{"/v1/stream/%s", "http://127.0.0.1:4437/v1/stream/%s"} {
		there, missing := fork(fmt.Sprintf(form, "secret/plan")), fork(fmt.Sprintf(form, "secret/miss"))
		if there.Code != http.StatusForbidden {
			t.Errorf("a fork of a stream out of reach: %d %s", there.Code, there.Body)
		}
		if diff := cmp.Diff(there, missing); diff != "" {
			t.Errorf("forking tells whether the source exists (-exists +missing):\n%s", diff)
		}
	}
}

func TestForkNeedsReadOnTheSource(t *testing.T) {
	s := guarded(t)
	tests := []struct {
		token, path, source string
		status              int
	}{
		{"full-orders", "orders/f1", "orders/eu", 201},
		{"full-all", "orders/f2", "secret/plan", 201},
		{"full-orders", "orders/f3", "secret/plan", 403},
		{"full-orders", "orders/f3", "__registry__", 403},
		{"full-star", "f4", "__registry__", 403},
		{"append-all", "orders/f5", "orders/eu", 403},
		{"full-orders", "orders/f6", "orders%2Feu", 201},
		{"full-orders", "orders/f7", "s%65cret/plan", 403},
	}
	for _, tt := range tests {
		w := send(s, "PUT", "/v1/stream/"+tt.path, "", "Authorization", "Bearer secret-"+tt.token, "Stream-Forked-From", "/v1/stream/"+tt.source)
		if w.Code != tt.status {
			t.Errorf("%s forks %s to %s: %d %s, want %d", tt.token, tt.source, tt.path, w.Code, w.Body, tt.status)
		}
	}
	// orders/f2 is now a fork of secret/plan, made by who may.
	for token, tells := range map[string]bool{"full-all": true, "full-orders": false} {
		w := send(s, "PUT", "/v1/stream/orders/f2", "", "Authorization", "Bearer secret-"+token, "Stream-Forked-From", "/v1/stream/orders/eu")
		if w.Code != http.StatusConflict || strings.Contains(w.Body.String(), "secret/plan") != tells {
			t.Errorf("%s is told of a fork: %d %s", token, w.Code, w.Body)
		}
	}
}

func TestWithoutTokensEverythingIsOpen(t *testing.T) {
	s := newServer(t, nil)
	for _, headers := range [][]string{nil, {"Authorization", "Bearer whatever"}} {
		if w := send(s, "PUT", "/v1/stream/a", "", headers...); w.Code != http.StatusCreated && w.Code != http.StatusOK {
			t.Errorf("create: %d %s", w.Code, w.Body)
		}
		if w := send(s, "GET", "/metrics", "", headers...); w.Code != http.StatusOK {
			t.Errorf("metrics: %d", w.Code)
		}
	}
}

func TestTokensAreNotLogged(t *testing.T) {
	var log bytes.Buffer
	s := newServer(t, func(o *Options) {
		o.Tokens = tokensForTest()
		o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	send(s, "GET", "/v1/stream/orders/eu?token=secret-read-all", "", "Authorization", "Bearer secret-read-all")
	send(s, "GET", "/v1/stream/orders/eu", "", "Authorization", "Bearer secret-unknown")
	if log.Len() == 0 || strings.Contains(log.String(), "secret-") {
		t.Errorf("the log holds a token, or nothing:\n%s", log.String())
	}
}

func TestAnswersVaryByToken(t *testing.T) {
	w := send(guarded(t), "GET", "/v1/stream/orders/eu", "", "Authorization", "Bearer secret-read-all")
	if got := w.Header().Get("Vary"); got != "Origin, Authorization" {
		t.Errorf("Vary is %q", got)
	}
}
