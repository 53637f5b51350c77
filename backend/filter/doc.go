// Package filter decides which messages of a stream a person wants to see: those
// that contain a text, match a regular expression, or have a value at a path of
// their JSON that compares as wanted.
//
// A filter looks at the bytes of a message as they were appended. It never
// decodes a document: numbers are compared by their digits, so 9007199254740993
// is not 9007199254740992, and a message that is no JSON simply has no paths.
//
// The package is pure: no I/O, no state, no goroutines. A [Filter] may be used by
// many goroutines.
package filter
