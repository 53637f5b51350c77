package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"

	"tailrace/backend"
)

// urlVariable is where a command that runs beside the server finds the root of
// the streams.
const urlVariable = "DURABLE_STREAMS_URL"

// commandError is how a command that ran beside the server has ended.
type commandError struct {
	name string
	how  *exec.ExitError
}

func (e *commandError) Error() string { return e.name + ": " + e.how.Error() }

// exitStatus is the command's own. One that a signal has ended has the status that
// shells give it.
func (e *commandError) exitStatus() int {
	if state, ok := e.how.Sys().(syscall.WaitStatus); ok && state.Signaled() {
		return 128 + int(state.Signal())
	}
	return e.how.ExitCode()
}

// runBeside runs a command while the server runs. It is interrupted when the
// program is, and fails when the server stops before it.
func (inv *invocation) runBeside(b *backend.Backend, command []string) error {
	ctx, cancel := context.WithCancelCause(inv.ctx)
	defer cancel(nil)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(slices.Clone(inv.environ), urlVariable+"="+b.DataURL()+"/v1/stream")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = inv.Stdin, inv.stdout, inv.stderr
	if cmd.Stdin == nil {
		cmd.Stdin = os.Stdin
	}
	if runtime.GOOS != "windows" { // where only killing is possible
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	}
	cmd.WaitDelay = closeTimeout
	if err := cmd.Start(); err != nil {
		return &usageError{fmt.Errorf("run %s: %w", command[0], err)}
	}
	ended := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-b.Done():
			cancel(fmt.Errorf("the server stopped by itself: %w", b.Err()))
		case <-ended:
		}
	}()
	err := cmd.Wait()
	close(ended)
	<-watched
	if stopped := context.Cause(ctx); stopped != nil && inv.ctx.Err() == nil {
		return stopped
	}
	var exit *exec.ExitError
	switch {
	case err != nil && inv.ctx.Err() != nil && (!errors.As(err, &exit) || exit.ExitCode() < 0):
		return nil // interrupted, as it was meant
	case errors.As(err, &exit):
		return &commandError{command[0], exit}
	}
	return err
}
