package crash

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tailrace/backend"
	"tailrace/test/program"
)

// inspector calls the inspector API of a running program. A failed call gives
// false: the program may have been killed meanwhile.
type inspector struct {
	t   *testing.T
	run backend.RunFile
}

func inspect(t *testing.T, dir string) *inspector {
	t.Helper()
	run, err := backend.ReadRunFile(program.DataDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	return &inspector{t, run}
}

func (i *inspector) call(method, path string, in, out any) bool {
	i.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		i.t.Fatal(err)
	}
	req, err := http.NewRequest(method, i.run.InspectorURL+path, bytes.NewReader(body))
	if err != nil {
		i.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+i.run.Token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return json.NewDecoder(res.Body).Decode(out) == nil && res.StatusCode/100 == 2
}

type job struct {
	ID    int64   `json:"id"`
	State string  `json:"state"`
	Error *string `json:"error"`
}

// finish waits for the end of a job.
func (i *inspector) finish(j job) job {
	for j.State == "running" && i.call(http.MethodGet, fmt.Sprintf("/api/jobs/%d?wait=5000", j.ID), nil, &j) {
	}
	return j
}

func send(t *testing.T, method, url string, body []byte) {
	t.Helper()
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s", method, url, res.Status)
	}
}

// read returns the digest of a stream's data; false: there is no such stream.
func read(t *testing.T, url string) (digest [sha256.Size]byte, ok bool) {
	t.Helper()
	h := sha256.New()
	offset := "-1"
	for {
		res, err := http.Get(url + "?offset=" + offset)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(h, res.Body)
		_ = res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode == http.StatusNotFound {
			return digest, false
		}
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", url, res.Status)
		}
		if res.Header.Get("Stream-Up-To-Date") != "" {
			h.Sum(digest[:0])
			return digest, true
		}
		offset = res.Header.Get("Stream-Next-Offset")
	}
}

// TestKilledDuringSnapshots kills the program while it takes and restores
// snapshots. After each kill every recorded snapshot must verify, and a restored
// stream must be there whole or not at all.
func TestKilledDuringSnapshots(t *testing.T) {
	dir := t.TempDir()
	bucket := filepath.Join(dir, "bucket")
	r := rand.New(rand.NewPCG(11, 12))
	p := program.Start(t, dir)
	url := p.DataURL + "/v1/stream/a"
	send(t, http.MethodPut, url, nil)
	chunk := make([]byte, 1<<20)
	for range 12 {
		for i := range chunk {
			chunk[i] = byte(r.Uint32())
		}
		send(t, http.MethodPost, url, chunk)
	}
	want, _ := read(t, url)
	create := map[string]any{"stream": "a", "location": bucket}
	var first struct {
		job
		Snapshot struct {
			Location string `json:"location"`
		} `json:"snapshot"`
	}
	api := inspect(t, dir)
	if !api.call(http.MethodPost, "/api/snapshots", create, &first.job) {
		t.Fatal("no snapshot is taken")
	}
	for first.State != "done" {
		if !api.call(http.MethodGet, fmt.Sprintf("/api/jobs/%d?wait=5000", first.ID), nil, &first) || first.Error != nil {
			t.Fatalf("the first snapshot: %+v", first)
		}
	}

	whole, none := 0, 0
	for round := range 20 {
		as := fmt.Sprintf("restored-%d", round)
		var j job
		api.call(http.MethodPost, "/api/snapshots", create, &j)
		api.call(http.MethodPost, "/api/snapshots/restore", map[string]any{"file": first.Snapshot.Location, "as": as}, &j)
		time.Sleep(time.Duration(r.IntN(600)) * time.Millisecond) // a random moment, nothing is awaited
		p.Kill()

		p = program.Start(t, dir)
		p.CheckOutput()
		api = inspect(t, dir)
		if got, _ := read(t, p.DataURL+"/v1/stream/a"); got != want {
			t.Fatalf("round %d: the stream reads differently", round)
		}
		switch got, ok := read(t, p.DataURL+"/v1/stream/"+as); {
		case !ok:
			none++
		case got != want:
			t.Fatalf("round %d: the restored stream reads differently", round)
		default:
			whole++
		}
		var list struct {
			Snapshots []struct {
				Location string `json:"location"`
			} `json:"snapshots"`
		}
		if !api.call(http.MethodGet, "/api/snapshots", nil, &list) || len(list.Snapshots) == 0 {
			t.Fatalf("round %d: no snapshots are listed", round)
		}
		newest := list.Snapshots[0].Location // those before have been looked at
		if !api.call(http.MethodPost, "/api/snapshots/verify", map[string]any{"file": newest}, &j) {
			t.Fatalf("round %d: %s is not verified", round, newest)
		}
		if j = api.finish(j); j.State != "done" {
			t.Fatalf("round %d: %s is recorded, but: %v", round, newest, *j.Error)
		}
	}
	t.Logf("restored %d times whole, %d times not at all", whole, none)
	p.Kill()
	if _, err := os.Stat(filepath.Join(program.DataDir(dir), "tailrace.db")); err != nil {
		t.Error(err)
	}
}
