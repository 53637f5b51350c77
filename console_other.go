//go:build !(windows && desktop) && !bindings

package main

import "os"

// standardStreams returns where the program writes.
func standardStreams() (stdout, stderr *os.File) { return os.Stdout, os.Stderr }
