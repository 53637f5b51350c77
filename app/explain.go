package app

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"

	"tailrace/backend"
	"tailrace/backend/port"
	"tailrace/backend/trust"
)

// explain turns an error into what a person reads: what happened and, where it
// is known, what to do about it.
func explain(err error) string {
	what, steps := advice(err)
	if len(steps) == 0 {
		return what
	}
	return what + "\n  " + strings.Join(steps, "\n  ")
}

// advice splits an error into what happened and what can be done about it, one
// line each.
func advice(err error) (what string, steps []string) {
	var running *backend.AlreadyRunningError
	if errors.As(err, &running) {
		if running.Run.PID == 0 {
			return err.Error(), []string{"Try again in a moment, or choose another folder with --data-dir."}
		}
		return err.Error(), []string{
			fmt.Sprintf("Open its inspector:   tailrace open --data-dir %s", trust.Quote(runtime.GOOS, running.DataDir)),
			"Start a second one:   tailrace serve --data-dir FOLDER --listen 127.0.0.1:0",
		}
	}
	if address, ok := takenAddress(err); ok {
		port := address[strings.LastIndexByte(address, ':')+1:]
		return fmt.Sprintf("port %s is taken: another program listens on %s", port, address), []string{
			"Who has it:           " + whoListens(runtime.GOOS, port),
			"Choose another port:  tailrace serve --listen 127.0.0.1:PORT   (0 takes a free one)",
			"For the inspector:    tailrace serve --inspect 127.0.0.1:PORT",
		}
	}
	var folder *backend.FolderError
	if errors.As(err, &folder) {
		return folder.Error(), []string{
			"Make it writable, or",
			"choose another one:   tailrace serve --data-dir FOLDER",
		}
	}
	return err.Error(), nil
}

// takenAddress returns the address that could not be listened on because another
// program does.
func takenAddress(err error) (string, bool) {
	if !port.Taken(err) {
		return "", false
	}
	var op *net.OpError
	if !errors.As(err, &op) || op.Addr == nil {
		return "", false
	}
	return op.Addr.String(), true
}

// whoListens is the command that names the owner of a port.
func whoListens(goos, port string) string {
	switch goos {
	case "windows":
		return `netstat -ano | findstr ":` + port + ` "`
	case "linux":
		return "ss -ltnp 'sport = :" + port + "'"
	default:
		return "lsof -nP -iTCP:" + port + " -sTCP:LISTEN"
	}
}
