package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"time"

	"tailrace/bench"
)

type benchCommand struct {
	Servers []string `arg:"" name:"url" help:"Servers to measure, as URL or NAME=URL; the others are compared with the first."`

	Scenario    []string      `placeholder:"NAME" help:"Measure this one; may be repeated. Without, all of them."`
	Rounds      int           `default:"5" help:"How often each is measured; medians are shown (default ${default})."`
	Duration    time.Duration `default:"3s" help:"How long each measurement lasts (default ${default})."`
	Warmup      time.Duration `default:"500ms" help:"How long each is warmed up before (default ${default})."`
	CatchupMiB  int64         `name:"catchup-mib" default:"8" placeholder:"NUMBER" help:"Size of the stream that catch-up reads (default ${default})."`
	IdleReaders int           `default:"1000" placeholder:"NUMBER" help:"Idle readers that the memory of one is computed from (default ${default})."`
	Patience    time.Duration `default:"30s" help:"How long live readers may lack a message after the last one (default ${default})."`
	Ceiling     bool          `help:"Measure an HTTP handler that stores nothing as well."`
	Disk        string        `placeholder:"FOLDER" help:"Measure appending to a file in this folder with fdatasync as well."`
	Token       string        `placeholder:"SECRET" help:"Bearer token for all servers (TAILRACE_BENCH_TOKEN)."`
	JSON        bool          `name:"json" help:"Print everything as JSON."`
}

func (benchCommand) Help() string {
	var b strings.Builder
	b.WriteString("It loads any Durable Streams server, checks that every acknowledged append is there afterwards, and deletes the streams it made. Tables go to standard output, progress to standard error.\n\nScenarios:\n\n")
	for _, s := range bench.Scenarios() {
		fmt.Fprintf(&b, "    %-18s %s\n", s.Name, s.Help)
	}
	b.WriteString(`
Examples:

    tailrace bench http://127.0.0.1:4437
    tailrace bench tailrace=http://127.0.0.1:4437 other=http://127.0.0.1:4438 --ceiling
    tailrace bench http://127.0.0.1:4437 --scenario append-64 --rounds 3 --json`)
	return b.String()
}

// clientGCPercent makes the client collect garbage seldom: what it computes is
// missing to a server on the same machine.
const clientGCPercent = 400

func (c *benchCommand) Run(inv *invocation) error {
	o := bench.Options{
		Scenarios: c.Scenario, Rounds: c.Rounds, Duration: c.Duration, Warmup: c.Warmup, DiskDir: c.Disk,
		CatchupBytes: c.CatchupMiB << 20, IdleReaders: c.IdleReaders, Patience: c.Patience,
		Progress: func(line string) { fmt.Fprintln(inv.stderr, line) },
	}
	token := c.Token
	if token == "" {
		token = inv.env("TAILRACE_BENCH_TOKEN")
	}
	for _, text := range c.Servers {
		server := bench.Server{URL: text, Token: token}
		if name, url, ok := strings.Cut(text, "="); ok && !strings.Contains(name, "/") {
			server.Name, server.URL = name, url
		}
		o.Servers = append(o.Servers, server)
	}
	if c.Ceiling {
		noop, stop, err := startNoOp(inv.ctx)
		if err != nil {
			return fmt.Errorf("start the server that stores nothing: %w", err)
		}
		defer stop()
		o.NoOp = noop
	}
	defer debug.SetGCPercent(debug.SetGCPercent(clientGCPercent))
	report, err := bench.Run(inv.ctx, o)
	var wrong *bench.OptionError
	switch {
	case errors.As(err, &wrong):
		return &usageError{err}
	case err != nil:
		return err
	case c.JSON:
		e := json.NewEncoder(inv.stdout)
		e.SetIndent("", "  ")
		return e.Encode(report)
	}
	return report.WriteTables(inv.stdout)
}

// startNoOp runs this program once more as the server that stores nothing: in a
// process of its own, as the servers are that it is compared with.
func startNoOp(ctx context.Context) (url string, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(ctx, self, "bench-noop")
	alive, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = alive.Close() // it ends with the pipe
		_ = cmd.Wait()    // killed or not: it holds nothing
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("it printed no address: %w", err)
	}
	return strings.TrimSpace(line), stop, nil
}

// benchNoOpCommand is what startNoOp runs.
type benchNoOpCommand struct{}

func (benchNoOpCommand) Run(inv *invocation) error {
	return bench.ServeNoOp(os.Stdin, inv.stdout)
}
