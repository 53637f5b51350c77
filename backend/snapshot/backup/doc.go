// Package backup writes the whole log to a folder or bucket, checks what lies there,
// and makes a data folder of it.
//
// # A backup
//
//	backup/<unix milliseconds>/tailrace.db                  the database
//	backup/<unix milliseconds>/extents/<number>.extent      data of large segments
//	backup/<unix milliseconds>/config.toml                  the configuration file, if one is used
//	backup/<unix milliseconds>/manifest.json                all of them, with size and SHA-256
//	backup/<unix milliseconds>/unfinished                   until the manifest is there
//
// It is the data folder as of one moment. Of a file of large segments it holds the
// runs that the database refers to, one behind the other; the manifest tells where
// each belongs.
//
// # Guarantees
//
//   - The manifest is stored last: without it there is no backup. One that fails or
//     is cancelled leaves nothing, one that is killed leaves files without manifest
//     and beside unfinished, which the next one removes when they are a day old. It
//     removes nothing else.
//   - What was acknowledged before the call is in it. Appends go on meanwhile.
//   - A restoration checks everything before the data folder appears, and never
//     writes into one that holds something.
//
// It owns no goroutines.
package backup
