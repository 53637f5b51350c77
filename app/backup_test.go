package app

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// wake is a webhook request.
type wake struct {
	raw       []byte
	signature string
	body      struct {
		Streams []struct {
			Path  string `json:"path"`
			Acked string `json:"acked_offset"`
			Tail  string `json:"tail_offset"`
		} `json:"streams"`
	}
}

// receiver takes webhook requests, and answers that everything is done.
func receiver(t *testing.T) (url string, wakes <-chan wake) {
	t.Helper()
	all := make(chan wake, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in wake
		in.raw, _ = io.ReadAll(r.Body) // what is missing does not verify
		in.signature = r.Header.Get("Webhook-Signature")
		if err := json.Unmarshal(in.raw, &in.body); err != nil {
			t.Error(err)
		}
		all <- in
		_, _ = w.Write([]byte(`{"done":true}`))
	}))
	t.Cleanup(server.Close)
	return server.URL, all
}

// verifies reports whether the keys of a JSON Web Key Set have signed a wake.
func (w *wake) verifies(t *testing.T, jwks string) bool {
	t.Helper()
	parts := map[string]string{}
	for _, part := range strings.Split(w.signature, ",") {
		name, value, _ := strings.Cut(part, "=")
		parts[name] = value
	}
	var set struct {
		Keys []struct {
			ID string `json:"kid"`
			X  string `json:"x"`
		} `json:"keys"`
	}
	if err := json.Unmarshal([]byte(jwks), &set); err != nil {
		t.Fatal(err)
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts["ed25519"])
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range set.Keys {
		key, err := base64.RawURLEncoding.DecodeString(k.X)
		if err == nil && k.ID == parts["kid"] && ed25519.Verify(key, []byte(parts["t"]+"."+string(w.raw)), signature) {
			return true
		}
	}
	return false
}

func next(t *testing.T, wakes <-chan wake) wake {
	t.Helper()
	select {
	case w := <-wakes:
		return w
	case <-time.After(20 * time.Second):
		t.Fatal("no webhook came")
		return wake{}
	}
}

// TestARestoredServerGoesOn: subscriptions with their cursors and keys, tokens,
// producers and forks are after a restoration what they were.
func TestARestoredServerGoesOn(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	p := Program{Version: "1.2.3"}
	config := filepath.Join(t.TempDir(), "tailrace.toml")
	if err := os.WriteFile(config, []byte("[[tokens]]\nname = \"app\"\naccess = \"full\"\ntoken = \""+secret+"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := start(t, p, "--config", config)
	root, auth, asJSON := old.root(t), "Authorization: Bearer "+secret, "Content-Type: application/json"
	ask := func(method, url, body string, header ...string) string {
		t.Helper()
		return request(t, method, url, body, append(header, auth)...)
	}
	status := func(method, url, body string, header ...string) int {
		t.Helper()
		req, err := http.NewRequest(method, url, bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range header {
			name, value, _ := strings.Cut(h, ": ")
			req.Header.Set(name, value)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode
	}
	hook, wakes := receiver(t)
	ask("PUT", root+"__ds/subscriptions/mailer", `{"type":"webhook","pattern":"orders/*","webhook":{"url":"`+hook+`"}}`)
	ask("PUT", root+"__ds/subscriptions/pool", `{"type":"pull-wake","pattern":"tasks/*","wake_stream":"wakes","lease_ttl_ms":10000}`)
	triple := func(seq string) []string {
		return []string{asJSON, "Producer-Id: shop", "Producer-Epoch: 3", "Producer-Seq: " + seq}
	}
	ask("PUT", root+"orders/1", "", asJSON)
	ask("POST", root+"orders/1", `{"n":0}`, triple("0")...)
	ask("POST", root+"orders/1", `{"n":1}`, triple("1")...)
	ask("PUT", root+"copies/1", "", asJSON, "Stream-Forked-From: /v1/stream/orders/1", "Stream-Fork-Offset: 0000000000000000_0000000000000001")
	ask("POST", root+"copies/1", `{"n":"mine"}`, asJSON)

	// The mailer has processed all of it, the pool one task of two.
	first := next(t, wakes)
	jwks := ask("GET", root+"__ds/jwks.json", "")
	if !first.verifies(t, jwks) {
		t.Fatal("the webhook is not signed with the published key")
	}
	const tail = "0000000000000000_0000000000000002"
	detail := func(root, id string) (d struct {
		Streams []struct {
			Path  string `json:"path"`
			Acked string `json:"acked_offset"`
		} `json:"streams"`
	},
	) {
		t.Helper()
		if err := json.Unmarshal([]byte(ask("GET", root+"__ds/subscriptions/"+id, "")), &d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if d := detail(root, "mailer"); len(d.Streams) == 1 && d.Streams[0].Acked == tail {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the mailer has not acked: %+v", detail(root, "mailer"))
		}
	}
	for _, task := range []string{"tasks/1", "tasks/2"} {
		ask("PUT", root+task, `{"do":"it"}`, asJSON)
	}
	var claim struct {
		Token      string `json:"token"`
		WakeID     string `json:"wake_id"`
		Generation int64  `json:"generation"`
	}
	if err := json.Unmarshal([]byte(ask("POST", root+"__ds/subscriptions/pool/claim", `{"worker":"w"}`)), &claim); err != nil {
		t.Fatal(err)
	}
	ack, err := json.Marshal(map[string]any{
		"wake_id": claim.WakeID, "generation": claim.Generation, "done": true,
		"acks": []map[string]string{{"stream": "tasks/1", "offset": "0000000000000000_0000000000000001"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	request(t, "POST", root+"__ds/subscriptions/pool/ack", string(ack), "Authorization: Bearer "+claim.Token)
	pool := detail(root, "pool").Streams

	place, restored := t.TempDir(), filepath.Join(t.TempDir(), "restored")
	if status, stdout, stderr := run(t, p, "backup", "--to", place, "--data-dir", old.dir, "--config", config); status != exitOK {
		t.Fatalf("backup: status %d\n%s%s", status, stdout, stderr)
	}
	if status := old.stop(); status != exitOK {
		t.Fatalf("exit status %d: %s", status, old.stderr)
	}
	for len(wakes) > 0 {
		<-wakes // the second append may have had a wake of its own
	}
	if status, stdout, stderr := run(t, p, "backup", "restore", place, "--data-dir", restored); status != exitOK {
		t.Fatalf("restore: status %d\n%s%s", status, stdout, stderr)
	}
	kept := filepath.Join(restored, "config.toml")
	if text, err := os.ReadFile(kept); err != nil || bytes.Contains(text, []byte(secret)) {
		t.Fatalf("the configuration holds the token, or is not there: %v\n%s", err, text)
	}
	again := startOn(t, p, restored, []string{"serve"}, "--config", kept)
	root = again.root(t)

	if have := status("GET", root+"orders/1", "", "Authorization: Bearer another"); have != http.StatusUnauthorized {
		t.Errorf("another token: status %d", have)
	}
	if have := ask("GET", root+"orders/1", ""); have != `[{"n":0},{"n":1}]` {
		t.Errorf("the stream holds %s", have)
	}
	if have := ask("GET", root+"copies/1", ""); have != `[{"n":0},{"n":"mine"}]` {
		t.Errorf("the fork holds %s", have)
	}
	if have := ask("GET", root+"__ds/jwks.json", ""); have != jwks {
		t.Errorf("keys: %s, before %s", have, jwks)
	}
	if diff := cmp.Diff(pool, detail(root, "pool").Streams); diff != "" {
		t.Errorf("cursors of the pool differ (-before +after):\n%s", diff)
	}
	// What was appended before the backup is a duplicate; what is new wakes the mailer
	// behind what it had acked, with the same key.
	header := append(triple("1"), auth)
	if have := status("POST", root+"orders/1", `{"n":1}`, header...); have != http.StatusNoContent {
		t.Errorf("a duplicate: status %d", have)
	}
	if have := status("POST", root+"orders/1", `{"n":2}`, append(triple("2"), auth)...); have != http.StatusOK {
		t.Errorf("what comes next: status %d", have)
	}
	second := next(t, wakes)
	if !second.verifies(t, jwks) {
		t.Error("the webhook after the restoration is not signed with the same key")
	}
	if s := second.body.Streams; len(s) != 1 || s[0].Path != "orders/1" || s[0].Acked != tail || s[0].Tail != "0000000000000000_0000000000000003" {
		t.Errorf("the webhook after the restoration tells of %+v", s)
	}
	// The other task is still to be done.
	if have := ask("POST", root+"__ds/subscriptions/pool/claim", `{"worker":"w"}`); !strings.Contains(have, `"tasks/2"`) {
		t.Errorf("the pool is given %s", have)
	}
	// The fork is one still: its source stays readable behind it.
	if have := status("DELETE", root+"orders/1", "", auth); have != http.StatusNoContent {
		t.Errorf("deleting the source: status %d", have)
	}
	if have := ask("GET", root+"copies/1", ""); have != `[{"n":0},{"n":"mine"}]` {
		t.Errorf("the fork of a deleted source holds %s", have)
	}
}
