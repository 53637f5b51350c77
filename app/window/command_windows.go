package window

import (
	"os/exec"
	"strings"
	"syscall"
)

// Command runs a program that [RevealCommand] names, with its command line as it is:
// the usual way would quote a path together with what stands before it.
func Command(args []string) *exec.Cmd {
	c := exec.Command(args[0])
	c.SysProcAttr = &syscall.SysProcAttr{CmdLine: strings.Join(args, " ")}
	return c
}
