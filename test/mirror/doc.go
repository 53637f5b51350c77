// Package mirror copies streams between built programs, and between the built
// program and the reference server of npm, while both ends are killed at random
// (SIGKILL), and compares what both hold at the end byte for byte.
//
// It runs for some seconds with the other tests; TAILRACE_TORTURE=1 (make
// torture-mirror) makes it 100,000 messages each way, TAILRACE_TORTURE_SEED repeats
// the choices of a run.
package mirror
