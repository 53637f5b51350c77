package update

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/semver"
)

const (
	interval   = 24 * time.Hour
	timeout    = 15 * time.Second
	answerSize = 1 << 20
)

// State is what is known of newer versions.
type State struct {
	Newer     string // a version that is newer than this one; "": none is known
	URL       string // where to read about it; "": the answer named none
	CheckedAt int64  // unix milliseconds of the last answer; 0: none yet
	Problem   string // why the last question was not answered; "": it was
}

// Checker asks for newer versions.
type Checker struct {
	address, version string
	now              func() time.Time
	log              *slog.Logger
	cancel           context.CancelFunc
	running          sync.WaitGroup

	mu    sync.Mutex
	state State
}

// Open begins to ask an address, at once and then every day, until Close. version
// is that of this program, such as 0.1.0.
func Open(address, version string, now func() time.Time, log *slog.Logger) *Checker {
	ctx, cancel := context.WithCancel(context.Background())
	c := &Checker{address: address, version: version, now: now, log: log, cancel: cancel}
	c.running.Go(func() { c.run(ctx) })
	return c
}

// Close ends the asking.
func (c *Checker) Close() {
	c.cancel()
	c.running.Wait()
}

// State is what is known. A nil Checker knows nothing.
func (c *Checker) State() State {
	if c == nil {
		return State{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

func (c *Checker) run(ctx context.Context) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		c.check(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (c *Checker) check(ctx context.Context) {
	newest, link, err := c.ask(ctx)
	if ctx.Err() != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.state.Problem = err.Error()
		c.log.Info("could not ask for a newer version", "error", err)
		return
	}
	c.state = State{CheckedAt: c.now().UnixMilli()}
	if semver.Compare("v"+newest, "v"+c.version) > 0 {
		c.state.Newer, c.state.URL = newest, link
		c.log.Info("there is a newer version", "version", newest, "url", link)
	}
}

// ask returns the newest version and where to read about it. The answer is that of
// a forge for its latest release, or a document with version and url.
func (c *Checker) ask(ctx context.Context) (version, link string, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.address, nil)
	if err != nil {
		return "", "", err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "tailrace/"+c.version)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", "", err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return "", "", fmt.Errorf("%s answered %s", c.address, res.Status)
	}
	var answer struct {
		Version string `json:"version"`
		URL     string `json:"url"`
		TagName string `json:"tag_name"`
		HTMLURL string `json:"html_url"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, answerSize)).Decode(&answer); err != nil {
		return "", "", fmt.Errorf("read the answer of %s: %w", c.address, err)
	}
	version, link = answer.Version, answer.URL
	if answer.TagName != "" {
		version, link = answer.TagName, answer.HTMLURL
	}
	version = strings.TrimPrefix(version, "v")
	if !semver.IsValid("v" + version) {
		return "", "", errors.New(c.address + " names no version: expected version or tag_name, such as 0.2.0")
	}
	if u, err := url.Parse(link); err != nil || u.Scheme != "https" && u.Scheme != "http" {
		link = "" // nothing that a browser would run
	}
	return version, link, nil
}
