// Package engine gives streams their semantics: creation, appends with and
// without producers, closure, deletion, expiry and the registry stream.
//
// # Sequencers
//
// Every path in use has a sequencer, which alone decides and changes what is at
// that path. It has no goroutine: whoever brings a command and finds it idle
// carries it out, and what comes meanwhile waits. Commands that wait are taken
// together, each decided against the state that the ones before leave (a [draft],
// without I/O); the result is committed through the store, and only then the new
// state is assigned and published to readers, and the replies are sent. A failed
// commit changes nothing. A command that was accepted is finished even when its
// client has left.
//
// A sequencer is loaded with the first request for its path and put away when
// nobody has used it for a while, at once when there is no stream.
//
// # Goroutines
//
// A drain for each sequencer at which commands wait, timers' commands, one sweeper
// and one janitor, all ended by [Engine.Close].
package engine
