package scale

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"tailrace/test/program"
)

func TestMain(m *testing.M) { program.Main(m) }

var large = os.Getenv("TAILRACE_SCALE") != ""

// of is a size: little with the other tests, much in a measurement.
func of(little, much int) int {
	if large {
		return much
	}
	return little
}

const mib = 1 << 20

func megabytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/mib) }

// onDisk is what a folder takes up, holes not counted.
func onDisk(t *testing.T, dir string) (n int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := d.Info(); err == nil { // it may just have gone
			n += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestManyStreams: how much memory a server needs at rest, with many streams on
// its disk and with many in use, and how long it takes to start.
func TestManyStreams(t *testing.T) {
	streams, active, blobs := of(300, 100_000), of(100, 10_000), of(20, 5_000)
	dir := t.TempDir()
	p := program.Start(t, dir)
	t.Logf("nothing on disk: %s resident", megabytes(memory(t, p.PID(), "VmRSS")))

	c := newClient(t, p)
	path := func(i int) string { return fmt.Sprintf("app-%d/session-%d", i%50, i) }
	created := each(streams, 64, nil, func(i int) {
		c.send("PUT", path(i), "application/json", []byte(`[{"session":"begins"}]`))
	})
	t.Logf("created %d streams, p50 %s", len(created), quantile(created, .5))
	blob := bytes.Repeat([]byte("0123456789abcdef"), mib/16)
	c.send("PUT", "blobs", "application/octet-stream", nil)
	each(blobs, 4, nil, func(int) { c.send("POST", "blobs", "application/octet-stream", blob) })
	if status := p.Stop(); status != 0 {
		t.Fatalf("exit status %d: %s", status, p.Output)
	}
	t.Logf("%d streams on disk: %s", streams+1, megabytes(onDisk(t, program.DataDir(dir))))

	began := time.Now()
	p = program.Start(t, dir)
	t.Logf("start to ready: %s, then %s resident", time.Since(began), megabytes(memory(t, p.PID(), "VmRSS")))
	c = newClient(t, p)
	appended := each(active, 64, nil, func(i int) { c.send("POST", path(i), "application/json", []byte(`{"n":1}`)) })
	t.Logf("one append to each of %d streams that were not in use: p50 %s, p99 %s, then %s resident", active,
		quantile(appended, .5), quantile(appended, .99), megabytes(memory(t, p.PID(), "VmRSS")))
	appended = each(active, 64, nil, func(i int) { c.send("POST", path(i), "application/json", []byte(`{"n":2}`)) })
	t.Logf("another one to each: p50 %s, p99 %s", quantile(appended, .5), quantile(appended, .99))
	began = time.Now()
	size := c.read("__registry__")
	t.Logf("the registry, %s, read in %s", megabytes(size), time.Since(began))
	each(active, 16, nil, func(i int) {
		if got := c.read(path(i)); got != int64(len(`[{"session":"begins"},{"n":1},{"n":2}]`)) {
			t.Errorf("%s has %d bytes", path(i), got)
		}
	})
	if got := c.read("blobs"); got != int64(blobs)*mib {
		t.Errorf("the large stream has %d bytes", got)
	}
}

// TestOneLargeStream: what four readers of a large stream need at the same time,
// and how long its deletion keeps others from appending.
func TestOneLargeStream(t *testing.T) {
	for _, tt := range []struct {
		name         string
		size, append int
	}{{"appends of 1 MiB", of(20, 1024) * mib, mib}, {"appends of 1 KiB", of(16, 1024) * mib, 1 << 10}} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			p := program.Start(t, dir)
			c := newClient(t, p)
			c.send("PUT", "large", "application/octet-stream", nil)
			body := bytes.Repeat([]byte("0123456789abcdef"), tt.append/16)
			each(tt.size/tt.append, 64, nil, func(int) { c.send("POST", "large", "application/octet-stream", body) })

			written := memory(t, p.PID(), "VmRSS")
			resetPeak(t, p.PID())
			began := time.Now()
			var readers sync.WaitGroup
			for range 4 {
				readers.Go(func() {
					if got := c.read("large"); got != int64(tt.size) {
						t.Errorf("a reader got %d bytes of %d", got, tt.size)
					}
				})
			}
			readers.Wait()
			t.Logf("four readers of %s: %s, at most %s resident, %s before", megabytes(int64(tt.size)), time.Since(began),
				megabytes(memory(t, p.PID(), "VmHWM")), megabytes(written))

			c.send("PUT", "other", "text/plain", nil)
			line := []byte("an append of another stream")
			quiet := each(of(500, 20_000), 4, nil, func(int) { c.send("POST", "other", "text/plain", line) })
			full := onDisk(t, program.DataDir(dir))
			stop := make(chan struct{})
			var during []time.Duration
			var appender sync.WaitGroup
			appender.Go(func() { during = each(1<<30, 4, stop, func(int) { c.send("POST", "other", "text/plain", line) }) })
			began = time.Now()
			c.send("DELETE", "large", "text/plain", nil)
			answered := time.Since(began)
			// Some is kept for the next writes, and others append meanwhile.
			wanted := full - int64(tt.size) + 8*mib
			for deadline := began.Add(2 * time.Minute); onDisk(t, program.DataDir(dir)) > wanted; {
				if time.Now().After(deadline) {
					t.Errorf("the space is not returned: %s are left of %s", megabytes(onDisk(t, program.DataDir(dir))), megabytes(full))
					break
				}
				time.Sleep(10 * time.Millisecond) // there is no other sign
			}
			returned := time.Since(began)
			close(stop)
			appender.Wait()
			t.Logf("deleted in %s, the space returned after %s; appends meanwhile: p50 %s, longest %s; before: p50 %s, longest %s",
				answered, returned, quantile(during, .5), quantile(during, 1), quantile(quiet, .5), quantile(quiet, 1))
		})
	}
}

// TestLongLoad: how long commits take while 64 connections append.
func TestLongLoad(t *testing.T) {
	p := program.Start(t, t.TempDir())
	c := newClient(t, p)
	for _, size := range []int{100, 1 << 10} {
		for i := range 64 {
			c.send("PUT", fmt.Sprintf("load/%d/%d", size, i), "text/plain", nil)
		}
		body := bytes.Repeat([]byte("x"), size)
		stop := make(chan struct{})
		timer := time.AfterFunc(time.Duration(of(1, 30))*time.Second, func() { close(stop) })
		before := c.commits()
		appends := each(1<<30, 64, stop, func(i int) { c.send("POST", fmt.Sprintf("load/%d/%d", size, i%64), "text/plain", body) })
		timer.Stop()
		after := c.commits()
		t.Logf("%d appends of %d B: p50 %s, p99 %s, p99.9 %s; commits: p50 up to %s, p99.9 up to %s", len(appends), size,
			quantile(appends, .5), quantile(appends, .99), quantile(appends, .999), commitQuantile(before, after, .5), commitQuantile(before, after, .999))
	}
}
