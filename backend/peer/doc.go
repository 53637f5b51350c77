// Package peer finds the program on this machine behind the address of a client.
// It asks /proc, so it can on Linux only; elsewhere nothing is found. Programs of
// other users are found only by who may look at them.
//
// Only the name of a program is taken: its arguments may hold secrets.
//
// The package starts no goroutines.
package peer
