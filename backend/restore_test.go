package backend

import (
	"encoding/json"
	"net/http"
	"testing"
)

// TestSubscriptionsGoOnAfterARestoration restores a stream that was deleted, to which
// a subscription has a link: as it was, and then as it was before more had been acked.
func TestSubscriptionsGoOnAfterARestoration(t *testing.T) {
	b, _ := openBackend(t, nil)
	must := func(method, path, body string, headers ...string) (answer map[string]any) {
		t.Helper()
		status, text := call(t, b, method, "/v1/stream/"+path, body, append(headers, "Content-Type", "application/json")...)
		if status/100 != 2 {
			t.Fatalf("%s %s: %d %s", method, path, status, text)
		}
		if text != "" {
			if err := json.Unmarshal([]byte(text), &answer); err != nil {
				t.Fatalf("%s %s: %v in %s", method, path, err, text)
			}
		}
		return answer
	}
	// work claims the wake, says from where the stream is to be read, and acks all of it.
	work := func() (from string) {
		t.Helper()
		claim := must(http.MethodPost, "__ds/subscriptions/s/claim", `{"worker":"w"}`)
		stream := claim["streams"].([]any)[0].(map[string]any)
		body, err := json.Marshal(map[string]any{
			"wake_id": claim["wake_id"], "generation": claim["generation"], "done": true,
			"acks": []any{map[string]any{"stream": "q", "offset": stream["tail_offset"]}},
		})
		if err != nil {
			t.Fatal(err)
		}
		must(http.MethodPost, "__ds/subscriptions/s/ack", string(body), "Authorization", "Bearer "+claim["token"].(string))
		return stream["acked_offset"].(string)
	}
	snapshot := func() (file string) {
		t.Helper()
		var list struct {
			Snapshots []struct {
				Location string `json:"location"`
			} `json:"snapshots"`
		}
		finish(t, b, "/api/snapshots", map[string]any{"stream": "q", "location": t.TempDir()})
		askAPI(t, b, http.MethodGet, "/api/snapshots?stream=q", nil, &list)
		return list.Snapshots[0].Location
	}
	must(http.MethodPut, "wakes", "")
	must(http.MethodPut, "q", `[1,2]`)
	must(http.MethodPut, "__ds/subscriptions/s", `{"type":"pull-wake","streams":["q"],"wake_stream":"wakes"}`)
	must(http.MethodPost, "q", `[3]`)
	work()
	file := snapshot()

	must(http.MethodDelete, "q", "")
	finish(t, b, "/api/snapshots/restore", map[string]any{"file": file})
	must(http.MethodPost, "q", `[4]`)
	if from := work(); from != "0000000000000000_0000000000000003" {
		t.Errorf("the stream as it was is read from %s", from)
	}

	must(http.MethodDelete, "q", "")
	finish(t, b, "/api/snapshots/restore", map[string]any{"file": file})
	must(http.MethodPost, "q", `["another 4"]`)
	if from := work(); from != "-1" {
		t.Errorf("the stream without what had been acked is read from %s", from)
	}
}
