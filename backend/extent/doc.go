// Package extent keeps large immutable pieces of data in files that only grow at
// their end.
//
// SQLite writes a page of a large row four times: into the write-ahead log and
// from there into the database, each with a checksum computed and a page looked
// up. A file takes it once. So the store puts large segments here and commits
// only where they lie.
//
// [Files.Append] writes behind what is committed, [Files.Sync] brings it to the
// disk, and the caller then commits the [Ref] and where the file ends. What was
// written but never committed lies behind the committed end and is overwritten.
// A piece that nobody refers to any more gives its blocks back with [Files.Free],
// where the file system can do that, and a file with nothing left goes whole.
package extent
