package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"tailrace/backend/inspect"
	"tailrace/backend/plain"
)

type importCommand struct {
	folder      `embed:""`
	Stream      string `arg:"" help:"Path of the stream. One that is not there is created."`
	File        string `arg:"" help:"The file; - is standard input."`
	Format      string `enum:"ndjson,json,raw," default:"" placeholder:"FORMAT" help:"ndjson: a message on each line. json: one array, a message in each element. raw: bytes, as one message for each MiB. Default ndjson for *.ndjson and *.jsonl, json for *.json, else raw."`
	ContentType string `placeholder:"TYPE" help:"Of a stream that is created (default application/octet-stream for raw, else application/json)."`
	ID          string `name:"id" placeholder:"TEXT" help:"Append a file that was appended before once more, under this name."`
	DryRun      bool   `help:"Only read and check the file."`
}

func (importCommand) Help() string {
	return `Reads and checks the whole file before anything is appended. A file is appended once, however often it is imported: when an import was interrupted, the same command goes on where it ended. In streams that are not JSON, a line of ndjson and an element of json is a JSON string, or {"base64":"…"} for bytes that are no text, as export writes them.

Examples:

    tailrace import orders orders.ndjson
    zcat log.gz | tailrace import logs - --format raw --content-type text/plain

Exit status: 0 done, 1 failed, 2 wrong usage or a line or element that cannot be a message, 5 the stream is closed or of another kind.`
}

func (c *importCommand) Run(inv *invocation) error {
	format := c.Format
	if format == "" {
		switch strings.ToLower(filepath.Ext(c.File)) {
		case ".ndjson", ".jsonl":
			format = plain.NDJSON
		case ".json":
			format = plain.JSON
		default:
			format = plain.Raw
		}
	}
	f, err := openTwice(c.File, inv.Stdin)
	if err != nil {
		return err
	}
	defer f.close()
	query := url.Values{"format": {format}, "dry_run": {"true"}}
	if c.ContentType != "" {
		query.Set("content_type", c.ContentType)
	}
	n := makesLog
	if c.DryRun {
		n = anyLog
	}
	return inv.with(&c.folder, n, func(a *api) error {
		r, err := c.send(a, f, "check", query)
		if err != nil {
			return err
		}
		if c.DryRun {
			return c.report(inv, &r)
		}
		digest := r.SHA256
		query.Del("dry_run")
		query.Set("id", strings.TrimPrefix(c.ID+"-"+digest, "-"))
		r, err = c.send(a, f, "import", query)
		if err != nil {
			return err
		}
		if r.SHA256 != digest {
			return fmt.Errorf("%s has changed while it was imported; %d messages were appended", c.File, r.Appended)
		}
		return c.report(inv, &r)
	})
}

func (c *importCommand) report(inv *invocation, r *inspect.ImportResult) error {
	text := fmt.Sprintf("%s: %s, %s\n  sha256 %s", c.Stream, countText(r.Messages, "message"), sizeText(r.Bytes), r.SHA256)
	switch {
	case r.DryRun:
		text += "\n  Nothing was appended: this was a dry run."
	case r.Duplicates > 0:
		text += fmt.Sprintf("\n  %d appended; %d had been appended before.", r.Appended, r.Duplicates)
	}
	return inv.print(c.JSON, r, text)
}

// send sends the file once.
func (c *importCommand) send(a *api, f *twice, what string, query url.Values) (r inspect.ImportResult, err error) {
	if _, err := f.file.Seek(0, io.SeekStart); err != nil {
		return r, err
	}
	bar := a.inv.newBar(what+" "+c.File, f.size)
	res, err := a.send(http.MethodPost, "/api/streams/"+url.PathEscape(c.Stream)+"/import?"+query.Encode(),
		io.TeeReader(f.file, bar), "application/octet-stream")
	bar.end()
	if a.inv.ctx.Err() != nil {
		return r, errors.New("interrupted; the same command goes on where this one ended")
	}
	if err != nil {
		return r, err
	}
	defer res.Body.Close()
	return r, json.NewDecoder(res.Body).Decode(&r)
}

// twice is a file that is read two times.
type twice struct {
	file  *os.File
	size  int64
	spool bool
}

// openTwice opens a file; what comes from standard input is kept in one.
func openTwice(name string, stdin io.Reader) (_ *twice, err error) {
	f := &twice{spool: name == "-"}
	if f.spool {
		f.file, err = os.CreateTemp("", "tailrace-import-*")
	} else {
		f.file, err = os.Open(name)
	}
	if err != nil {
		return nil, &usageError{err}
	}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	if f.spool {
		if stdin == nil {
			stdin = os.Stdin
		}
		if _, err := io.Copy(f.file, stdin); err != nil {
			return nil, fmt.Errorf("keep standard input: %w", err)
		}
	}
	info, err := f.file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &usageError{fmt.Errorf("%s is no file; give it to standard input, with - for its name", name)}
	}
	f.size = info.Size()
	return f, nil
}

func (f *twice) close() {
	_ = f.file.Close() // it was only read
	if f.spool {
		_ = os.Remove(f.file.Name())
	}
}
