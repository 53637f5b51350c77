//go:build !bindings

// Tailrace is a local server and inspector for the Durable Streams protocol.
package main

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"tailrace/app"
)

// version and commit are set by the linker (-X main.version=… -X main.commit=…).
var (
	version = "0.1.0"
	commit  string
)

// frontend holds the built inspector, or nothing but a placeholder when it was
// not built.
//
//go:embed all:frontend/dist
var frontend embed.FS

func main() {
	// macOS runs windows on the process's first thread only, which is this one
	// as long as nothing has run before.
	runtime.LockOSThread()

	surviveFileLimit()
	stdout, stderr := standardStreams()
	program := app.Program{Assets: assets(), Icon: icon(), Version: version, Commit: commit}
	status := program.Main(untilSignal(), os.Args[1:], os.Environ(), stdout, stderr)
	os.Exit(status)
}

// assets returns the built inspector, nil when there is none.
func assets() fs.FS {
	dist, err := fs.Sub(frontend, "frontend/dist")
	if err != nil {
		return nil
	}
	if _, err := fs.Stat(dist, "index.html"); err != nil {
		return nil
	}
	return dist
}

// echo is how long after a signal the same one may come again without being meant:
// make and other parents pass on what the whole process group has got already.
const echo = time.Second

// untilSignal returns a context that ends with the first interrupt or SIGTERM,
// for a clean shutdown. The second one ends the process.
func untilSignal() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		for first := time.Now(); ; {
			<-signals
			if time.Since(first) > echo {
				break
			}
		}
		fmt.Fprintln(os.Stderr, "tailrace: stopped at once, on the second signal")
		os.Exit(1)
	}()
	return ctx
}
