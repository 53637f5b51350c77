// Package bench measures Durable Streams servers against each other and against
// what the machine can do. It knows the servers only over HTTP.
//
// A run has rounds. In each round every scenario is measured on every server, one
// after the other, in an order that rotates, so that a noisy minute of the machine
// meets all of them. What is reported is the median of the rounds.
//
// What is counted is verified, outside the measured time: every acknowledged
// append is read back once and in order, every live reader got every message in
// order. Anything else ends the run with an error that names the difference.
// Streams have names below bench/<run id>/ and are deleted after each measurement.
//
// References stand beside the servers: NoOp, an HTTP handler in another process
// that stores nothing, takes the appends of the same client; the disk takes the
// bytes of an append and an fdatasync.
//
// Goroutines: a measurement starts its clients and waits for them; Run leaves none
// behind.
package bench
