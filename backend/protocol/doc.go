// Package protocol is the Durable Streams protocol without a server: wire
// names, offsets, cursors, content types, JSON framing, producer headers,
// expiry, limits, SSE frames and the outcomes an operation can have.
//
// Everything here is pure and stateless: no clock, no I/O, no goroutines.
// Section numbers in comments are those of PROTOCOL.md, version 1.0.
package protocol
