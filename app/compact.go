package app

import (
	"errors"
	"fmt"
	"net/http"
	"text/tabwriter"
	"time"

	"tailrace/backend/config"
	"tailrace/backend/inspect"
)

// age is a duration, in days as well: 7d.
type age time.Duration

func (a *age) UnmarshalText(text []byte) error {
	d, err := config.ParseAge(string(text))
	if err != nil {
		return fmt.Errorf("%q: expected a duration such as 24h or 7d", text)
	}
	*a = age(d)
	return nil
}

type snapshotCompact struct {
	folder   `embed:""`
	place    `embed:""`
	Streams  string `arg:"" help:"Path of a stream, or a glob."`
	To       string `placeholder:"PLACE" group:"Place" help:"A folder, or s3://bucket/prefix, for snapshots of what none holds yet."`
	Older    age    `placeholder:"DURATION" help:"Only what was written so long ago, such as 24h or 7d."`
	Larger   string `placeholder:"SIZE" help:"Only where so much is freed, such as 1MiB."`
	Compress bool   `help:"Compress snapshots that have to be taken, with zstd."`
	DryRun   bool   `help:"Only say what would be freed."`
}

func (snapshotCompact) Help() string {
	return `A stream that was compacted is read from its snapshot; nothing else about it changes. Each snapshot is read back and compared with the log before the log lets go of anything. Where none holds the stream yet, one is taken first, at the place that is named.

While the folder or bucket is out of reach, reads of what lies there get 503, and everything else goes on. The server reads with keys of its own, not with those of this command.

Examples:

    tailrace snapshot compact orders --to ~/backups --dry-run
    tailrace snapshot compact "logs/**" --target backups --older 168h --larger 1MiB` + statusHelp
}

func (c *snapshotCompact) Run(inv *invocation) error {
	if c.To != "" && c.Target != "" {
		return &usageError{errors.New("name one place: either --to PLACE or --target NAME")}
	}
	var larger int64
	if c.Larger != "" {
		var err error
		if larger, err = config.ParseSize(c.Larger); err != nil {
			return &usageError{fmt.Errorf("--larger: %w", err)}
		}
	}
	where, err := c.at(inv, c.To)
	if err != nil {
		return err
	}
	where.Credentials = nil
	in := inspect.CompactOptions{
		Place: where, Streams: c.Streams, OlderSeconds: int64(time.Duration(c.Older) / time.Second), LargerBytes: larger, Compress: c.Compress,
	}
	return inv.with(&c.folder, needsLog, func(a *api) error {
		if c.DryRun {
			return c.plan(a, in)
		}
		j, err := a.run("/api/snapshots/compact", in)
		if err != nil && len(j.Compacted) == 0 {
			return err
		}
		return errors.Join(inv.print(c.JSON, j.Compacted, compactionTable(j.Compacted, "freed")), err)
	})
}

func (c *snapshotCompact) plan(a *api, in inspect.CompactOptions) error {
	var out struct {
		Streams []inspect.Compaction `json:"streams"`
		Bytes   int64                `json:"bytes"`
	}
	if err := a.call(http.MethodPost, "/api/snapshots/compact/plan", in, &out); err != nil {
		return err
	}
	text := compactionTable(out.Streams, "would be freed")
	if len(out.Streams) > 1 {
		text += fmt.Sprintf("\n%s would be freed.", sizeText(out.Bytes))
	}
	return a.inv.print(c.JSON, out, text)
}

func compactionTable(all []inspect.Compaction, word string) string {
	return table(func(w *tabwriter.Writer) {
		for _, c := range all {
			switch {
			case c.Error != nil:
				fmt.Fprintf(w, "%s\tstays\t%s\n", c.Stream, *c.Error)
			case len(c.Snapshots) == 0:
				fmt.Fprintf(w, "%s\t%s %s\twith a new snapshot\n", c.Stream, sizeText(c.Bytes), word)
			default:
				fmt.Fprintf(w, "%s\t%s %s\t%s\n", c.Stream, sizeText(c.Bytes), word, c.Snapshots[0])
			}
		}
	})
}
