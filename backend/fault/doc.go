// Package fault does wrong on purpose, so that clients can be seen to cope: it
// answers with an error, delays, drops a request before or after it took effect,
// cuts an answer off, ends waits early.
//
// Faults are armed for a while, at most an hour, and live in memory: a restart
// disarms them. They are for a server that listens on this machine only; [New]
// says whether it does. While nothing is armed a request costs one look at a
// pointer.
//
// What has been committed stays committed: a fault decides about answers, never
// about the log.
//
// The package starts no goroutines.
package fault
