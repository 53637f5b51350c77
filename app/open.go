package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"time"

	"github.com/pkg/browser"

	"tailrace/backend"
)

const (
	askTimeout      = 5 * time.Second // bounds a question to a server on this machine
	browserPatience = 3 * time.Second
)

// folderFlags say which data folder a command is about.
type folderFlags struct {
	Config  string `placeholder:"FILE" group:"Server" help:"Configuration file (default ${config_file}, when it exists; TAILRACE_CONFIG)."`
	DataDir string `placeholder:"FOLDER" group:"Server" help:"${data_dir}"`
}

// server finds the server that runs on the data folder.
func (f *folderFlags) server(inv *invocation) (dir string, run backend.RunFile, err error) {
	loaded, err := inv.load(f.Config)
	if err != nil {
		return "", run, err
	}
	dir = loaded.Config.DataDir
	run, err = backend.ReadRunFile(dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("no server runs on the data folder %s: start one with `tailrace serve`, or name its folder with --data-dir", dir)
	}
	return dir, run, err
}

type openCommand struct {
	folderFlags `embed:""`
	Print       bool `help:"Print the link instead of opening it."`
}

func (openCommand) Help() string {
	return `The running server is found through its data folder, and makes a new link that works once.

Examples:

    tailrace open
    tailrace open --print
    tailrace open --data-dir /tmp/streams`
}

func (c *openCommand) Run(inv *invocation) error {
	dir, run, err := c.server(inv)
	if err != nil {
		return err
	}
	link, err := askLink(inv.ctx, run)
	if err != nil {
		return fmt.Errorf("ask the server on %s for a link: %w", dir, err)
	}
	if c.Print {
		fmt.Fprintln(inv.stdout, link)
		return nil
	}
	if err := inv.browse(link); err != nil {
		return fmt.Errorf("no browser opened (%w): open this link yourself, it works once:\n%s", err, link)
	}
	fmt.Fprintf(inv.stdout, "Opened the inspector of %s in the browser.\n", dir)
	return nil
}

// browse opens url in the browser. Some launchers run for as long as the browser
// does: one that has not failed after browserPatience has done its work.
func (inv *invocation) browse(url string) error {
	open := inv.OpenBrowser
	if open == nil {
		open = systemBrowser
	}
	result := make(chan error, 1)
	go func() { result <- open(url) }()
	select {
	case err := <-result:
		return err
	case <-time.After(browserPatience):
		return nil
	case <-inv.ctx.Done():
		return nil
	}
}

// systemBrowser opens url with the platform's launcher. Its chatter goes nowhere,
// and not through a pipe of this process, which may end before the browser does.
func systemBrowser(url string) error {
	browser.Stdout, browser.Stderr = nil, nil
	return browser.OpenURL(url)
}

// askLink asks a running server for a fresh link to its inspector.
func askLink(ctx context.Context, run backend.RunFile) (string, error) {
	var reply struct {
		Link string `json:"link"`
	}
	if err := ask(ctx, run, "/api/codes", nil, &reply); err != nil {
		return "", err
	}
	if reply.Link == "" {
		return "", errors.New("the answer holds no link")
	}
	return reply.Link, nil
}

// askWindow makes a running server show its window. errHeadless: it has none.
func askWindow(ctx context.Context, run backend.RunFile) error {
	err := ask(ctx, run, "/api/window/show", nil, nil)
	var refused *refusedError
	if errors.As(err, &refused) && refused.status == http.StatusNotFound {
		return errHeadless
	}
	return err
}

// errHeadless says that the running server has no window to show.
var errHeadless = errors.New("the running server has no window")

// refusedError is an answer that is not a success.
type refusedError struct {
	status int
	detail string
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("it answered %d %s: %s", e.status, http.StatusText(e.status), e.detail)
}

// ask posts a body, unless that is nil, to the inspector API of a running server
// and decodes its answer into reply, unless that is nil.
func ask(ctx context.Context, run backend.RunFile, path string, body, reply any) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	content, err := json.Marshal(body)
	if err != nil {
		return err
	}
	if body == nil {
		content = nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, run.InspectorURL+path, bytes.NewReader(content))
	if err != nil {
		return fmt.Errorf("its run file holds a wrong address: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+run.Token)
	// No proxy: the server is on this machine, whatever HTTP_PROXY says.
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return fmt.Errorf("process %d does not answer: %w", run.PID, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return fmt.Errorf("read its answer: %w", err)
	}
	if res.StatusCode/100 != 2 {
		var problem struct {
			Detail string `json:"detail"`
		}
		if json.Unmarshal(answer, &problem) != nil || problem.Detail == "" {
			problem.Detail = "no reason given"
		}
		return &refusedError{res.StatusCode, problem.Detail}
	}
	if reply == nil {
		return nil
	}
	if err := json.Unmarshal(answer, reply); err != nil {
		return fmt.Errorf("read its answer: %w", err)
	}
	return nil
}
