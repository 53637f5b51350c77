package inspect

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// awaitMirrors returns once an event tells of mirrors as they should be.
func awaitMirrors(t *testing.T, p *page, want func(all []Mirror) bool) {
	t.Helper()
	for events := p.events(""); ; {
		text, err := json.Marshal(events.next("mirrors"))
		if err != nil || strings.Contains(string(text), "s3cret") {
			t.Fatalf("the token is shown: %s, %v", text, err)
		}
		var e Mirrors
		if err := json.Unmarshal(text, &e); err != nil {
			t.Fatal(err)
		}
		if want(e.Mirrors) {
			return
		}
	}
}

func TestMirrors(t *testing.T) {
	here, there := newPage(t), newPage(t)
	remote := httptest.NewServer(there.data)
	t.Cleanup(remote.Close)
	root := remote.URL + "/v1/stream/"

	here.call("PUT", of("chat/a", ""), `{"content_type":"application/json","body":"[1,2]"}`, 201, nil)
	here.call("PUT", of("chat/b", ""), `{"content_type":"text/plain","body":"text","closed":true}`, 201, nil)
	there.call("PUT", of("chat/b", ""), `{"content_type":"application/json"}`, 201, nil)

	var m Mirror
	here.call("POST", "/api/mirrors", `{"direction":"push","glob":"chat/*","remote":"`+root+`","token":"s3cret-s3cret"}`, 200, &m)
	if m.Direction != "push" || m.State != "running" || m.URL != root || !m.TokenGiven || !strings.HasPrefix(m.Name, "push-chat-x-127.0.0.1-") {
		t.Errorf("made %+v", m)
	}
	awaitMirrors(t, here, func(all []Mirror) bool {
		return len(all) == 1 && all[0].States == MirrorStates{Live: 1, Stopped: 1}
	})
	var d MirrorDetail
	here.call("GET", "/api/mirrors/"+m.Name, "", 200, &d)
	if len(d.Streams) != 2 || d.Streams[0].Path != "chat/b" || d.Streams[0].State != "stopped" || d.Streams[0].Error == nil ||
		d.Streams[1].State != "live" || d.Streams[1].Position != 2 || *d.Streams[1].Behind != 0 || d.Streams[1].BehindMS != 0 {
		t.Errorf("it is %+v", d)
	}
	var content Stream
	there.call("GET", of("chat/a", ""), "", 200, &content)
	if content.Messages != 2 {
		t.Errorf("the copy is %+v", content)
	}

	// What is wrong is said, and what is in the way of a name.
	here.call("POST", "/api/mirrors", `{"direction":"push","glob":"x","remote":"https://me:pass@host/"}`, 400, nil)
	here.call("POST", "/api/mirrors", `{"direction":"push","glob":"x","remote":"nowhere"}`, 400, nil)
	here.call("POST", "/api/mirrors", `{"direction":"pull","name":"`+m.Name+`","glob":"x","remote":"`+root+`"}`, 409, nil)
	here.call("POST", "/api/mirrors/none/pause", "", 404, nil)

	there.call("DELETE", of("chat/b", ""), "", 204, nil)
	here.call("POST", "/api/mirrors/"+m.Name+"/resume", "", 204, nil)
	awaitMirrors(t, here, func(all []Mirror) bool { return all[0].States == MirrorStates{Live: 1, Closed: 1} })

	// Asked for once more without a token, it has none.
	here.call("POST", "/api/mirrors", `{"direction":"push","glob":"chat/*","remote":"`+root+`"}`, 200, &m)
	if m.TokenGiven {
		t.Errorf("without a token it is %+v", m)
	}

	here.call("POST", "/api/mirrors/"+m.Name+"/pause", "", 204, nil)
	var list struct{ Mirrors []Mirror }
	here.call("GET", "/api/mirrors", "", 200, &list)
	if len(list.Mirrors) != 1 || list.Mirrors[0].State != "paused" {
		t.Errorf("paused, they are %+v", list)
	}
	here.call(http.MethodDelete, "/api/mirrors/"+m.Name, "", 204, nil)
	here.call("GET", "/api/mirrors/"+m.Name, "", 404, nil)
}
