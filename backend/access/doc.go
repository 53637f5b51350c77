// Package access is who may do what on the data listener: named bearer tokens,
// each with a level (read, append, full) and, if it is limited, the globs of the
// stream paths it is good for.
//
// Secrets are not kept: a [Token] holds the SHA-256 of its secret, which is
// enough to recognise it, and neither prints nor compares anything else. That is
// safe for secrets that nobody can guess, so short ones are refused. The package
// starts no goroutines and keeps no state.
package access
