// Package mirror copies streams to another Durable Streams server, or from one,
// over the protocol itself: it catches up, and goes on as long as it is let.
//
// # Exactly once
//
// A push is an idempotent producer (PROTOCOL §5.2.1). What goes out next is stored
// before it does: from which position to which, under which epoch and sequence
// number. After a crash of either end, the copy is looked at first: behind the tail
// that is known there is either nothing, and the same batch goes out again under
// the same number, or just that batch, and it counts as arrived. Anything else was
// written by somebody else, and stops the stream. So even a server that forgets its
// producers gets nothing twice.
//
// A pull appends what it reads together with the row that tells how far it has read
// (engine.AppendRequest.Mirrored): both are one transaction. It stores the offset of
// the last answer that held something, and how much of it is here. A start reads
// that answer once more and compares it with the end of the copy, so that another
// stream at the same path is noticed whatever the server's offsets look like.
//
// # Goroutines
//
// Each mirror at work has one that finds streams, and one for every stream that is
// being copied or followed (run). Manager.Close waits for all of them.
package mirror
