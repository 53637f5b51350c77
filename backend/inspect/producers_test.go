package inspect

import (
	"fmt"
	"net/http/httptest"
	"os"
	"runtime"
	"testing"
	"time"

	"tailrace/backend/engine"
	"tailrace/backend/protocol"
)

func (p *page) writeAs(stream, producer string, seq int64) {
	p.t.Helper()
	if _, err := p.engine.Append(stream, &engine.AppendRequest{
		ContentType: "text/plain", Payload: protocol.Payload{Data: []byte("x"), Sizes: []int{1}}, Producer: &protocol.Producer{ID: producer, Seq: seq},
	}); err != nil {
		p.t.Fatal(err)
	}
}

func TestManyProducers(t *testing.T) {
	p := newPage(t)
	p.call("PUT", of("a", ""), `{"content_type":"text/plain"}`, 201, nil)
	for i := range 250 {
		p.writeAs("a", fmt.Sprintf("Worker-%03d", i), 0)
	}
	get := func(query string) (list ProducerList) {
		t.Helper()
		p.call("GET", of("a", "/producers?"+query), "", 200, &list)
		for i := range list.Producers[:max(0, len(list.Producers)-2)] {
			if list.Producers[i].LastAppendAt < list.Producers[i+1].LastAppendAt {
				t.Errorf("%s: %+v before %+v", query, list.Producers[i], list.Producers[i+1])
			}
		}
		return list
	}
	for query, want := range map[string][3]int{ // listed, matched, of
		"":                           {200, 250, 250},
		"limit=5":                    {5, 250, 250},
		"limit=1000":                 {250, 250, 250},
		"q=worker-01":                {10, 10, 250},
		"q=worker-01&limit=3":        {3, 10, 250},
		"q=nobody":                   {0, 0, 250},
		"q=nobody&with=Worker-007":   {1, 0, 250},
		"limit=1000&with=Worker-007": {250, 250, 250},
		"limit=5&with=nobody":        {5, 250, 250},
	} {
		list := get(query)
		if got := [3]int{len(list.Producers), list.Matched, list.Total}; got != want {
			t.Errorf("%s: %v listed, matched, of; want %v", query, got, want)
		}
	}
	// Who writes later than all others comes first.
	newest := get("limit=1").Producers[0].LastAppendAt
	deadline := time.Now().Add(time.Minute)
	for seq := int64(1); ; seq++ {
		p.writeAs("a", "Worker-007", seq)
		first := get("limit=1").Producers[0]
		if first.LastAppendAt > newest && first.ID == "Worker-007" && first.LastSeq == seq {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the first is %+v", first)
		}
	}
	p.call("GET", of("a", "/producers?limit=1001"), "", 422, nil)
}

func TestReadersOfAProgram(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("programs are known on Linux")
	}
	p := newPage(t)
	data := httptest.NewServer(p.data)
	t.Cleanup(data.Close)
	p.call("PUT", of("a", ""), `{"content_type":"text/plain"}`, 201, nil)
	follow(t, data, "a", "-1")
	for text, want := range map[string]int{
		fmt.Sprintf("pid+%d", os.Getpid()):          1,
		"INSPECT.test":                              1,
		fmt.Sprintf("inspect.test+%d", os.Getpid()): 1,
		"follower": 1,
		"somebody": 0,
	} {
		var list ReaderList
		p.call("GET", "/api/readers?text="+text, "", 200, &list)
		if list.Matched != want || len(list.Readers) != want || list.All != 1 {
			t.Errorf("%s: %d matched of %d, want %d", text, list.Matched, list.All, want)
		}
	}
}
