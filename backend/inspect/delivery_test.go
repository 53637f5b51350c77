package inspect

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A reader that takes nothing lacks what does not fit into its connection; one that
// began behind a message has it.
func TestDelivery(t *testing.T) {
	p := newPage(t)
	data := httptest.NewServer(p.data)
	t.Cleanup(data.Close)
	p.call("PUT", of("log", ""), `{"content_type":"text/plain"}`, 201, nil)
	const messages = 48
	for range messages { // more than a connection holds
		res, err := http.Post(data.URL+"/v1/stream/log", "text/plain", strings.NewReader(strings.Repeat("x", 1<<20)))
		if err != nil || res.StatusCode != http.StatusNoContent {
			t.Fatal(res, err)
		}
		res.Body.Close()
	}
	stuck := follow(t, data, "log", "-1")
	atTail := follow(t, data, "log", "now")

	await := func(ordinal int, want func(Delivery) bool) Delivery {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			var got Delivery
			p.call("GET", of("log", fmt.Sprintf("/messages/%d/readers", ordinal)), "", 200, &got)
			if want(got) {
				return got
			}
			if time.Now().After(deadline) {
				t.Fatalf("readers of message %d: %+v", ordinal, got)
			}
		}
	}
	got := await(messages-1, func(d Delivery) bool { return d.Readers == 2 && d.List[0].Behind < messages })
	behind := got.List[0].Behind
	if got.Delivered != 1 || got.List[0].Has || behind == 0 || got.List[0].Remote != stuck.LocalAddr().String() {
		t.Errorf("the one that takes nothing: %+v", got)
	}
	last := got.List[1]
	if last.ID != 2 || last.Mode != "sse" || !last.Has || last.Behind != 0 || last.Remote != atTail.LocalAddr().String() || last.Agent != "follower" {
		t.Errorf("the one at the tail: %+v", last)
	}
	if runtime.GOOS == "linux" && (last.Process == nil || last.Process.PID != os.Getpid()) {
		t.Errorf("its process is %+v, want %d", last.Process, os.Getpid())
	}
	// The first one was sent, and so fewer than all lack.
	if d := await(0, func(d Delivery) bool { return d.Delivered == 2 }); !d.List[0].Has || d.List[0].Behind == 0 {
		t.Errorf("of the first message: %+v", d)
	}

	go func() { _, _ = io.Copy(io.Discard, stuck) }() // it ends with the connection
	await(messages-1, func(d Delivery) bool { return d.Delivered == 2 && d.List[0].Behind == 0 })
	stuck.Close()
	await(messages-1, func(d Delivery) bool { return d.Readers == 1 })
	p.call("GET", of("log", fmt.Sprintf("/messages/%d/readers", messages)), "", 404, nil)
}

// However many there are, the list is short, and those that lack the message are in it.
func TestDeliveryToMany(t *testing.T) {
	p := newPage(t)
	data := httptest.NewServer(p.data)
	t.Cleanup(data.Close)
	p.call("PUT", of("a", ""), `{"content_type":"application/json","body":"[1]"}`, 201, nil)
	for range maxDelivery + 3 {
		follow(t, data, "a", "-1")
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		var got Delivery
		p.call("GET", of("a", "/messages/0/readers"), "", 200, &got)
		if got.Readers == maxDelivery+3 && got.Delivered == got.Readers && len(got.List) == maxDelivery {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v", got)
		}
	}
}

// follow asks for a stream's events, and takes no more of the answer than shows that
// it has begun.
func follow(t *testing.T, data *httptest.Server, stream, offset string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", data.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	fmt.Fprintf(c, "GET /v1/stream/%s?offset=%s&live=sse HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: follower\r\n\r\n", stream, offset)
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return c
}
