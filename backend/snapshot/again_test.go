package snapshot_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tailrace/backend/snapshot"
	"tailrace/backend/snapshot/bucket"
)

// TestJobsAreBegunAgain: one that the end of the server has ended is listed as
// failed, and begun again with what it was asked for, but without the keys.
func TestJobsAreBegunAgain(t *testing.T) {
	dir, place := t.TempDir(), filepath.Join(t.TempDir(), "place")
	if err := os.WriteFile(place, nil, 0o600); err != nil { // a file where the folder shall be
		t.Fatal(err)
	}
	w := openWorld(t, dir, nil)
	w.stream(t, "orders", "text/plain", "one")
	to := snapshot.Where{Place: bucket.Target{Location: place, Keys: &bucket.Keys{Access: "access", Secret: "very secret"}}}
	created, err := w.manager.Create(snapshot.CreateRequest{Path: "orders", To: to, Compress: true})
	if err != nil {
		t.Fatal(err)
	}
	backedUp, err := w.manager.Backup(to)
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range []*snapshot.Job{created, backedUp} {
		<-j.Done()
		if p := j.Progress(); p.State != snapshot.JobFailed {
			t.Fatalf("job %d is %s", j.ID, p.State)
		}
	}
	w.close(t)
	for _, name := range []string{"tailrace.db", "tailrace.db-wal"} {
		if data, err := os.ReadFile(filepath.Join(dir, name)); err == nil && strings.Contains(string(data), "very secret") {
			t.Errorf("%s holds the keys", name)
		}
	}
	if err := os.Remove(place); err != nil {
		t.Fatal(err)
	}

	w = openWorld(t, dir, nil)
	defer w.close(t)
	for _, id := range []int64{created.ID, backedUp.ID} {
		old := w.manager.Job(id)
		if old == nil || !old.CanBeginAgain() || old.Progress().State != snapshot.JobFailed {
			t.Fatalf("job %d after the restart: %+v", id, old)
		}
		j, err := w.manager.Again(old)
		if err != nil {
			t.Fatal(err)
		}
		<-j.Done()
		if p := j.Progress(); p.State != snapshot.JobDone || j.Kind != old.Kind || j.ID == old.ID {
			t.Errorf("job %d, %s: %s, %v", j.ID, j.Kind, p.State, p.Err)
		}
	}
	var bad *snapshot.RequestError
	if _, err := w.manager.Again(&snapshot.Job{}); !errors.As(err, &bad) {
		t.Errorf("one that nobody knows: %v", err)
	}
}
