package store

import (
	"sync/atomic"
	"time"
)

// commitBounds are the upper bounds of the commit latency buckets.
var commitBounds = [...]time.Duration{
	250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, time.Second,
}

// Histogram counts how long commits took, by bucket; one goroutine adds, any may
// read.
type Histogram struct {
	counts [len(commitBounds) + 1]atomic.Uint64
	sum    atomic.Int64 // nanoseconds
}

// Counts is how many commits fell into each bucket.
type Counts [len(commitBounds) + 1]uint64

// Add counts one commit.
func (h *Histogram) Add(d time.Duration) {
	i := 0
	for i < len(commitBounds) && d > commitBounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(int64(d))
}

// Counts returns what was counted so far.
func (h *Histogram) Counts() Counts {
	var c Counts
	for i := range c {
		c[i] = h.counts[i].Load()
	}
	return c
}

// Quantile returns the time within which a part of the commits since an earlier
// moment were done, taken as even within a bucket; 0: there were none.
func (c *Counts) Quantile(since *Counts, part float64) time.Duration {
	total := 0.0
	for i := range c {
		total += float64(c[i] - since[i])
	}
	wanted, lower := part*total, time.Duration(0)
	for i, bound := range commitBounds {
		count := float64(c[i] - since[i])
		if count > 0 && count >= wanted {
			return lower + time.Duration(float64(bound-lower)*wanted/count)
		}
		wanted, lower = wanted-count, bound
	}
	if total == 0 {
		return 0
	}
	return lower
}

// CommitCounts returns how long transactions took so far.
func (d *DB) CommitCounts() Counts { return d.commits.Counts() }

// Stats are figures of a running log.
type Stats struct {
	// Commits counts transactions that carried writes, Writes what they carried.
	Commits, Writes uint64
	// CommitSeconds is the sum of their durations; CommitBuckets maps an upper
	// bound in seconds to how many took at most that long.
	CommitSeconds float64
	CommitBuckets map[float64]uint64
	// FailedCommits counts transactions that were rolled back.
	FailedCommits uint64
	// UnsealedBytes and CachedBytes are parts of the memtable.
	UnsealedBytes, CachedBytes int
}

// Stats returns the log's figures.
func (d *DB) Stats() Stats {
	s := Stats{
		Writes:        d.writes.Load(),
		FailedCommits: d.failed.Load(),
		CommitSeconds: time.Duration(d.commits.sum.Load()).Seconds(),
		CommitBuckets: make(map[float64]uint64, len(commitBounds)),
	}
	for i, bound := range commitBounds {
		s.Commits += d.commits.counts[i].Load()
		s.CommitBuckets[bound.Seconds()] = s.Commits
	}
	s.Commits += d.commits.counts[len(commitBounds)].Load()
	s.UnsealedBytes, s.CachedBytes = d.mem.sizes()
	return s
}

// Failing returns the error of the last commit, nil when it succeeded.
func (d *DB) Failing() error {
	if err := d.failing.Load(); err != nil {
		return *err
	}
	return nil
}
