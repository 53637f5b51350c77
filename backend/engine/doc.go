// Package engine gives streams their semantics: creation, appends with and
// without producers, closure, deletion, expiry and the registry stream.
//
// # Sequencers
//
// Every path in use has one goroutine, its sequencer, which alone decides and
// changes what is at that path. It takes the commands that are waiting, decides
// each against the state that the ones before leave (a [draft], without I/O),
// commits the result through the store, and only then assigns the new state,
// publishes it to readers and replies. A failed commit changes nothing. A
// command that was accepted is finished even when its client has left.
//
// A sequencer starts with the first request for its path and ends after an idle
// minute, at once when there is no stream.
//
// # Goroutines
//
// A sequencer for each active path and one sweeper, all ended by [Engine.Close].
package engine
