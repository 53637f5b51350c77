package bench

import (
	"context"
	"slices"
)

// A figure is what a scenario is judged by.
type figure string

const (
	figureRate    figure = "rate"    // the more the better
	figureLatency figure = "p99"     // the less the better
	figureMemory  figure = "per_one" // bytes for each reader; the less the better
)

// scenario is a kind of load.
type scenario struct {
	name   string
	help   string
	unit   string // of the rate
	figure figure
	noop   bool // NoOp takes part
	fresh  bool // only right after the start: once, before all others
	run    func(ctx context.Context, c *cell) (Sample, error)
}

// scenarios are all there are, in the order in which they run.
func scenarios() []scenario {
	return []scenario{
		{
			name: "idle-readers", help: "memory of the server for each SSE reader that gets nothing",
			unit: "readers/s", figure: figureMemory, fresh: true, run: idleReaders,
		},
		{
			name: ScenarioAppendSeq, help: "1 connection, one append after the other, 100 B",
			unit: "appends/s", figure: figureRate, noop: true, run: appends{writers: 1, body: 100}.run,
		},
		{
			name: "append-64", help: "64 connections, each with a stream of its own, 100 B",
			unit: "appends/s", figure: figureRate, noop: true, run: appends{writers: 64, body: 100}.run,
		},
		{
			name: "append-hot", help: "64 connections on one stream, 100 B",
			unit: "appends/s", figure: figureRate, noop: true, run: appends{writers: 64, hot: true, body: 100}.run,
		},
		{
			name: "append-idem", help: "as append-64, each connection an idempotent producer",
			unit: "appends/s", figure: figureRate, noop: true, run: appends{writers: 64, producer: true, body: 100}.run,
		},
		{
			name: "append-json-batch", help: "16 connections, arrays of 100 JSON messages of 100 B",
			unit: "appends/s", figure: figureRate, noop: true, run: appends{writers: 16, batch: 100, body: 100}.run,
		},
		{
			name: "append-1mb", help: "4 connections, 1 MiB",
			unit: "appends/s", figure: figureRate, noop: true, run: appends{writers: 4, body: 1 << 20, most: 400}.run,
		},
		{
			name: "create", help: "16 connections that create streams",
			unit: "streams/s", figure: figureRate, noop: true, run: creates,
		},
		{
			name: "catchup", help: "4 readers of a whole byte stream of 64 KiB appends",
			unit: "MB/s", figure: figureRate, run: catchup(false),
		},
		{
			name: "catchup-json", help: "4 readers of a whole JSON stream of 100 B messages",
			unit: "MB/s", figure: figureRate, run: catchup(true),
		},
		{
			name: "fanout-sse", help: "300 SSE readers of one stream, 50 messages/s of 100 B",
			unit: "deliveries/s", figure: figureLatency, run: fanout{readers: 300, rate: 50, follow: followSSE}.run,
		},
		{
			name: "fanout-longpoll", help: "100 long-poll readers of one stream, 20 messages/s of 100 B",
			unit: "deliveries/s", figure: figureLatency, run: fanout{readers: 100, rate: 20, follow: followLongPoll}.run,
		},
	}
}

// ScenarioAppendSeq is the scenario that the disk is compared with.
const ScenarioAppendSeq = "append-seq"

// Scenario is what there is to choose.
type Scenario struct{ Name, Help string }

// Scenarios lists all scenarios in the order in which they run.
func Scenarios() (all []Scenario) {
	for _, s := range scenarios() {
		all = append(all, Scenario{s.name, s.help})
	}
	return all
}

// choose returns the scenarios with these names, in their own order; no names:
// all of them.
func choose(names []string) (chosen []scenario, unknown []string) {
	unknown = slices.Clone(names)
	for _, s := range scenarios() {
		if len(names) == 0 || slices.Contains(names, s.name) {
			chosen = append(chosen, s)
			unknown = slices.DeleteFunc(unknown, func(name string) bool { return name == s.name })
		}
	}
	return chosen, unknown
}
