// Package update asks once a day whether there is a newer version, where the
// settings name an address to ask. It downloads nothing but the answer and
// installs nothing: what comes of it is a link to look at.
//
// The request says which version asks, as every program's does, and nothing else.
// A [Checker] owns one goroutine, which Close ends.
package update
