package scale

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"tailrace/test/gateway"
	"tailrace/test/program"
)

// TestSnapshotOfALargeStream: how fast a large stream is written to a folder and to
// an S3 bucket on this machine, beside cp of the same bytes, both with their fsync,
// and how much memory it takes. Export and cp take turns.
func TestSnapshotOfALargeStream(t *testing.T) {
	size, rounds := of(16, 1024)*mib, of(1, 3)
	dir := t.TempDir()
	p := program.Start(t, dir)
	c := newClient(t, p)
	c.send("PUT", "large", "application/octet-stream", nil)
	body := make([]byte, mib)
	_, _ = rand.Read(body) // never fails
	each(size/mib, 8, nil, func(int) { c.send("POST", "large", "application/octet-stream", body) })
	if status := p.Stop(); status != 0 {
		t.Fatalf("exit status %d: %s", status, p.Output)
	}
	p = program.Start(t, dir)
	g := gateway.Start(t)
	copied := filepath.Join(dir, "copied")
	for _, tt := range []struct {
		name  string
		place map[string]any
	}{
		{"folder", map[string]any{"location": filepath.Join(dir, "place")}},
		{"S3", map[string]any{
			"location": "s3://" + gateway.Bucket + "/x", "endpoint": g.Endpoint, "region": "us-east-1", "path_style": true,
			"credentials": map[string]string{"access_key": gateway.AccessKey, "secret_key": gateway.SecretKey},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.place["stream"] = "large"
			var took, cp time.Duration
			idle := memory(t, p.PID(), "VmRSS")
			resetPeak(t, p.PID())
			for range rounds {
				began := time.Now()
				file := job(t, dir, "/api/snapshots", tt.place).Snapshot.Location
				took += time.Since(began)
				if tt.name == "S3" {
					file = filepath.Join(g.Data, gateway.Bucket, "x", file[len("s3://"+gateway.Bucket+"/x/"):])
				}
				began = time.Now()
				for _, command := range [][]string{{"cp", file, copied}, {"sync", copied}} {
					if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
						t.Fatalf("%v: %v\n%s", command, err, out)
					}
				}
				cp += time.Since(began)
				for _, name := range []string{file, copied} {
					if err := os.Remove(name); err != nil {
						t.Fatal(err)
					}
				}
			}
			rate := func(d time.Duration) string {
				return fmt.Sprintf("%.0f MB/s", float64(size)*float64(rounds)/1e6/d.Seconds())
			}
			t.Logf("%s to %s: %s, cp: %s, ratio %.2f; at most %s above idle", megabytes(int64(size)), tt.name, rate(took), rate(cp),
				cp.Seconds()/took.Seconds(), megabytes(memory(t, p.PID(), "VmHWM")-idle))
		})
	}
}
