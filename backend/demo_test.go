package backend

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tailrace/backend/access"
	"tailrace/backend/config"
	"tailrace/backend/demo"
)

// ask makes a call of the inspector API.
func ask(t *testing.T, b *Backend, method, path, body string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.InspectorURL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+b.gate.Token())
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s %s %v", method, path, res.Status, data, err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

// TestDemo plays the demonstration until all of its applications have shown what
// they are about, and takes it away again: also where tokens are wanted.
func TestDemo(t *testing.T) {
	secret := access.NewSecret()
	b, c, _ := openStoppable(t, func(c *config.Config) {
		c.Tokens = []access.Token{{Name: "me", Level: access.Full, Hash: access.HashOf(secret)}}
	})
	hc := client(t, c.DataDir, http1)
	status := func(method, path string) int {
		req, err := http.NewRequestWithContext(t.Context(), method, b.DataURL()+"/v1/stream/"+path, strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+secret)
		res, err := hc.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	if got := status("PUT", "demo/mine"); got != http.StatusCreated {
		t.Fatal(got)
	}
	var state struct {
		Until   *int64
		Streams int
	}
	ask(t, b, "POST", "/api/demo", `{"seconds":3600}`, &state)
	if state.Until == nil {
		t.Error("no end is told of the traffic")
	}
	type row struct {
		Path     string
		Messages int64
		Readers  int64
		ForkOf   *string `json:"fork_of"`
	}
	seen := func() map[string]row {
		var list struct{ Streams []row }
		ask(t, b, "GET", "/api/streams?filter=demo/**", "", &list)
		rows := map[string]row{}
		for _, r := range list.Streams {
			rows[r.Path] = r
		}
		return rows
	}
	wants := map[string]func(row) bool{
		"demo/chat/support":       func(r row) bool { return r.Messages > 20 && r.Readers == 2 },
		"demo/chat/support-retry": func(r row) bool { return r.ForkOf != nil && r.Messages > 5 },
		"demo/orders/eu":          func(r row) bool { return r.Messages > 8 },
		"demo/orders/us":          func(r row) bool { return r.Messages > 8 },
		"demo/sync/todos":         func(r row) bool { return r.Messages > 3 && r.Readers == 3 },
		"demo/jobs/build-381":     func(r row) bool { return r.Messages > 3 },
		"demo/telemetry/node-1":   func(r row) bool { return r.Messages > 5 && r.Readers == 2 },
		"demo/wakes":              func(r row) bool { return r.Messages > 1 }, // the first was claimed and acked
	}
	for deadline := time.Now().Add(time.Minute); len(wants) > 0; {
		rows := seen()
		for path, enough := range wants {
			if enough(rows[path]) {
				delete(wants, path)
			}
		}
		if time.Now().After(deadline) {
			var subscriptions, requests any
			ask(t, b, "GET", "/api/subscriptions", "", &subscriptions)
			ask(t, b, "GET", "/api/requests?stream=__ds/subscriptions/demo-fulfilment", "", &requests)
			t.Fatalf("not shown in time: %v\n%+v\n%+v\n%+v", slices.Collect(maps.Keys(wants)), rows, subscriptions, requests)
		}
		pauseFor(20 * time.Millisecond)
	}
	for path := range seen() {
		if path != "demo/mine" && !slices.Contains(demo.Streams(), path) {
			t.Errorf("%s would not be removed", path)
		}
	}
	if got := status("GET", "__ds/subscriptions/demo-fulfilment"); got != http.StatusOK {
		t.Errorf("the subscription: %d", got)
	}

	ask(t, b, "POST", "/api/demo/stop", "", &state)
	if state.Until != nil || state.Streams < 8 {
		t.Errorf("after the end: %+v", state)
	}
	ask(t, b, "POST", "/api/demo", `{"seconds":3600}`, &state) // a second run finds its producers again
	var removed struct{ Removed int }
	ask(t, b, "DELETE", "/api/demo", "", &removed)
	if removed.Removed < 7 { // the second run may have been about to make its job anew
		t.Errorf("%d streams were removed", removed.Removed)
	}
	if rows := seen(); len(rows) != 1 || rows["demo/mine"].Path == "" {
		t.Errorf("left: %+v", rows)
	}
	for _, id := range []string{"demo-fulfilment", "demo-mailer"} {
		if got := status("GET", "__ds/subscriptions/"+id); got != http.StatusNotFound {
			t.Errorf("%s is still there: %d", id, got)
		}
	}
}

// pauseFor waits between two looks at what others do.
func pauseFor(d time.Duration) { <-time.After(d) }
