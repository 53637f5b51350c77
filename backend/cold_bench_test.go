package backend

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tailrace/backend/config"
)

// BenchmarkAppendsWhileColdIsRead appends to other streams while ten readers read a
// compacted stream that is larger than what is kept of it in memory, and reports the
// rate relative to that without readers, and with ten readers of the same data in
// the log. The three take turns, a second each. Readers pause after each response,
// of up to 1 MiB, or read as fast as they can, which takes whatever the machine has:
// they run on it, too.
//
//	go test -run '^$' -bench ColdIsRead -benchtime 1x ./backend
func BenchmarkAppendsWhileColdIsRead(b *testing.B) {
	for _, pause := range []time.Duration{time.Second, 250 * time.Millisecond, 0} {
		b.Run("pause="+pause.String(), func(b *testing.B) { benchmarkColdReaders(b, pause) })
	}
}

func benchmarkColdReaders(b *testing.B, pause time.Duration) {
	const size, turns = 96 << 20, 8
	dir := b.TempDir()
	back := openForBench(b, func(c *config.Config) {
		c.DataDir = dir + "/data"
		c.Targets = []string{"keep=" + dir + "/keep"}
	})
	url := back.DataURL() + "/v1/stream/"
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	send := func(method, path string, body []byte) error {
		req, err := http.NewRequest(method, url+path, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "text/plain")
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode/100 != 2 {
			return fmt.Errorf("%s %s: %s, %v", method, path, res.Status, err)
		}
		return nil
	}
	must := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	line := []byte(strings.Repeat("x", 32<<10))
	for _, path := range []string{"hot", "cold"} {
		must(send(http.MethodPut, path, nil))
		for range size / len(line) {
			must(send(http.MethodPost, path, line))
		}
	}
	finish(b, back, "/api/snapshots/compact", map[string]any{"streams": "cold", "target": "keep"})

	var appended, read, failed atomic.Int64
	var errs sync.Map
	stop, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for i := range 16 {
		path := fmt.Sprintf("other-%d", i)
		must(send(http.MethodPut, path, nil))
		running.Go(func() {
			for stop.Err() == nil {
				if err := send(http.MethodPost, path, line[:100]); err != nil {
					errs.Store(err.Error(), true)
					failed.Add(1)
					return
				}
				appended.Add(1)
			}
		})
	}
	// readers read a stream again and again, from its beginning.
	readers := func(ctx context.Context, path string) {
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				wait := time.NewTimer(pause * time.Duration(i) / 10) // not all at once
				defer wait.Stop()
				for offset := "-1"; ctx.Err() == nil; {
					select {
					case <-wait.C:
					case <-ctx.Done():
						return
					}
					req, _ := http.NewRequestWithContext(ctx, http.MethodGet, url+path+"?offset="+offset, nil)
					res, err := client.Do(req)
					if err != nil {
						return // the turn is over
					}
					n, _ := io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
					read.Add(n)
					wait.Reset(pause)
					if offset = res.Header.Get("Stream-Next-Offset"); res.Header.Get("Stream-Up-To-Date") != "" || offset == "" {
						offset = "-1"
					}
				}
			})
		}
		all.Wait()
	}
	rates, bytesRead := map[string]int64{}, map[string]int64{}
	for range b.N {
		for range turns {
			for _, path := range []string{"", "hot", "cold"} {
				ctx, end := context.WithTimeout(stop, time.Second)
				before, was := appended.Load(), read.Load()
				if path == "" {
					<-ctx.Done()
				} else {
					readers(ctx, path)
				}
				rates[path] += appended.Load() - before
				bytesRead[path] += read.Load() - was
				end()
			}
		}
	}
	cancel()
	running.Wait()
	if failed.Load() > 0 {
		errs.Range(func(k, _ any) bool { b.Error(k); return true })
	}
	seconds := float64(b.N * turns)
	b.ReportMetric(float64(rates[""])/seconds, "appends/s-alone")
	b.ReportMetric(float64(rates["cold"])/float64(rates[""]), "of-alone")
	b.ReportMetric(float64(rates["cold"])/float64(rates["hot"]), "of-hot-readers")
	b.ReportMetric(float64(bytesRead["cold"])/seconds/1e6, "coldMB/s")
	b.ReportMetric(float64(bytesRead["hot"])/seconds/1e6, "hotMB/s")
	b.ReportMetric(0, "ns/op")
}

func openForBench(b *testing.B, change func(*config.Config)) *Backend {
	b.Helper()
	c := config.Default()
	c.Listen, c.Inspect, c.InspectSet = "127.0.0.1:0", "127.0.0.1:0", true
	change(&c)
	back, err := Open(Options{Config: c})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := back.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return back
}
