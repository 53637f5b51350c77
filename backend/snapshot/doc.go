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
//   - The log lets go of a run of a stream only after its snapshot has been read back
//     and found to hold the same. It is read from there afterwards; while that is
//     impossible, reads fail with a *[store.ColdError] and everything else goes on.
//   - A restoration shows the whole stream or nothing, whatever happens meanwhile,
//     and never overwrites one.
//
// # Goroutines
//
// One that takes noted snapshots, one that looks after schedule and rules, one that
// watches folders, one for each running job, and one for each part of a file that is
// being read for a compacted stream, all ended by [Manager.Close].
package snapshot
