//go:build !windows

package window

import "os/exec"

// Command runs a program that [RevealCommand] names.
func Command(args []string) *exec.Cmd { return exec.Command(args[0], args[1:]...) }
