// Package segfile reads and writes snapshot files: a stream's messages with
// everything that is needed to restore it, in one file that can be checked by
// itself. docs/snapshot-format.md describes every byte.
//
// # Guarantees
//
//   - A [Writer] writes forward only and holds a few segments in memory, a [Reader]
//     one, whatever the file claims about its sizes.
//   - [Reader.Next] returns io.EOF only when every checksum, every count, the
//     order of all positions and the end of the file were right.
//   - Files of earlier versions stay readable: testdata holds one of each.
//
// A Writer owns two goroutines until it is closed: one hashes, one writes.
package segfile
