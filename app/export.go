package app

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"tailrace/backend/inspect"
	"tailrace/backend/plain"
)

type exportCommand struct {
	folder     `embed:""`
	Stream     string `arg:"" help:"Path of the stream."`
	Output     string `short:"o" placeholder:"FILE" help:"Where the file goes (default standard output)."`
	Force      bool   `help:"Overwrite an existing file."`
	Format     string `enum:"ndjson,json,raw,csv," default:"" placeholder:"FORMAT" help:"ndjson: a message on each line. json: one array. raw: the bytes of a text or binary stream. csv: about the messages, without their content. Default ndjson for JSON streams, else raw."`
	From       int64  `placeholder:"N" group:"Which messages" help:"Ordinal of the first message (default 0)."`
	To         *int64 `placeholder:"N" group:"Which messages" help:"Ordinal behind the last message (default all that there are)."`
	FromOffset string `placeholder:"OFFSET" group:"Which messages" help:"Offset where the first message begins."`
	ToOffset   string `placeholder:"OFFSET" group:"Which messages" help:"Offset where the last message ends."`
	Text       string `placeholder:"TEXT" xor:"filter" group:"Which messages" help:"Only those that hold this text."`
	Regex      string `placeholder:"RE" xor:"filter" group:"Which messages" help:"Only those that match this regular expression (RE2)."`
	Where      string `placeholder:"CONDITION" xor:"filter" group:"Which messages" help:"Only those whose JSON meets a condition, such as $.user.name = \"Ada\"."`
}

func (exportCommand) Help() string {
	return `Works on the running server or on the data folder of a stopped one, without side effects on the stream. The file holds exactly the messages that were asked for, or the command fails. What it holds, and its SHA-256, goes to standard error when the file goes to standard output.

Examples:

    tailrace export orders -o orders.ndjson
    tailrace export orders --format csv --from 1000 --to 2000
    tailrace export orders --where '$.total > 100' | wc -l

Exit status: 0 done, 1 failed, 2 wrong usage, 5 there is no such stream.`
}

func (c *exportCommand) Run(inv *invocation) error {
	if c.From > 0 && c.FromOffset != "" || c.To != nil && c.ToOffset != "" {
		return &usageError{errors.New("a range begins and ends by number or by offset: give either --from or --from-offset, and either --to or --to-offset")}
	}
	if c.To != nil && *c.To < c.From {
		return &usageError{fmt.Errorf("the range ends before message %d, where it begins", c.From)}
	}
	to := inv.stdout
	var file *newFile
	if c.Output != "" && c.Output != "-" {
		var err error
		if file, err = createFile(c.Output, c.Force); err != nil {
			return err
		}
		defer file.abandon()
		to = file.f
	} else {
		inv = inv.reporting()
	}
	return inv.with(&c.folder, needsLog, func(a *api) error {
		e, err := c.fetch(a, to)
		if err == nil && file != nil {
			err = file.keep()
		}
		if err != nil {
			return err
		}
		what := e.Stream
		if file != nil {
			what = c.Output
		}
		return inv.print(c.JSON, e, fmt.Sprintf("%s\n  %s, %s\n  sha256 %s", what, countText(e.Messages, "message"), sizeText(e.Bytes), *e.SHA256))
	})
}

// reporting prints results to standard error, where standard output takes data.
func (inv *invocation) reporting() *invocation {
	other := *inv
	other.stdout = inv.stderr
	return &other
}

// fetch exports to a file and checks what arrives.
func (c *exportCommand) fetch(a *api, to io.Writer) (e inspect.Export, err error) {
	in := map[string]any{"stream": c.Stream, "format": c.Format, "from": c.From}
	if c.Format == "" {
		var s inspect.Stream
		if err := a.call(http.MethodGet, "/api/streams/"+url.PathEscape(c.Stream), nil, &s); err != nil {
			return e, err
		}
		in["format"] = plain.Raw
		if s.Kind == "json" {
			in["format"] = plain.NDJSON
		}
	}
	if c.To != nil {
		in["to"] = *c.To
	}
	for name, value := range map[string]string{"from_offset": c.FromOffset, "to_offset": c.ToOffset} {
		if value != "" {
			in[name] = value
		}
	}
	for by, pattern := range map[string]string{"text": c.Text, "regex": c.Regex, "path": c.Where} {
		if pattern != "" {
			in["by"], in["pattern"] = by, pattern
		}
	}
	if err := a.call(http.MethodPost, "/api/exports", in, &e); err != nil {
		return e, err
	}
	if c.From > e.From || c.To != nil && *c.To > e.To {
		return e, &usageError{fmt.Errorf("the range goes further than the stream, which has messages up to %d", e.To)}
	}
	res, err := a.send(http.MethodGet, e.URL, nil, "")
	if err != nil {
		return e, err
	}
	defer res.Body.Close()
	sum := sha256.New()
	bar := a.inv.newBar("export "+c.Stream, 0)
	n, err := io.Copy(io.MultiWriter(to, sum, bar), res.Body)
	bar.end()
	if err == nil || errors.Is(err, io.ErrUnexpectedEOF) { // the server knows why the file breaks off
		err = errors.Join(err, a.call(http.MethodGet, "/api/exports/"+e.ID, nil, &e))
	}
	switch {
	case a.inv.ctx.Err() != nil:
		return e, errors.New("interrupted")
	case e.Error != nil:
		return e, fmt.Errorf("the export broke off after %d bytes: %s", n, *e.Error)
	case err != nil:
		return e, fmt.Errorf("the export broke off after %d bytes: %w", n, err)
	case e.SHA256 == nil || *e.SHA256 != hex.EncodeToString(sum.Sum(nil)):
		return e, errors.New("what arrived is not what was sent")
	}
	return e, nil
}

// newFile is a file that appears when it is whole.
type newFile struct {
	f    *os.File
	path string
	done bool
}

func createFile(path string, force bool) (*newFile, error) {
	if _, err := os.Stat(path); err == nil && !force {
		return nil, &usageError{fmt.Errorf("%s exists; --force overwrites it", path)}
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return nil, err
	}
	return &newFile{f: f, path: path}, nil
}

func (n *newFile) keep() error {
	err := errors.Join(n.f.Sync(), n.f.Close())
	if err == nil {
		err = os.Rename(n.f.Name(), n.path)
	}
	n.done = err == nil
	return err
}

// abandon removes what was not kept.
func (n *newFile) abandon() {
	if !n.done {
		_ = n.f.Close()
		_ = os.Remove(n.f.Name()) // the command has failed already
	}
}

// barEvery is the time between two lines of progress.
const barEvery = 200 * time.Millisecond

// bar shows progress on a terminal, by the bytes that are written to it.
type bar struct {
	out        io.Writer // nil: no terminal
	what       string
	n, total   int64
	began, was time.Time
}

func (inv *invocation) newBar(what string, total int64) *bar {
	b := &bar{what: what, total: total, began: time.Now()}
	if isTerminal(inv.stderr) {
		b.out = inv.stderr
	}
	return b
}

func (b *bar) Write(p []byte) (int, error) {
	b.n += int64(len(p))
	if now := time.Now(); b.out != nil && now.Sub(b.was) >= barEvery {
		b.was = now
		rate := int64(float64(b.n) / max(now.Sub(b.began).Seconds(), 0.001))
		j := inspect.Job{Kind: b.what, Bytes: b.n, Total: &b.total, Rate: rate}
		fmt.Fprintf(b.out, "\r\x1b[K%s", progressLine(&j))
	}
	return len(p), nil
}

func (b *bar) end() {
	if b.out != nil {
		fmt.Fprint(b.out, "\r\x1b[K")
	}
}
