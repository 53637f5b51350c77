//go:build unix

package main

import (
	"os/signal"
	"syscall"
)

// surviveFileLimit makes a write beyond the limit on file sizes fail like one to
// a full disk, instead of ending the process.
func surviveFileLimit() { signal.Ignore(syscall.SIGXFSZ) }
