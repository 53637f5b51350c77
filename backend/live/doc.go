// Package live tells waiting readers that something has changed.
//
// A [Topic] holds the current version of a value. Publishing replaces it and
// wakes everybody who waits on the old one, however many there are, without the
// publisher knowing them: a slow reader can neither hold up a writer nor miss
// that there is something new. The data itself is fetched from the log, whose
// newest part is in memory.
//
// A [Memo] lets the readers of one version share what the first of them has made
// of it.
//
// The package starts no goroutines.
package live
