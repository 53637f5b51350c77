package scale

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"

	"tailrace/backend"
	"tailrace/test/program"
)

// jobDone is what a job has made.
type jobDone struct {
	ID       int64   `json:"id"`
	State    string  `json:"state"`
	Error    *string `json:"error"`
	Snapshot struct {
		Location string `json:"location"`
	} `json:"snapshot"`
	Backup struct {
		Location string `json:"location"`
		Size     int64  `json:"size"`
	} `json:"backup"`
}

// job has the server begin a job, and waits for its end.
func job(t *testing.T, dir, path string, in map[string]any) jobDone {
	t.Helper()
	run, err := backend.ReadRunFile(program.DataDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	call := func(method, path string, in any) (j jobDone) {
		body, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequest(method, run.InspectorURL+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+run.Token)
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		answer, err := io.ReadAll(res.Body)
		if err != nil || json.Unmarshal(answer, &j) != nil || res.StatusCode/100 != 2 {
			t.Fatalf("%s %s: %s %s %v", method, path, res.Status, answer, err)
		}
		return j
	}
	j := call(http.MethodPost, path, in)
	for j.State == "running" {
		j = call(http.MethodGet, fmt.Sprintf("/api/jobs/%d?wait=30000", j.ID), nil)
	}
	if j.State != "done" {
		t.Fatalf("the job is %s: %v", j.State, j.Error)
	}
	return j
}
