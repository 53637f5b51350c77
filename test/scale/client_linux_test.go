package scale

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tailrace/test/program"
)

// client makes requests to the data port of a program.
type client struct {
	t    *testing.T
	p    *program.Program
	http *http.Client
}

func newClient(t *testing.T, p *program.Program) *client {
	return &client{t, p, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128}}}
}

// send makes a request that must succeed, and returns the answer's header.
func (c *client) send(method, path, contentType string, body []byte) http.Header {
	req, err := http.NewRequest(method, c.p.DataURL+"/v1/stream/"+path, bytes.NewReader(body))
	if err != nil {
		c.t.Error(err)
		return nil
	}
	req.Header.Set("Content-Type", contentType)
	res, err := c.http.Do(req)
	if err != nil {
		c.t.Error(err)
		return nil
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode/100 != 2 {
		c.t.Errorf("%s %s: %s %s %v", method, path, res.Status, answer, err)
	}
	return res.Header
}

// read follows a stream from its beginning to its tail and returns how much it had.
func (c *client) read(path string) (n int64) {
	offset := "-1"
	for {
		res, err := c.http.Get(c.p.DataURL + "/v1/stream/" + path + "?offset=" + offset)
		if err != nil {
			c.t.Error(err)
			return n
		}
		got, err := io.Copy(io.Discard, res.Body)
		if err := res.Body.Close(); err != nil {
			c.t.Error(err)
		}
		if err != nil || res.StatusCode != http.StatusOK {
			c.t.Errorf("read %s at %s: %s %v", path, offset, res.Status, err)
			return n
		}
		n += got
		offset = res.Header.Get("Stream-Next-Offset")
		if res.Header.Get("Stream-Up-To-Date") == "true" {
			return n
		}
	}
}

// each calls f for 0 up to n from many goroutines, until it is done or stop is
// closed, and returns the time of each call, shortest first.
func each(n, workers int, stop <-chan struct{}, f func(i int)) []time.Duration {
	var next atomic.Int64
	var all []time.Duration
	var mu sync.Mutex
	var done sync.WaitGroup
	for range workers {
		done.Go(func() {
			var mine []time.Duration
			for {
				i := int(next.Add(1)) - 1
				select {
				case <-stop:
					i = n
				default:
				}
				if i >= n {
					break
				}
				began := time.Now()
				f(i)
				mine = append(mine, time.Since(began))
			}
			mu.Lock()
			all = append(all, mine...)
			mu.Unlock()
		})
	}
	done.Wait()
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	return all
}

// quantile is the smallest time that is not less than a share of all.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// commits returns the counts of the buckets of tailrace_commit_seconds, by their
// upper bound.
func (c *client) commits() map[float64]float64 {
	res, err := c.http.Get(c.p.DataURL + "/metrics")
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	counts := map[float64]float64{}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		var bound, count float64
		line := strings.Replace(lines.Text(), "+Inf", "9999", 1)
		if n, _ := fmt.Sscanf(line, `tailrace_commit_seconds_bucket{le="%g"} %g`, &bound, &count); n == 2 {
			counts[bound] = count
		}
	}
	if len(counts) == 0 {
		c.t.Fatal("no tailrace_commit_seconds in /metrics")
	}
	return counts
}

// commitQuantile is the bound that a share of the commits between two readings
// stayed below.
func commitQuantile(before, after map[float64]float64, q float64) time.Duration {
	var bounds []float64
	for b := range after {
		bounds = append(bounds, b)
	}
	sort.Float64s(bounds)
	last := bounds[len(bounds)-1]
	total := after[last] - before[last]
	for _, b := range bounds {
		if after[b]-before[b] >= q*total {
			return time.Duration(b * float64(time.Second))
		}
	}
	return 0
}
