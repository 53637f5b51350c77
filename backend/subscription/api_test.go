package subscription

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tailrace/backend/protocol"
	"tailrace/backend/store"
)

func TestCreate(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		const body = `{"type":"webhook","pattern":"/events/*/","streams":["b","a","b"],"webhook":{"url":"http://localhost:1/","secret":"x"},
			"wake_stream":"ignored","lease_ttl_ms":30000,"description":"<text>","unknown":{}}`
		w.create("a", `1`)
		a := w.must(201, "PUT", "subscriptions/s", "", body)
		kid := w.m.keys.Load().kid
		want := `{"id":"s","subscription_id":"s","type":"webhook","pattern":"events/*",` +
			`"streams":[{"path":"a","link_type":"explicit","acked_offset":"` + at(1) + `"},{"path":"b","link_type":"explicit","acked_offset":"` + at(0) + `"}],` +
			`"webhook":{"url":"http://localhost:1/","signing":{"alg":"ed25519","kid":"` + kid + `","jwks_url":"http://localhost:4437/v1/stream/__ds/jwks.json"}},` +
			`"wake_stream":null,"lease_ttl_ms":30000,"created_at":"2000-01-01T00:00:00.000Z","status":"active","description":"\u003ctext\u003e",` +
			`"delivery":{"state":"idle","generation":0,"wake_id":null,"holder":null,"lease_expires_at":null,"failed_attempts":0,"next_attempt_at":null,"last_error":null}}`
		if diff := cmp.Diff(want, string(a.raw)); diff != "" {
			t.Errorf("created (-want +got):\n%s", diff)
		}
		for _, same := range []string{
			body, strings.Replace(body, `"lease_ttl_ms":30000,`, "", 1), strings.Replace(body, `["b","a","b"]`, `["a","/b"]`, 1),
		} {
			if again := w.must(200, "PUT", "subscriptions/s", "", same); string(again.raw) != want {
				t.Errorf("confirmed: %s", again.raw)
			}
		}
		// Links that were added since are not part of the configuration.
		w.must(204, "POST", "subscriptions/s/streams", "", `{"streams":["c"]}`)
		w.must(200, "PUT", "subscriptions/s", "", body)
		for name, other := range map[string]string{
			"type":        `{"type":"pull-wake","pattern":"events/*","streams":["a","b"],"wake_stream":"w","description":"<text>"}`,
			"pattern":     strings.Replace(body, "/events/*/", "events/**", 1),
			"streams":     strings.Replace(body, `["b","a","b"]`, `["a"]`, 1),
			"url":         strings.Replace(body, "localhost:1", "localhost:2", 1),
			"lease":       strings.Replace(body, "30000", "30001", 1),
			"description": strings.Replace(body, "<text>", "", 1),
		} {
			if a := w.call("PUT", "subscriptions/s", "", other); a.code != CodeExists {
				t.Errorf("another %s: %d %s", name, a.status, a.code)
			}
		}
	})
}

func TestInvalidRequests(t *testing.T) {
	const url = `"webhook":{"url":"http://localhost:1/"}`
	tests := []struct {
		name, method, path, body string
		code                     Code
		field                    string
	}{
		{"no JSON", "PUT", "s", `{`, CodeInvalidRequest, "body: not valid JSON"},
		{"no object", "PUT", "s", `[]`, CodeInvalidRequest, "body: must be a JSON object"},
		{"no body", "PUT", "s", ``, CodeInvalidRequest, "type: "},
		{"trailing data", "PUT", "s", `{} {}`, CodeInvalidRequest, "body: "},
		{"unknown type", "PUT", "s", `{"type":"push","pattern":"a"}`, CodeInvalidRequest, "type: "},
		{"type of a wrong type", "PUT", "s", `{"type":1}`, CodeInvalidRequest, "type: must be a string"},
		{"neither pattern nor streams", "PUT", "s", `{"type":"webhook","streams":[],` + url + `}`, CodeInvalidRequest, "pattern: "},
		{"streams no array", "PUT", "s", `{"type":"webhook","streams":"a",` + url + `}`, CodeInvalidRequest, "streams: must be an array"},
		{"stream no string", "PUT", "s", `{"type":"webhook","streams":[1],` + url + `}`, CodeInvalidRequest, "streams: must be a string"},
		{"empty stream", "PUT", "s", `{"type":"webhook","streams":[""],` + url + `}`, CodeInvalidRequest, "streams: "},
		{"dots in a stream", "PUT", "s", `{"type":"webhook","streams":["a/../b"],` + url + `}`, CodeInvalidRequest, "streams: "},
		{"control stream", "PUT", "s", `{"type":"webhook","streams":["__ds/x"],` + url + `}`, CodeInvalidRequest, "streams: "},
		{"control pattern", "PUT", "s", `{"type":"webhook","pattern":"__ds/**",` + url + `}`, CodeInvalidRequest, "pattern: "},
		{"long pattern", "PUT", "s", `{"type":"webhook","pattern":"` + strings.Repeat("x", 1025) + `",` + url + `}`, CodeInvalidRequest, "pattern: "},
		{"no webhook", "PUT", "s", `{"type":"webhook","pattern":"a"}`, CodeInvalidRequest, "webhook.url: "},
		{"webhook no object", "PUT", "s", `{"type":"webhook","pattern":"a","webhook":"http://localhost"}`, CodeInvalidRequest, "webhook: must be an object"},
		{"no URL", "PUT", "s", `{"type":"webhook","pattern":"a","webhook":{}}`, CodeInvalidRequest, "webhook.url: "},
		{"unsafe URL", "PUT", "s", `{"type":"webhook","pattern":"a","webhook":{"url":"http://10.0.0.1/hook"}}`, CodeURLRejected, "webhook.url: "},
		{"no wake stream", "PUT", "s", `{"type":"pull-wake","pattern":"a"}`, CodeInvalidRequest, "wake_stream: "},
		{"bad wake stream", "PUT", "s", `{"type":"pull-wake","pattern":"a","wake_stream":"a//b"}`, CodeInvalidRequest, "wake_stream: "},
		{"registry as wake stream", "PUT", "s", `{"type":"pull-wake","pattern":"a","wake_stream":"__registry__"}`, CodeInvalidRequest, "wake_stream: "},
		{"short lease", "PUT", "s", `{"type":"webhook","pattern":"a","lease_ttl_ms":999,` + url + `}`, CodeInvalidRequest, "lease_ttl_ms: "},
		{"long lease", "PUT", "s", `{"type":"webhook","pattern":"a","lease_ttl_ms":600001,` + url + `}`, CodeInvalidRequest, "lease_ttl_ms: "},
		{"broken lease", "PUT", "s", `{"type":"webhook","pattern":"a","lease_ttl_ms":1000.5,` + url + `}`, CodeInvalidRequest, "lease_ttl_ms: must be a whole number"},
		{"description no string", "PUT", "s", `{"type":"webhook","pattern":"a","description":[],` + url + `}`, CodeInvalidRequest, "description: must be a string"},
		{"long description", "PUT", "s", `{"type":"webhook","pattern":"a","description":"` + strings.Repeat("x", 4097) + `",` + url + `}`, CodeInvalidRequest, "description: "},
		{"id with a slash", "PUT", "a%2Fb", `{}`, CodeInvalidRequest, "id: "},
		{"id with a control character", "PUT", "a%0A", `{}`, CodeInvalidRequest, "id: "},
		{"id that is no UTF-8", "PUT", "%FF", `{}`, CodeInvalidRequest, "id: "},
		{"long id", "PUT", strings.Repeat("x", 257), `{}`, CodeInvalidRequest, "id: "},
		{"empty id", "GET", "", ``, CodeInvalidRequest, "id: "},
		{"bad encoding", "GET", "%zz", ``, CodeInvalidRequest, "path: "},
		{"no streams to add", "POST", "there/streams", `{}`, CodeInvalidRequest, "streams: "},
		{"no worker", "POST", "there/claim", ``, CodeInvalidRequest, "worker: "},
		{"long worker", "POST", "there/claim", `{"worker":"` + strings.Repeat("x", 257) + `"}`, CodeInvalidRequest, "worker: "},
		{"no wake id", "POST", "there/ack", `{"generation":1}`, CodeInvalidRequest, "wake_id: "},
		{"no generation", "POST", "there/ack", `{"wake_id":"w"}`, CodeInvalidRequest, "generation: "},
		{"generation no number", "POST", "there/ack", `{"wake_id":"w","generation":"1"}`, CodeInvalidRequest, "generation: must be a whole number"},
		{"ack without stream", "POST", "there/ack", `{"wake_id":"w","generation":1,"acks":[{"offset":"1_1"}]}`, CodeInvalidRequest, "acks: "},
		{"ack without offset", "POST", "there/ack", `{"wake_id":"w","generation":1,"acks":[{"stream":"a"}]}`, CodeInvalidRequest, "acks: "},
		{"ack of an absent subscription", "POST", "absent/ack", `{`, CodeNotFound, ""},
		{"claim of an absent subscription", "POST", "absent/claim", `{"worker":"w"}`, CodeNotFound, ""},
		{"claim of a webhook", "POST", "hook/claim", `{"worker":"w"}`, CodeInvalidRequest, "type: "},
		{"ack of a webhook", "POST", "hook/ack", `{"wake_id":"w","generation":1}`, CodeInvalidRequest, "type: "},
		{"release of a webhook", "POST", "hook/release", `{"wake_id":"w","generation":1}`, CodeInvalidRequest, "type: "},
		{"callback of a pull-wake", "POST", "there/callback", `{"wake_id":"w","generation":1}`, CodeInvalidRequest, "type: "},
		{"strange action", "POST", "there/shake", ``, CodeNoRoute, ""},
		{"strange method", "PATCH", "there", ``, CodeMethod, ""},
	}
	w := newWorld(t)
	w.subscribe("there", `{"type":"pull-wake","pattern":"a","wake_stream":"w"}`)
	w.subscribe("hook", `{"type":"webhook","pattern":"a",`+url+`}`)
	token := w.m.keys.Load().token(&store.Subscription{Number: 1 << 40})
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			a := w.call(tc.method, "subscriptions/"+tc.path, token, tc.body)
			if a.code != tc.code {
				t.Fatalf("%d %q %v, want %s", a.status, a.code, a.body, tc.code)
			}
			if message := fmt.Sprint(a.body["message"]); !strings.HasPrefix(message, tc.field) {
				t.Errorf("message %q does not begin with %q", message, tc.field)
			}
		})
	}
	for _, path := range []string{"", "subscriptions", "other", "jwks.json/x"} {
		w.refused(CodeNoRoute, "GET", path, "", "")
	}
	w.refused(CodeMethod, "POST", "jwks.json", "", "")
}

func TestUnreadableBody(t *testing.T) {
	w := newWorld(t)
	slow := errors.New("too slow")
	rec := httptest.NewRecorder()
	err := w.m.Serve(rec, httptest.NewRequest(http.MethodPut, "/", nil), Call{
		Path: "subscriptions/s", Base: testBase, Body: func() ([]byte, error) { return nil, slow },
	})
	if !errors.Is(err, slow) || rec.Body.Len() > 0 {
		t.Errorf("Serve: %v, %s", err, rec.Body)
	}
}

func TestShutDown(t *testing.T) {
	w := newWorld(t)
	w.subscribe("s", `{"type":"pull-wake","pattern":"a","wake_stream":"w"}`)
	w.m.Close()
	err := w.m.do("s", func(*actor) error { return nil })
	if !errors.Is(err, protocol.ErrShuttingDown) {
		t.Errorf("do: %v", err)
	}
}

func TestBaseURL(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.receiver("1", later)
		for id, base := range map[string]string{"own": testBase, "forwarded": "http://localhost:8080", "proxy": "http://streams.example"} {
			rec := httptest.NewRecorder()
			err := w.m.Serve(rec, httptest.NewRequest(http.MethodPut, "/", nil), Call{
				Path: "subscriptions/" + id, Base: base, Body: func() ([]byte, error) { return []byte(webhook(r.url, "")), nil },
			})
			if err != nil || rec.Code != 201 {
				t.Fatal(rec.Code, err)
			}
		}
		w.reopen()
		w.m.port = 5000 // as if the server had been started on another port
		w.create("events/a", `1`)
		got := map[string]string{}
		for range 3 {
			in := r.next(t, 0)
			got[in.ID] = strings.TrimSuffix(in.URL, "/v1/stream/__ds/subscriptions/"+in.ID+"/callback")
		}
		want := map[string]string{"own": "http://localhost:5000", "forwarded": "http://localhost:8080", "proxy": "http://streams.example"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("callback URLs (-want +got):\n%s", diff)
		}
	})
}

// TestNoTokenTellsNothing: reports are open to everybody, so without the token of
// a wake their answers are the same whatever subscriptions there are.
func TestNoTokenTellsNothing(t *testing.T) {
	w := newWorld(t)
	w.subscribe("there", `{"type":"pull-wake","pattern":"a","wake_stream":"w"}`)
	w.subscribe("hook", `{"type":"webhook","pattern":"a","webhook":{"url":"http://localhost:1"}}`)
	forged := w.m.keys.Load().token(&store.Subscription{Number: 1, Generation: 1})
	forged = forged[:len(forged)-4] + "AAAA"
	for _, token := range []string{"", "token", forged} {
		want := w.refused(CodeTokenInvalid, "POST", "subscriptions/absent/ack", token, "")
		for _, path := range []string{"there/ack", "there/release", "there/callback", "hook/ack", "hook/callback", "absent/release"} {
			got := w.refused(CodeTokenInvalid, "POST", "subscriptions/"+path, token, "")
			if diff := cmp.Diff(want.body, got.body); diff != "" {
				t.Errorf("%s with token %q:\n%s", path, token, diff)
			}
		}
	}
}
