package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tailrace/backend/engine"
	"tailrace/backend/store"
)

// Handler returns the handler of /metrics.
func Handler(e *engine.Engine, db *store.DB) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&collector{engine: e, db: db},
	)
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}

// collector reads all figures at once.
type collector struct {
	engine *engine.Engine
	db     *store.DB
}

func describe(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("tailrace_"+name, help, nil, nil)
}

var (
	streams     = describe("streams", "Application streams that exist.")
	sequencers  = describe("sequencers", "Paths in use.")
	readers     = describe("live_readers", "Open long-polls and SSE responses.")
	appends     = describe("appends_total", "Accepted appends, creations with content included.")
	bytes       = describe("append_bytes_total", "Payload of accepted appends.")
	commits     = describe("commit_seconds", "Time of transactions, from the first write taken to all on disk.")
	writes      = describe("commit_writes_total", "Writes that transactions carried.")
	failures    = describe("commit_failures_total", "Transactions that were rolled back.")
	unsealed    = describe("log_unsealed_bytes", "Appended data that is not sealed into segments yet.")
	cached      = describe("log_cached_bytes", "Appended data that is kept in memory.")
	databaseLen = describe("database_bytes", "Size of the database with its write-ahead log.")
)

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		streams, sequencers, readers, appends, bytes, commits, writes, failures, unsealed, cached, databaseLen,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	counter := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v)
	}
	totals, s := c.engine.Totals(), c.db.Stats()
	gauge(streams, float64(totals.Streams.Load()))
	gauge(sequencers, float64(c.engine.Sequencers()))
	gauge(readers, float64(totals.Readers.Load()))
	counter(appends, float64(totals.Appends.Load()))
	counter(bytes, float64(totals.Bytes.Load()))
	ch <- prometheus.MustNewConstHistogram(commits, s.Commits, s.CommitSeconds, s.CommitBuckets)
	counter(writes, float64(s.Writes))
	counter(failures, float64(s.FailedCommits))
	gauge(unsealed, float64(s.UnsealedBytes))
	gauge(cached, float64(s.CachedBytes))
	if size, err := c.db.DiskBytes(); err == nil {
		gauge(databaseLen, float64(size))
	}
}
