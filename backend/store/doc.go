// Package store keeps the log in one SQLite database and holds all of its SQL.
//
// # Shape
//
// An append is a row in ops, in arrival order. When enough of them have
// gathered, the committer seals the oldest ones into segments, one stream's run
// per row, inside an ordinary commit. The newest batches are also kept in memory
// (memtable), so that readers at the tail and sealing itself read nothing back.
// Large appends go straight into segments, and the data of large segments into
// files beside the database.
//
// # Guarantees
//
//   - [DB.Commit] returns nil only when the write is on disk (synchronous=FULL).
//     A write is atomic; writes of one call to SQLite succeed or fail together.
//   - Data, producer state, closure, deletion, registry events and changes of
//     subscriptions of one [Write] are in the same transaction.
//   - The first append to a stream that a subscription's pattern matches links it
//     in its own transaction; [DB.OnWork] tells afterwards.
//   - A position below a committed tail is always readable until its stream is
//     deleted: a batch leaves memory only after a commit has sealed it.
//   - Registry events have the order of the commits that caused them.
//
// # Goroutines
//
// One committer, started by [Open] and ended by [DB.Close].
package store
