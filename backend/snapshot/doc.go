// Package snapshot writes streams to files in folders and buckets, checks them and
// brings streams back from them.
//
// # Guarantees
//
//   - A snapshot is recorded when its file is stored durably, not before. A crash
//     in between leaves a file that is whole and belongs to nobody.
//   - Looking at a stream to export it has no side effects and does not hold up
//     appends. The file holds the stream and its producers as of one moment.
//   - The snapshot of a stream that is closed is noted in the transaction that
//     closes it, and tried until it succeeds, over restarts.
//   - A restoration shows the whole stream or nothing, whatever happens meanwhile,
//     and never overwrites one.
//
// # Goroutines
//
// One that takes noted snapshots, and one for each running job, all ended by
// [Manager.Close].
package snapshot
