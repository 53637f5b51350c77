package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"tailrace/backend"
	"tailrace/backend/config"
)

// closeTimeout bounds a shutdown: requests that do not end by then are cut off.
const closeTimeout = 10 * time.Second

// running are the flags of the commands that run a server.
type running struct {
	settings  `embed:""`
	ReadyFile string `placeholder:"FILE" group:"Server" help:"Write {\"data_url\",\"data_tls_url\",\"inspector_url\",\"pid\"} to FILE once both addresses answer; removed when the server ends."`
}

type serveCommand struct {
	running   `embed:""`
	Ephemeral bool `group:"Server" help:"Serve from a throwaway data folder and do not wait for the disk: for tests. Ports are free ones unless --listen and --inspect name others, and no configuration file is read unless --config names one."`
	OpenFlag  bool `name:"open" group:"Server" help:"Open the inspector in the browser once it answers."`
}

func (serveCommand) Help() string {
	return `Prints the address for programs, a link to the inspector that works once, and the data folder.

A command behind -- runs beside the server, which ends with it and with its status. It finds the streams in the variable DURABLE_STREAMS_URL, such as http://127.0.0.1:4437/v1/stream.

Examples:

    tailrace serve
    tailrace serve --open
    tailrace serve --listen 127.0.0.1:0 --inspect 127.0.0.1:0 --data-dir /tmp/streams --ready-file ready.json
    tailrace serve --ephemeral -- npm test
    TAILRACE_LOG_LEVEL=debug tailrace serve

Interrupt (Ctrl-C) or SIGTERM ends it once open requests are done; what is open after 10 seconds is cut off. A second interrupt ends it at once.`
}

func (c *serveCommand) Run(inv *invocation) (err error) {
	if c.Ephemeral {
		remove, failed := inv.ephemeral()
		if failed != nil {
			return failed
		}
		defer func() { err = errors.Join(err, remove()) }()
	}
	loaded, err := inv.load(c.Config)
	if err != nil {
		return err
	}
	return inv.serve(loaded.Config, serving{readyFile: c.ReadyFile, open: c.OpenFlag, command: inv.beside})
}

// serving is how to serve without a window.
type serving struct {
	readyFile string
	open      bool     // the inspector, in the browser
	command   []string // what to run meanwhile; nil: serve until the context ends
}

type windowCommand struct {
	running `embed:""`
}

func (windowCommand) Help() string {
	return `One server runs on a data folder: when one with a window does already, its window comes to the front.

Examples:

    tailrace
    tailrace --data-dir ~/streams`
}

func (c *windowCommand) Run(inv *invocation) error {
	loaded, err := inv.load(c.Config)
	if err != nil {
		return err
	}
	return inv.window(loaded.Config, c.ReadyFile)
}

// serve runs a server without a window until the context or the command ends.
func (inv *invocation) serve(c config.Config, how serving) (err error) {
	b, err := backend.Open(inv.options(c, inv.logger(c.LogLevel)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBackend(b)) }()

	removeReady, err := writeReadyFile(how.readyFile, b)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeReady()) }()

	if len(how.command) > 0 {
		return inv.runBeside(b, how.command)
	}
	link := b.InspectorLink()
	note := "The link works once; `tailrace open` makes another."
	if inv.Assets == nil {
		note = "This build carries no inspector page: only its API answers."
	}
	// One write: who waits for a part of it may read all of it.
	fmt.Fprintf(inv.stdout, "Tailrace %s\n  Streams    %s/v1/stream/\n%s  Inspector  %s\n  Data       %s\n  %s\n",
		inv.Version, b.DataURL(), secureLine(b), link, c.DataDir, note)
	if how.open {
		go func() {
			if err := inv.browse(link); err != nil {
				fmt.Fprintf(inv.stderr, "tailrace: no browser opened (%v): open the link yourself\n", err)
			}
		}()
	}

	select {
	case <-inv.ctx.Done():
		return nil
	case <-b.Done():
		return fmt.Errorf("the server stopped by itself: %w", b.Err())
	}
}

// secureLine tells where streams are served over TLS.
func secureLine(b *backend.Backend) string {
	if b.DataTLSURL() == "" {
		return ""
	}
	return fmt.Sprintf("             %s/v1/stream/ (HTTP/2; tailrace trust install makes browsers accept it)\n", b.DataTLSURL())
}

// closeBackend shuts a server down within closeTimeout.
func closeBackend(b *backend.Backend) error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := b.Close(ctx); err != nil {
		return fmt.Errorf("shut down: %w", err)
	}
	return nil
}

// writeReadyFile tells a waiting program that both addresses answer. The file
// appears whole. The function it returns removes it; without a path both do
// nothing.
func writeReadyFile(path string, b *backend.Backend) (remove func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	ready := map[string]any{
		"data_url": b.DataURL(), "data_tls_url": nil, "inspector_url": b.InspectorURL(), "pid": os.Getpid(),
	}
	if url := b.DataTLSURL(); url != "" {
		ready["data_tls_url"] = url
	}
	data, err := json.Marshal(ready)
	if err != nil {
		return nil, fmt.Errorf("encode ready file: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return nil, fmt.Errorf("write ready file: %w", err)
	}
	_, err = tmp.Write(append(data, '\n'))
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("write ready file: %w", err), os.Remove(tmp.Name()))
	}
	return func() error {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove ready file: %w", err)
		}
		return nil
	}, nil
}
