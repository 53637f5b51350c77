package store

import (
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	count := func(durations ...time.Duration) *Counts {
		var h Histogram
		for _, d := range durations {
			h.Add(d)
		}
		c := h.Counts()
		return &c
	}
	many := func(n int, d time.Duration) []time.Duration {
		out := make([]time.Duration, n)
		for i := range out {
			out[i] = d
		}
		return out
	}
	const ms = time.Millisecond
	fast, both := many(50, 200*time.Microsecond), append(many(50, 200*time.Microsecond), many(50, 8*ms)...)
	for name, tt := range map[string]struct {
		since, now *Counts
		part       float64
		want       time.Duration
	}{
		"none":               {count(fast...), count(fast...), 0.5, 0},
		"within the first":   {count(), count(fast...), 0.5, 125 * time.Microsecond},
		"within a later one": {count(), count(both...), 0.99, 9900 * time.Microsecond},
		"since":              {count(fast...), count(both...), 0.5, 7500 * time.Microsecond},
		"longer than all":    {count(), count(many(10, time.Minute)...), 0.5, time.Second},
	} {
		if got := tt.now.Quantile(tt.since, tt.part); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
