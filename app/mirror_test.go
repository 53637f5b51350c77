package app

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"tailrace/backend/inspect"
)

func (s *started) root(t *testing.T) string {
	t.Helper()
	var ready struct {
		DataURL string `json:"data_url"`
	}
	if b, err := os.ReadFile(s.ready); err != nil || json.Unmarshal(b, &ready) != nil {
		t.Fatalf("%s, %v", b, err)
	}
	return ready.DataURL + "/v1/stream/"
}

func request(t *testing.T, method, url, body string, headers ...string) string {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s %s %v", method, url, res.Status, text, err)
	}
	return string(text)
}

// Both on a running server and on the folder of a stopped one, to a server that
// wants a token.
func TestMirrorCommands(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	p := Program{Version: "1.2.3"}
	here, there := start(t, p), start(t, p, "--token", "all:full:**:"+secret)
	root, auth := there.root(t), "Authorization: Bearer "+secret
	request(t, "PUT", here.root(t)+"chat/a", `[1]`, "Content-Type: application/json")
	request(t, "PUT", here.root(t)+"other", `x`, "Content-Type: text/plain")

	tailrace := func(status int, args ...string) (stdout, stderr string) {
		t.Helper()
		have, stdout, stderr := runIn(t, p, append(environment(t), "TOKEN="+secret), append(args, "--data-dir", here.dir)...)
		if have != status {
			t.Fatalf("%q: status %d, want %d\n%s%s", args, have, status, stdout, stderr)
		}
		if strings.Contains(stdout+stderr, secret) {
			t.Errorf("%q shows the token", args)
		}
		return stdout, stderr
	}
	tailrace(exitUsage, "mirror", "push", "chat/*", "http://elsewhere.test/v1/stream/")
	tailrace(exitUsage, "mirror", "push", "chat/*", root, "--token-env", "UNSET")
	tailrace(exitUsage, "mirror", "push", "chat/*", "unknown")
	out, _ := tailrace(exitOK, "mirror", "push", "chat/*", root, "--name", "m", "--token-env", "TOKEN", "--once")
	want(t, "push --once", out, "Mirror m", "Everything has arrived")
	if have := request(t, "GET", root+"chat/a", "", auth); have != "[1]" {
		t.Errorf("the copy is %s", have)
	}
	tailrace(exitConflict, "mirror", "pull", "chat/*", root, "--name", "m", "--token-env", "TOKEN", "--once")
	tailrace(exitConflict, "mirror", "pause", "none")

	out, _ = tailrace(exitOK, "mirror", "push", "chat/*", root, "--name", "m", "--token-env", "TOKEN", "--detach", "--json")
	var m inspect.Mirror
	if err := json.Unmarshal([]byte(out), &m); err != nil || m.State != "running" || m.Remote != root {
		t.Errorf("push --detach says %s", out)
	}
	request(t, "POST", here.root(t)+"chat/a", `2`, "Content-Type: application/json")
	if have := request(t, "GET", root+"chat/a?live=long-poll&offset=0000000000000000_0000000000000001", "", auth); have != "[2]" {
		t.Errorf("what follows is %s", have)
	}
	out, _ = tailrace(exitOK, "mirror", "list")
	want(t, "list", out, "m", "push", "chat/*", "running", "1 up to date")
	out, _ = tailrace(exitOK, "mirror", "list", "m")
	want(t, "list m", out, "chat/a", "live", "at 2")
	here.stop()
	if strings.Contains(here.stderr.String(), secret) {
		t.Error("the log shows the token")
	}

	// On the folder of the stopped server.
	tailrace(exitUsage, "mirror", "push", "chat/*", root, "--name", "m", "--token-env", "TOKEN", "--detach")
	request(t, "PUT", root+"orders/7", `all of it`, "Content-Type: text/plain", "Stream-Closed: true", auth)
	out, _ = tailrace(exitOK, "mirror", "pull", "orders/**", root, "--token-env", "TOKEN", "--once", "--json")
	var d inspect.MirrorDetail
	if err := json.Unmarshal([]byte(out), &d); err != nil || *d.Mirror.Once != "complete" || len(d.Streams) != 1 || d.Streams[0].State != "closed" {
		t.Errorf("pull --once says %s", out)
	}
	out, _ = tailrace(exitOK, "export", "orders/7")
	want(t, "the copy", out, "all of it")
	_, stderr := tailrace(exitFailed, "mirror", "pull", "nowhere", root, "--token-env", "TOKEN", "--once")
	want(t, "pull of nothing", stderr, "nowhere", "not everything has arrived", "no such stream")
	tailrace(exitOK, "mirror", "remove", "m")
	out, _ = tailrace(exitOK, "mirror", "list")
	if strings.Contains(out, "m  push") {
		t.Errorf("a removed mirror is listed: %s", out)
	}
}
