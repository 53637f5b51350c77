// Package activity remembers what a server did in the last fifteen minutes:
// appends, bytes, readers and how long commits took, every second for all
// streams and every five seconds for each.
//
// It asks the engine and the log for their counters; nothing is recorded when an
// append passes. A [Recorder] owns one goroutine, which Close ends. Memory is
// bounded by the window and by MaxStreams.
package activity
