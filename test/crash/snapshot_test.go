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

// TestKilledDuringSnapshots kills the program while it takes, restores and compacts
// snapshots. After each kill every recorded snapshot must verify, every acknowledged
// byte must be readable wherever it lies, a restored stream must be there whole or
// not at all, and no job may still run.
func TestKilledDuringSnapshots(t *testing.T) {
	dir := t.TempDir()
	bucket := filepath.Join(dir, "bucket")
	r := rand.New(rand.NewPCG(11, 12))
	p := program.Start(t, dir)
	send(t, http.MethodPut, p.DataURL+"/v1/stream/a", nil)
	all := sha256.New()
	grow := func() [sha256.Size]byte {
		chunk := make([]byte, 1<<20)
		for i := range chunk {
			chunk[i] = byte(r.Uint32())
		}
		send(t, http.MethodPost, p.DataURL+"/v1/stream/a", chunk)
		all.Write(chunk)
		return [sha256.Size]byte(all.Sum(nil))
	}
	for range 11 {
		grow()
	}
	original := grow()
	create := map[string]any{"stream": "a", "location": bucket}
	compact := map[string]any{"streams": "a", "location": bucket}
	var first struct {
		job
		Snapshot struct {
			Location string `json:"location"`
		} `json:"snapshot"`
	}
	api := inspect(t, dir)
	began := time.Now()
	if !api.call(http.MethodPost, "/api/snapshots", create, &first.job) {
		t.Fatal("no snapshot is taken")
	}
	for first.State != "done" {
		if !api.call(http.MethodGet, fmt.Sprintf("/api/jobs/%d?wait=5000", first.ID), nil, &first) || first.Error != nil {
			t.Fatalf("the first snapshot: %+v", first)
		}
	}
	one := time.Since(began) // on this machine, now

	whole, none, cold, failed := 0, 0, 0, 0
	verified := map[string]bool{}
	for round := range 20 {
		want := grow()
		as := fmt.Sprintf("restored-%d", round)
		var j job
		begin := []func(){
			func() { api.call(http.MethodPost, "/api/snapshots/compact", compact, &j) },
			func() { api.call(http.MethodPost, "/api/snapshots", create, &j) },
			func() {
				api.call(http.MethodPost, "/api/snapshots/restore", map[string]any{"file": first.Snapshot.Location, "as": as}, &j)
			},
		}
		// Two run at a time: every kind comes first in turn.
		for i := range begin {
			begin[(i+round)%len(begin)]()
		}
		time.Sleep(time.Duration(r.Int64N(int64(5 * one)))) // a random moment, nothing is awaited
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
		case got != original:
			t.Fatalf("round %d: the restored stream reads differently", round)
		default:
			whole++
			send(t, http.MethodDelete, p.DataURL+"/v1/stream/"+as, nil)
		}
		var stream struct {
			Tail      string `json:"tail"`
			ColdUntil string `json:"cold_until"`
		}
		if !api.call(http.MethodGet, "/api/streams/a", nil, &stream) {
			t.Fatalf("round %d: the stream is not listed", round)
		}
		if stream.ColdUntil == stream.Tail {
			cold++
		}
		var jobs struct {
			Jobs []job `json:"jobs"`
		}
		if !api.call(http.MethodGet, "/api/jobs", nil, &jobs) {
			t.Fatalf("round %d: no jobs are listed", round)
		}
		failed = 0
		for _, j := range jobs.Jobs {
			switch j.State {
			case "running":
				t.Fatalf("round %d: job %d still runs, after a kill", round, j.ID)
			case "failed":
				failed++
			}
		}
		api.verifyNew(verified, round)
	}
	t.Logf("restored %d times whole, %d times not at all; compacted %d times; %d jobs were listed as failed", whole, none, cold, failed)
	p.Kill()
	if _, err := os.Stat(filepath.Join(program.DataDir(dir), "tailrace.db")); err != nil {
		t.Error(err)
	}
}

// verifyNew verifies the recorded snapshots that have not been yet.
func (i *inspector) verifyNew(verified map[string]bool, round int) {
	i.t.Helper()
	var list struct {
		Snapshots []struct {
			Location string `json:"location"`
		} `json:"snapshots"`
	}
	if !i.call(http.MethodGet, "/api/snapshots", nil, &list) || len(list.Snapshots) == 0 {
		i.t.Fatalf("round %d: no snapshots are listed", round)
	}
	for _, s := range list.Snapshots {
		if verified[s.Location] {
			continue
		}
		verified[s.Location] = true
		var j job
		if !i.call(http.MethodPost, "/api/snapshots/verify", map[string]any{"file": s.Location}, &j) {
			i.t.Fatalf("round %d: %s is not verified", round, s.Location)
		}
		if j = i.finish(j); j.State != "done" {
			i.t.Fatalf("round %d: %s is recorded, but: %v", round, s.Location, *j.Error)
		}
	}
}
