// Package backend is the whole product without a user interface of its own: the
// log, the engine, the protocol server and the inspector, wired together.
//
// The program and the tests use the same [Backend]; tests listen on port 0.
//
// # Goroutines
//
// One for each listener, started by [Open] and ended by [Backend.Close], besides
// those of the packages below.
package backend
