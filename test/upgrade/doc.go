// Package upgrade opens what every version of the program has left on the disk
// with the one that was just built.
package upgrade
