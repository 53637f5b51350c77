package backend

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"tailrace/backend/access"
	"tailrace/backend/config"
	"tailrace/backend/fault"
)

func TestFaults(t *testing.T) {
	b, c, _ := openStoppable(t, nil)
	hc := client(t, c.DataDir, http1)
	stream := b.DataURL() + "/v1/stream/a/b"
	do(t, hc, "PUT", stream, "")
	do(t, hc, "POST", stream, "0123456789")
	arm := func(f fault.Fault) {
		t.Helper()
		b.faults.Clear()
		if _, err := b.faults.Arm(f); err != nil {
			t.Fatal(err)
		}
	}
	// try makes a request that may be cut off.
	try := func(method, query, body string) (status int, got string, err error) {
		t.Helper()
		req, reqErr := http.NewRequestWithContext(t.Context(), method, stream+query, strings.NewReader(body))
		if reqErr != nil {
			t.Fatal(reqErr)
		}
		req.GetBody = nil // the client must not try again by itself
		req.Header.Set("Content-Type", "text/plain")
		res, err := hc.Do(req)
		if err != nil {
			return 0, "", err
		}
		defer res.Body.Close()
		data, err := io.ReadAll(res.Body)
		return res.StatusCode, string(data), err
	}
	holds := func() string {
		b.faults.Clear()
		_, body := do(t, hc, "GET", stream, "")
		return body
	}

	arm(fault.Fault{Kind: fault.Status, Status: 503, RetryAfter: 7, Streams: "a/*", Methods: []string{"POST"}, Count: 1})
	res, body := do(t, hc, "POST", stream, "x")
	if res.StatusCode != 503 || res.Header.Get("Retry-After") != "7" || !strings.Contains(body, "INJECTED_FAULT") {
		t.Errorf("status: %d %v %s", res.StatusCode, res.Header, body)
	}
	if status, _, err := try("POST", "", "x"); status != 204 || err != nil || b.faults.Any() {
		t.Errorf("after it happened once: %d %v, armed %v", status, err, b.faults.Any())
	}

	arm(fault.Fault{Kind: fault.Status, Status: 500, Streams: "a"})
	if status, _, _ := try("GET", "", ""); status != 200 {
		t.Errorf("another stream: %d", status)
	}

	arm(fault.Fault{Kind: fault.DropBefore, Methods: []string{"POST"}})
	if _, _, err := try("POST", "", "never"); err == nil {
		t.Error("drop before: there was an answer")
	}
	if got := holds(); got != "0123456789x" {
		t.Errorf("drop before: the stream holds %q", got)
	}

	arm(fault.Fault{Kind: fault.DropAfter})
	if _, _, err := try("POST", "", "y"); err == nil {
		t.Error("drop after: there was an answer")
	}
	if got := holds(); got != "0123456789xy" {
		t.Errorf("drop after: the stream holds %q", got)
	}

	arm(fault.Fault{Kind: fault.Cut})
	if status, got, err := try("GET", "", ""); status != 200 || got != "01234" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut: %d %q %v", status, got, err)
	}
	arm(fault.Fault{Kind: fault.Cut, Bytes: 15})
	if _, got, err := try("GET", "?offset=-1&live=sse", ""); got != "event: data\ndat" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut in the middle of an event: %q %v", got, err)
	}

	arm(fault.Fault{Kind: fault.Timeout})
	if status, _, err := try("GET", "?offset=now&live=long-poll", ""); status != 204 || err != nil {
		t.Errorf("timeout: %d %v", status, err)
	}
	if status, got, _ := try("GET", "", ""); status != 200 || got == "" {
		t.Errorf("a read that does not wait cannot time out: %d %q", status, got)
	}

	arm(fault.Fault{Kind: fault.Kill, After: 30 * time.Millisecond})
	if status, got, err := try("GET", "?offset=-1&live=sse", ""); status != 200 || !strings.Contains(got, "event: control") || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("kill: %d %q %v", status, got, err)
	}

	arm(fault.Fault{Kind: fault.Delay, After: 50 * time.Millisecond, Jitter: time.Millisecond})
	began := time.Now()
	if status, _, err := try("GET", "", ""); status != 200 || err != nil || time.Since(began) < 50*time.Millisecond {
		t.Errorf("delay: %d %v after %v", status, err, time.Since(began))
	}

	// A client that leaves while it waits has asked for nothing.
	arm(fault.Fault{Kind: fault.Delay, After: 4 * time.Minute, Methods: []string{"DELETE"}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	left, err := http.NewRequestWithContext(ctx, "DELETE", stream, nil)
	if err != nil {
		t.Fatal(err)
	}
	waits := b.faults.List()[0]
	over := make(chan error)
	go func() {
		res, err := hc.Do(left)
		if err == nil {
			_ = res.Body.Close()
		}
		over <- err
	}()
	eventually(t, "the request waits", func() bool { return waits.Hits() > 0 })
	cancel()
	if err := <-over; !errors.Is(err, context.Canceled) {
		t.Errorf("a client that left: %v", err)
	}
	for deadline := time.Now().Add(time.Minute); ; {
		var over struct{ Matched int }
		ask(t, b, "GET", "/api/requests?method=DELETE&stream="+url.QueryEscape("a/b"), "", &over)
		if over.Matched > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the request of a client that left goes on")
		}
		time.Sleep(5 * time.Millisecond)
	}
	if got := holds(); got == "" {
		t.Error("a client that left has deleted the stream")
	}

	// What happened is marked where requests are remembered.
	b.faults.Clear()
	var requests struct {
		Requests []struct{ Fault string }
	}
	ask(t, b, "GET", "/api/requests?stream="+url.QueryEscape("a/b"), "", &requests)
	marked := map[string]bool{}
	for _, r := range requests.Requests {
		marked[r.Fault] = true
	}
	for _, want := range []string{"", "status 503", "dropped before it was done", "done, but the answer was dropped", "cut off in the middle", "made to time out", "killed", "delayed"} {
		if !marked[want] {
			t.Errorf("no request is marked %q: %v", want, marked)
		}
	}
}

func TestFaultsByAPI(t *testing.T) {
	b, c, _ := openStoppable(t, nil)
	hc := client(t, c.DataDir, http1)
	var armed struct {
		ID, Hits, Ends int64
	}
	ask(t, b, "POST", "/api/faults", `{"kind":"status","status":429,"streams":"x/**"}`, &armed)
	if left := time.Until(time.UnixMilli(armed.Ends)); left < 4*time.Minute || left > 5*time.Minute {
		t.Errorf("armed for %v", left)
	}
	if res, _ := do(t, hc, "PUT", b.DataURL()+"/v1/stream/x/y", ""); res.StatusCode != 429 {
		t.Error(res.Status)
	}
	var list struct {
		Faults []struct{ ID, Hits int64 }
	}
	ask(t, b, "GET", "/api/faults", "", &list)
	if len(list.Faults) != 1 || list.Faults[0].Hits != 1 || list.Faults[0].ID != armed.ID {
		t.Errorf("armed: %+v", list)
	}
	if !b.faults.Disarm(armed.ID) || b.faults.Disarm(armed.ID) {
		t.Error("a fault is disarmed once")
	}
}

// TestFaultsStayHome: a server that others can reach takes no faults.
func TestFaultsStayHome(t *testing.T) {
	b, _, _ := openStoppable(t, func(c *config.Config) {
		c.Listen = "0.0.0.0:0"
		c.Tokens = []access.Token{{Name: "me", Level: access.Full, Hash: access.HashOf(access.NewSecret())}}
	})
	if _, err := b.faults.Arm(fault.Fault{Kind: fault.DropBefore}); !errors.Is(err, fault.ErrNotLocal) {
		t.Errorf("armed: %v", err)
	}
}
