// Package varint reads the varints and byte strings that the metadata of segments
// consists of, in the log and in snapshot files.
//
// The package starts no goroutines.
package varint
