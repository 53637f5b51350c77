package app

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"tailrace/backend/inspect"
)

func TestFaults(t *testing.T) {
	p := Program{Version: "1.2.3"}
	s := start(t, p)
	tailrace := func(status int, args ...string) string {
		t.Helper()
		have, stdout, stderr := run(t, p, append(append([]string{"fault"}, args...), "--data-dir", s.dir)...)
		if have != status {
			t.Fatalf("fault %q: status %d, want %d\n%s%s", args, have, status, stdout, stderr)
		}
		return stdout + stderr
	}
	var ready struct {
		DataURL string `json:"data_url"`
	}
	data, err := os.ReadFile(s.ready)
	if err != nil || json.Unmarshal(data, &ready) != nil {
		t.Fatal(string(data), err)
	}
	get := func() int {
		t.Helper()
		res, err := http.Get(ready.DataURL + "/v1/stream/orders/eu")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	want(t, "no fault", tailrace(exitOK, "list"), "None.")
	var armed inspect.Fault
	out := tailrace(exitOK, "arm", "status", "--status", "503", "--retry-after", "2s", "--streams", "orders/**", "--method", "GET", "--json")
	if err := json.Unmarshal([]byte(out), &armed); err != nil || armed.ID != 1 || armed.Seconds != 300 || armed.RetryAfter != 2 {
		t.Errorf("armed %s", out)
	}
	if got := get(); got != http.StatusServiceUnavailable {
		t.Errorf("status %d while it is armed", got)
	}
	want(t, "the list", tailrace(exitOK, "list"), "GET of orders/**", "happened 1 time ")
	var list struct{ Faults []inspect.Fault }
	if err := json.Unmarshal([]byte(tailrace(exitOK, "list", "--json")), &list); err != nil || len(list.Faults) != 1 || list.Faults[0].Hits != 1 {
		t.Errorf("listed %+v, %v", list, err)
	}
	want(t, "arming", tailrace(exitOK, "arm", "delay", "--after", "1ms", "--count", "1", "--for", "10s"), "Armed 2 until", "every stream")
	out = tailrace(exitOK, "arm", "status", "--status", "429", "--retry-after", "100ms", "--for", "300ms", "--method", "PUT", "--json")
	if err := json.Unmarshal([]byte(out), &armed); err != nil || armed.Seconds != 1 || armed.RetryAfter != 1 {
		t.Errorf("armed %s", out)
	}
	tailrace(exitOK, "disarm", "1")
	tailrace(exitConflict, "disarm", "1")
	if got := get(); got != http.StatusNotFound {
		t.Errorf("status %d when it is disarmed", got)
	}
	tailrace(exitOK, "disarm", "--all")
	for _, wrong := range [][]string{
		{"arm", "flood"},
		{"arm", "status", "--status", "200"},
		{"arm", "status", "--status", "503", "--bytes", "5"},
		{"disarm"},
		{"disarm", "1", "--all"},
		{"arm", "status", "--status", "503", "--probability", "0"},
		{"arm", "status", "--status", "503", "--count", "0"},
		{"arm", "status", "--status", "503", "--for", "0s"},
	} {
		if got := tailrace(exitUsage, wrong...); strings.TrimSpace(got) == "" {
			t.Errorf("%q: nothing is said", wrong)
		}
	}
	s.stop()
	tailrace(exitFailed, "list") // a server that has stopped has none
}
