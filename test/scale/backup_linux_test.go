package scale

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"testing"
	"time"

	"tailrace/test/program"
)

// TestAppendsDuringABackup: how long appends take while everything is copied, beside
// none of that and beside cp of as many bytes. The three take turns.
func TestAppendsDuringABackup(t *testing.T) {
	small, blobs, rounds := of(100, 16_000), of(2, 256), of(1, 5)
	quiet := time.Duration(of(100, 3000)) * time.Millisecond
	dir := t.TempDir()
	p := program.Start(t, dir)
	c := newClient(t, p)
	body := make([]byte, mib)
	_, _ = rand.Read(body) // never fails
	// What lies in the database, and what lies in files beside it.
	each(small, 32, nil, func(i int) { c.send("PUT", fmt.Sprintf("small/%d", i), "application/octet-stream", body[:16<<10]) })
	c.send("PUT", "large", "application/octet-stream", nil)
	each(blobs, 4, nil, func(int) { c.send("POST", "large", "application/octet-stream", body) })
	const writers = 8
	for i := range writers {
		c.send("PUT", fmt.Sprintf("log/%d", i), "application/octet-stream", nil)
	}

	// during is how long each append took while something was done.
	during := func(do func()) []time.Duration {
		stop, took := make(chan struct{}), make(chan []time.Duration)
		go func() {
			took <- each(1<<30, writers, stop, func(i int) { c.send("POST", fmt.Sprintf("log/%d", i%writers), "application/octet-stream", body[:100]) })
		}()
		do()
		close(stop)
		return <-took
	}
	var alone, backup, cp []time.Duration
	place, copied := filepath.Join(dir, "place"), filepath.Join(dir, "copied")
	for range rounds {
		alone = append(alone, during(func() { time.Sleep(quiet) })...)
		var size int64
		began := time.Now()
		backup = append(backup, during(func() {
			size = job(t, dir, "/api/backups", map[string]any{"location": place}).Backup.Size
		})...)
		took := time.Since(began)
		began = time.Now()
		cp = append(cp, during(func() {
			if out, err := exec.Command("sh", "-c", `cp -r "$0" "$1" && find "$1" -type f -exec sync {} +`, place, copied).CombinedOutput(); err != nil {
				t.Errorf("cp: %v\n%s", err, out)
			}
		})...)
		t.Logf("%s: backup %.1f s, cp %.1f s", megabytes(size), took.Seconds(), time.Since(began).Seconds())
		for _, name := range []string{place, copied} {
			if err := os.RemoveAll(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, phase := range []struct {
		name string
		took []time.Duration
	}{{"alone", alone}, {"during a backup", backup}, {"during cp", cp}} {
		all := phase.took
		sort.Slice(all, func(i, k int) bool { return all[i] < all[k] })
		at := func(q float64) string { return fmt.Sprintf("%.1f ms", quantile(all, q).Seconds()*1000) }
		t.Logf("%d appends %s: p50 %s, p99 %s, p99.9 %s, longest %s", len(all), phase.name, at(.5), at(.99), at(.999), at(1))
	}
}
