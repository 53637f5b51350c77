package app

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"

	"tailrace/backend/inspect"
)

// snapshotCommands are the commands about snapshots.
type snapshotCommands struct {
	Create  snapshotCreate  `cmd:"" help:"Write a stream to a file in a folder or bucket."`
	List    snapshotList    `cmd:"" help:"List recorded snapshots, or the files at a place."`
	Verify  snapshotVerify  `cmd:"" help:"Read a snapshot back and check all of it."`
	Restore snapshotRestore `cmd:"" help:"Bring a stream back from a snapshot."`
	Compact snapshotCompact `cmd:"" help:"Read streams from snapshots, so that the log can let go of them."`
	Prune   snapshotPrune   `cmd:"" help:"Delete old snapshots."`
	Test    snapshotTest    `cmd:"" help:"Try whether a folder or bucket works."`
}

const statusHelp = `

Exit status: 0 done, 1 failed, 2 wrong usage, 3 the snapshot is damaged or none, 4 the folder or bucket does not work, 5 there is no such stream or one is in the way.`

type snapshotCreate struct {
	folder   `embed:""`
	place    `embed:""`
	Stream   string `arg:"" help:"Path of the stream."`
	To       string `placeholder:"PLACE" group:"Place" help:"A folder, or s3://bucket/prefix."`
	Compress bool   `help:"Compress with zstd."`
	// Increment is what the schedule of the configuration does, by hand.
	Increment bool `help:"Write only what is new since the newest snapshot there, with a manifest that joins it with those before."`
}

func (snapshotCreate) Help() string {
	return `Works on the running server or on the data folder of a stopped one, without side effects on the stream. Appends go on meanwhile; the file holds the stream as of one moment.

Examples:

    tailrace snapshot create orders --to ~/backups
    tailrace snapshot create orders --to s3://bucket/prefix --endpoint http://127.0.0.1:9000 --path-style
    tailrace snapshot create orders --target backups --json` + placeHelp + statusHelp
}

func (c *snapshotCreate) Run(inv *invocation) error {
	if (c.To == "") == (c.Target == "") {
		return &usageError{errors.New("say where the snapshot goes: either --to PLACE or --target NAME")}
	}
	where, err := c.at(inv, c.To)
	if err != nil {
		return err
	}
	in := struct {
		inspect.Place
		Stream    string `json:"stream"`
		Compress  bool   `json:"compress,omitempty"`
		Increment bool   `json:"increment,omitempty"`
	}{where, c.Stream, c.Compress, c.Increment}
	return inv.with(&c.folder, needsLog, func(a *api) error {
		j, err := a.run("/api/snapshots", in)
		if err != nil {
			return err
		}
		s := j.Snapshot
		text := fmt.Sprintf("%s\n  %s, %s, up to %s\n  sha256 %s", s.Location, countText(s.Messages, "message"), sizeText(s.Size), s.EndOffset, s.SHA256)
		if s.Joined != nil {
			text += "\n  goes on from what is there; the whole stream is " + *s.Joined
		}
		return inv.print(c.JSON, s, text)
	})
}

type snapshotList struct {
	folder `embed:""`
	place  `embed:""`
	Stream string `arg:"" optional:"" help:"Path of a stream; without it all."`
	At     string `placeholder:"PLACE" group:"Place" help:"List the files in this folder or bucket, recorded or not."`
}

func (snapshotList) Help() string {
	return `Examples:

    tailrace snapshot list
    tailrace snapshot list orders --json
    tailrace snapshot list --at s3://bucket/prefix` + placeHelp + statusHelp
}

func (c *snapshotList) Run(inv *invocation) error {
	n := needsLog
	if c.At != "" || c.Target != "" {
		n = anyLog
	}
	return inv.with(&c.folder, n, func(a *api) error {
		if c.At != "" || c.Target != "" {
			return c.files(a)
		}
		var out struct {
			Snapshots []inspect.Snapshot     `json:"snapshots"`
			Tasks     []inspect.SnapshotTask `json:"tasks"`
		}
		if err := a.call(http.MethodGet, "/api/snapshots?stream="+url.QueryEscape(c.Stream), nil, &out); err != nil {
			return err
		}
		text := table(func(w *tabwriter.Writer) {
			for _, s := range out.Snapshots {
				location, use := s.Location, ""
				if s.Joined != nil {
					location = *s.Joined
				}
				if s.InUse {
					use = "\tin use"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s%s\n", s.Stream, dayText(s.CreatedAt), countText(s.Messages, "message"), sizeText(s.Size), location, use)
			}
			for _, t := range out.Tasks {
				fmt.Fprintf(w, "%s\t%s\tto be taken\t\t%s\n", t.Stream, dayText(t.CreatedAt), t.Target)
			}
		})
		return inv.print(c.JSON, out, text)
	})
}

func (c *snapshotList) files(a *api) error {
	where, err := c.at(a.inv, c.At)
	if err != nil {
		return err
	}
	var out struct {
		Files []inspect.SnapshotFile `json:"files"`
	}
	if err := a.call(http.MethodPost, "/api/snapshots/files", where, &out); err != nil {
		return err
	}
	return a.inv.print(c.JSON, out, table(func(w *tabwriter.Writer) {
		for _, f := range out.Files {
			if c.Stream == "" || c.Stream == f.Stream {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.Stream, dayText(f.ModifiedAt), sizeText(f.Size), f.Location)
			}
		}
	}))
}

func table(fill func(*tabwriter.Writer)) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fill(w)
	_ = w.Flush() // a strings.Builder takes everything
	if b.Len() == 0 {
		return "None."
	}
	return b.String()
}

// snapshotFile are the arguments that name a file.
type snapshotFile struct {
	place    `embed:""`
	Location string `arg:"" help:"A file, s3://bucket/key, or with --target a key."`
}

func (f *snapshotFile) resolve(inv *invocation) (where inspect.Place, file string, err error) {
	if where, err = f.at(inv, ""); err != nil || f.Target != "" {
		return where, f.Location, err
	}
	file, err = absolute(f.Location)
	return where, file, err
}

type snapshotVerify struct {
	folder       `embed:""`
	snapshotFile `embed:""`
}

func (snapshotVerify) Help() string {
	return `Reads the whole file from where it lies, checks every checksum, every count and that its ranges join, and compares it with the log and with the server's record of it, where there are any.

Examples:

    tailrace snapshot verify ~/backups/stream/b3JkZXJz/snapshot-1770000000000.seg
    tailrace snapshot verify s3://bucket/prefix/stream/b3JkZXJz/snapshot-1770000000000.seg --endpoint http://127.0.0.1:9000 --path-style` + placeHelp + statusHelp
}

func (c *snapshotVerify) Run(inv *invocation) error {
	where, file, err := c.resolve(inv)
	if err != nil {
		return err
	}
	in := struct {
		inspect.Place
		File string `json:"file"`
	}{where, file}
	return inv.with(&c.folder, anyLog, func(a *api) error {
		j, err := a.run("/api/snapshots/verify", in)
		if err != nil {
			return err
		}
		v := j.Verified
		text := fmt.Sprintf("%s is whole.\n  stream %s, %s, %s to %s\n  sha256 %s", v.Location, v.Stream, countText(v.Messages, "message"), v.StartOffset, v.EndOffset, v.SHA256)
		switch v.Log {
		case "same":
			text += "\n  The log holds the same."
		case "absent":
			text += "\n  The log does not hold this stream."
		default:
			text += "\n  The log differs: " + *v.Reason + "."
		}
		if err := inv.print(c.JSON, v, text); err != nil || v.Log != "differs" {
			return err
		}
		return &jobError{kind: "damaged", text: "the snapshot and the log differ: " + *v.Reason}
	})
}

type snapshotRestore struct {
	folder       `embed:""`
	snapshotFile `embed:""`
	As           string `placeholder:"STREAM" help:"Path of the restored stream (default the one it had)."`
	NoExpiry     bool   `help:"Leave out the stream's TTL or expiry."`
}

func (snapshotRestore) Help() string {
	return `The stream comes back with the same bytes, offsets, closure and producers, so duplicates are still refused. Its offsets are new when the stream that was deleted had more than the file, or others lived at the path since: their readers get 410 instead of missing something. A stream that is there is never overwritten. A fork comes back as a stream of its own.

Examples:

    tailrace snapshot restore ~/backups/stream/b3JkZXJz/snapshot-1770000000000.seg
    tailrace snapshot restore ~/backups/stream/b3JkZXJz/snapshot-1770000000000.seg --as orders-again` + placeHelp + statusHelp
}

func (c *snapshotRestore) Run(inv *invocation) error {
	where, file, err := c.resolve(inv)
	if err != nil {
		return err
	}
	in := struct {
		inspect.Place
		File     string `json:"file"`
		As       string `json:"as,omitempty"`
		NoExpiry bool   `json:"no_expiry,omitempty"`
	}{where, file, c.As, c.NoExpiry}
	return inv.with(&c.folder, makesLog, func(a *api) error {
		j, err := a.run("/api/snapshots/restore", in)
		if err != nil {
			return err
		}
		r := j.Restored
		text := fmt.Sprintf("Restored %s: %s, %s, up to %s.", r.Path, countText(r.Messages, "message"), sizeText(r.Bytes), r.EndOffset)
		if r.NewOffsets {
			text += "\n  Its offsets are new: readers of the path may hold some of another stream, or of more than\n  was restored. They get 410 and begin again."
		}
		return inv.print(c.JSON, r, text)
	})
}

type snapshotPrune struct {
	folder   `embed:""`
	Streams  string `placeholder:"GLOB" help:"Streams it is about (default all)."`
	Target   string `placeholder:"NAME" help:"Snapshots it is about: those of a target of the configuration."`
	KeepLast int    `placeholder:"N" required:"" help:"Keep the newest N of each stream and place."`
	KeepDays int    `placeholder:"DAYS" help:"Keep also what is younger."`
	DryRun   bool   `help:"Only say what would be deleted."`
}

func (snapshotPrune) Help() string {
	return `Examples:

    tailrace snapshot prune --keep-last 3 --keep-days 30 --dry-run
    tailrace snapshot prune --keep-last 1 --streams "logs/**"` + placeHelp + statusHelp
}

func (c *snapshotPrune) Run(inv *invocation) error {
	switch {
	case c.KeepLast < 1:
		return &usageError{errors.New("--keep-last is 1 or more: the newest snapshot of a stream always stays")}
	case c.KeepDays < 0:
		return &usageError{errors.New("--keep-days is 0 or more")}
	}
	in := struct {
		Streams     string               `json:"streams,omitempty"`
		Target      string               `json:"target,omitempty"`
		KeepLast    int                  `json:"keep_last"`
		KeepDays    int                  `json:"keep_days,omitempty"`
		DryRun      bool                 `json:"dry_run,omitempty"`
		Credentials *inspect.Credentials `json:"credentials,omitempty"`
	}{c.Streams, c.Target, c.KeepLast, c.KeepDays, c.DryRun, inv.keys()}
	return inv.with(&c.folder, needsLog, func(a *api) error {
		var out struct {
			Deleted []inspect.Snapshot `json:"deleted"`
			DryRun  bool               `json:"dry_run"`
		}
		if err := a.call(http.MethodPost, "/api/snapshots/prune", in, &out); err != nil {
			return err
		}
		word := "deleted"
		if out.DryRun {
			word = "would be deleted"
		}
		return inv.print(c.JSON, out, table(func(w *tabwriter.Writer) {
			for _, s := range out.Deleted {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", word, s.Stream, sizeText(s.Size), s.Location)
			}
		}))
	})
}

type snapshotTest struct {
	folder `embed:""`
	place  `embed:""`
	At     string `arg:"" optional:"" name:"place" help:"A folder, or s3://bucket/prefix; or name one with --target."`
}

func (snapshotTest) Help() string {
	return `Stores a small file, reads it back and deletes it, and says exactly what is wrong: the name, the connection, TLS, the keys, the bucket, the clock.

Examples:

    tailrace snapshot test ~/backups
    tailrace snapshot test s3://bucket/prefix --endpoint http://127.0.0.1:9000 --path-style` + placeHelp + statusHelp
}

func (c *snapshotTest) Run(inv *invocation) error {
	if (c.At == "") == (c.Target == "") {
		return &usageError{errors.New("name either a place or --target NAME")}
	}
	where, err := c.at(inv, c.At)
	if err != nil {
		return err
	}
	return inv.with(&c.folder, anyLog, func(a *api) error {
		var out inspect.TargetTest
		if err := a.call(http.MethodPost, "/api/targets/test", where, &out); err != nil {
			return err
		}
		if !out.OK {
			return &jobError{kind: *out.Problem, text: *out.Detail}
		}
		return inv.print(c.JSON, out, "It works: a file was stored, read back and deleted.")
	})
}
