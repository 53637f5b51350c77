package crash

import (
	"crypto/rand"
	mathrand "math/rand/v2"
	"net/http"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"tailrace/test/program"
)

// TestKilledDuringBackups kills the program while it makes backups. After each kill
// the log must be whole and without copies, and each backup that has a manifest must
// verify. The last one is restored and must read the same.
func TestKilledDuringBackups(t *testing.T) {
	dir := t.TempDir()
	place := map[string]any{"location": filepath.Join(dir, "place")}
	r := mathrand.New(mathrand.NewPCG(13, 14))
	p := program.Start(t, dir)
	stream := func() string { return p.DataURL + "/v1/stream/a" }
	send(t, http.MethodPut, stream(), nil)
	grow := func() [32]byte {
		chunk := make([]byte, 4<<20)
		_, _ = rand.Read(chunk) // never fails
		send(t, http.MethodPost, stream(), chunk)
		digest, _ := read(t, stream())
		return digest
	}
	grow()
	began := time.Now()
	api := inspect(t, dir)
	if j := api.backup(place); j.State != "done" {
		t.Fatalf("the first backup: %+v", j)
	}
	one := time.Since(began) // on this machine, now

	torn := map[string]bool{}
	for round := range 10 {
		want := grow()
		var j job
		api.call(http.MethodPost, "/api/backups", place, &j)
		time.Sleep(time.Duration(r.Int64N(int64(2 * one)))) // a random moment, nothing is awaited
		p.Kill()

		p = program.Start(t, dir)
		p.CheckOutput()
		api = inspect(t, dir)
		if got, _ := read(t, stream()); got != want {
			t.Fatalf("round %d: the stream reads differently", round)
		}
		if left, err := filepath.Glob(filepath.Join(program.DataDir(dir), "copy-*")); err != nil || len(left) > 0 {
			t.Fatalf("round %d: left behind: %v, %v", round, left, err)
		}
		for _, b := range api.backups(place) {
			if b.Problem != nil {
				torn[b.Location] = true
				continue
			}
			var j job
			if !api.call(http.MethodPost, "/api/backups/verify", map[string]any{"backup": b.Location}, &j) {
				t.Fatalf("round %d: %s is not verified", round, b.Location)
			}
			if j = api.finish(j); j.State != "done" {
				t.Fatalf("round %d: %s has a manifest, but: %v", round, b.Location, *j.Error)
			}
		}
	}
	want := grow()
	if j := api.backup(place); j.State != "done" {
		t.Fatalf("the last backup: %+v", j)
	}
	t.Logf("%d of %d backups were torn", len(torn), len(api.backups(place)))
	p.Kill()

	again := t.TempDir()
	restore := exec.Command(program.Binary(t), "backup", "restore", place["location"].(string), "--data-dir", program.DataDir(again))
	restore.Env = program.Env(again)
	if out, err := restore.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p = program.Start(t, again)
	if got, _ := read(t, stream()); got != want {
		t.Error("the restored stream reads differently")
	}
}

func (i *inspector) backup(place map[string]any) job {
	i.t.Helper()
	var j job
	if !i.call(http.MethodPost, "/api/backups", place, &j) {
		i.t.Fatal("no backup is made")
	}
	return i.finish(j)
}

type listedBackup struct {
	Location string  `json:"location"`
	Problem  *string `json:"problem"`
}

func (i *inspector) backups(place map[string]any) []listedBackup {
	i.t.Helper()
	var list struct {
		Backups []listedBackup `json:"backups"`
	}
	if !i.call(http.MethodPost, "/api/backups/list", place, &list) || len(list.Backups) == 0 {
		i.t.Fatalf("no backups are listed at %v", place)
	}
	return list.Backups
}
