package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"tailrace/backend/inspect"
	"tailrace/backend/snapshot"
	"tailrace/backend/snapshot/backup"
	"tailrace/backend/snapshot/bucket"
)

// backupCommands are the commands about backups of everything.
type backupCommands struct {
	Create  backupCreate  `cmd:"" default:"withargs" help:"Write everything to a folder or bucket. What plain \"tailrace backup\" does."`
	List    backupList    `cmd:"" help:"List the backups at a place."`
	Verify  backupVerify  `cmd:"" help:"Read a backup back and check all of it."`
	Restore backupRestore `cmd:"" help:"Make a data folder of a backup."`
}

const backupStatusHelp = `

Exit status: 0 done, 1 failed, 2 wrong usage, 3 the backup is damaged or none, 4 the folder or bucket does not work, or a file that compacted streams are read from is out of reach, 5 there is nothing to back up, or something is in the way.`

type backupCreate struct {
	folder `embed:""`
	place  `embed:""`
	To     string `placeholder:"PLACE" group:"Place" help:"A folder, or s3://bucket/prefix."`
}

func (backupCreate) Help() string {
	return `Works on the running server or on the data folder of a stopped one. Appends go on meanwhile; the backup holds everything as of one moment, and all that was acknowledged before.

Examples:

    tailrace backup --to ~/backups
    tailrace backup create --to s3://bucket/prefix --endpoint http://127.0.0.1:9000 --path-style
    tailrace backup --target backups --json` + placeHelp + backupStatusHelp
}

func (c *backupCreate) Run(inv *invocation) error {
	if (c.To == "") == (c.Target == "") {
		return &usageError{errors.New("say where the backup goes: either --to PLACE or --target NAME")}
	}
	where, err := c.at(inv, c.To)
	if err != nil {
		return err
	}
	return inv.with(&c.folder, needsLog, func(a *api) error {
		j, err := a.run("/api/backups", where)
		if err != nil {
			return err
		}
		return inv.print(c.JSON, j.Backup, j.Backup.Location+"\n  "+backupText(j.Backup))
	})
}

// backupText says what is in a backup.
func backupText(b *inspect.Backup) string {
	text := fmt.Sprintf("%s, %s in %s, taken %s", countText(b.Streams, "stream"), sizeText(b.Size), countText(int64(b.Files), "file"), dayText(b.TakenAt))
	if b.ColdFiles > 0 {
		text += fmt.Sprintf("\n  Compacted streams are read from %s, %s, which are not part of it.", countText(int64(b.ColdFiles), "snapshot"), sizeText(b.ColdBytes))
	}
	return text
}

type backupList struct {
	folder `embed:""`
	place  `embed:""`
	At     string `arg:"" optional:"" name:"place" help:"A folder, or s3://bucket/prefix; or name one with --target."`
}

func (backupList) Help() string {
	return `Examples:

    tailrace backup list ~/backups
    tailrace backup list --target backups --json` + placeHelp + backupStatusHelp
}

func (c *backupList) Run(inv *invocation) error {
	if (c.At == "") == (c.Target == "") {
		return &usageError{errors.New("name either a place or --target NAME")}
	}
	return inv.offline(&c.folder, &c.place, c.At, func(t bucket.Target, _ map[string]bucket.Target, _ string) error {
		b, err := bucket.Open(t)
		if err == nil && c.Target == "" {
			err = bucket.Missing(b)
		}
		if err != nil {
			return err
		}
		all, err := backup.List(inv.ctx, b)
		if err != nil {
			return err
		}
		out := map[string][]inspect.Backup{"backups": inspect.NewBackups(all)}
		return inv.print(c.JSON, out, table(func(w *tabwriter.Writer) {
			for _, b := range out["backups"] {
				what := countText(b.Streams, "stream")
				if b.Problem != nil {
					what = *b.Problem
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", dayText(b.TakenAt), sizeText(b.Size), b.Location, what)
			}
		}))
	})
}

type backupVerify struct {
	folder   `embed:""`
	place    `embed:""`
	Location string `arg:"" optional:"" help:"A backup, or a folder or s3://bucket/prefix with backups, which stands for the newest one; with --target, where it lies there."`
}

func (backupVerify) Help() string {
	return `Reads everything back from where it lies, compares it with the manifest, checks the database and the checksum of every segment, and looks whether the snapshots are there that compacted streams are read from. Needs no data folder, and room for the database in the folder for temporary files.

Examples:

    tailrace backup verify ~/backups
    tailrace backup verify s3://bucket/prefix/backup/1770000000000 --endpoint http://127.0.0.1:9000 --path-style` + placeHelp + backupStatusHelp
}

func (c *backupVerify) Run(inv *invocation) error {
	return inv.offline(&c.folder, &c.place, c.Location, func(t bucket.Target, targets map[string]bucket.Target, _ string) error {
		b, err := bucket.Open(t)
		if err != nil {
			return err
		}
		var v *backup.Verified
		err = inv.progress("verify "+t.Location, func(p backup.Progress) (err error) {
			v, err = backup.Verify(inv.ctx, b, snapshot.ReachCold(targets, t.Keys), p)
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", t.Location, err)
		}
		out := inspect.NewVerifiedBackup(v)
		text := out.Location + " is whole.\n  " + backupText(&out)
		if err := inv.print(c.JSON, out, text); err != nil || len(v.Unreachable) == 0 {
			return err
		}
		return &jobError{kind: "missing", text: "compacted streams are read from files that are out of reach:\n  " + strings.Join(v.Unreachable, "\n  ")}
	})
}

type backupRestore struct {
	folder   `embed:""`
	place    `embed:""`
	Location string `arg:"" optional:"" help:"A backup, or a folder or s3://bucket/prefix with backups, which stands for the newest one; with --target, where it lies there."`
}

func (backupRestore) Help() string {
	return `Makes the data folder that --data-dir names, which must be empty or not there, and checks everything before it appears. A server that is started on it goes on where the other one was.

Examples:

    tailrace backup restore ~/backups --data-dir ~/restored
    tailrace backup restore s3://bucket/prefix/backup/1770000000000 --data-dir ~/restored` + placeHelp + backupStatusHelp
}

func (c *backupRestore) Run(inv *invocation) error {
	return inv.offline(&c.folder, &c.place, c.Location, func(t bucket.Target, _ map[string]bucket.Target, dir string) error {
		b, err := bucket.Open(t)
		if err != nil {
			return err
		}
		var made *backup.Backup
		err = inv.progress("restore "+t.Location, func(p backup.Progress) (err error) {
			made, err = backup.Restore(inv.ctx, b, dir, p)
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", t.Location, err)
		}
		out := struct {
			inspect.Backup
			DataDir string `json:"data_dir"`
		}{inspect.NewBackup(made), dir}
		text := fmt.Sprintf("Restored %s from %s.\n  %s\n  Start it:  tailrace serve --data-dir %s", dir, out.Location, backupText(&out.Backup), dir)
		if out.Config {
			text += " --config " + filepath.Join(dir, backup.ConfigName)
		}
		return inv.print(c.JSON, out, text)
	})
}

// offline does something with a backup, for which no log need be open.
func (inv *invocation) offline(f *folder, p *place, location string, do func(t bucket.Target, targets map[string]bucket.Target, dataDir string) error) error {
	err := func() error {
		if location == "" && p.Target == "" {
			return &usageError{errors.New("name either a backup or --target NAME")}
		}
		loaded, err := inv.load(f.Config)
		if err != nil {
			return err
		}
		targets, err := loaded.Config.SnapshotTargets()
		if err != nil {
			return err
		}
		var keys *bucket.Keys
		if c := inv.keys(); c != nil {
			keys = &bucket.Keys{Access: c.AccessKey, Secret: c.SecretKey, Session: c.SessionToken}
		}
		if p.Target == "" {
			if location, err = absolute(location); err != nil {
				return err
			}
		}
		t, err := snapshot.BackupTarget(targets, location, snapshot.Where{Name: p.Target, Place: bucket.Target{
			Endpoint: p.Endpoint, Region: p.Region, PathStyle: p.PathStyle, Keyring: p.Keyring, Keys: keys,
		}})
		if err != nil {
			return &usageError{err}
		}
		return do(t, targets, loaded.Config.DataDir)
	}()
	var known interface{ exitStatus() int }
	var usage *usageError
	if err != nil && !errors.As(err, &known) && !errors.As(err, &usage) {
		if inv.ctx.Err() != nil {
			err = errors.New("interrupted")
		}
		err = &jobError{kind: inspect.ProblemKind(err), text: err.Error()}
	}
	return inv.fail(f, err)
}

// progress does something and shows on a terminal how far it has come.
func (inv *invocation) progress(what string, do func(backup.Progress) error) error {
	if !isTerminal(inv.stderr) {
		return do(backup.Progress{Bytes: new(atomic.Int64), Total: new(atomic.Int64)})
	}
	began := time.Now()
	p := backup.Progress{Bytes: new(atomic.Int64), Total: new(atomic.Int64)}
	ctx, stop := context.WithCancel(inv.ctx)
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		ticker := time.NewTicker(pollEvery * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				fmt.Fprint(inv.stderr, "\r\x1b[K")
				return
			case <-ticker.C:
			}
			total := p.Total.Load()
			j := inspect.Job{Subject: what, Bytes: p.Bytes.Load(), Total: &total}
			j.Rate = j.Bytes * 1000 / max(1, time.Since(began).Milliseconds())
			fmt.Fprintf(inv.stderr, "\r\x1b[K%s", strings.TrimSpace(progressLine(&j)))
		}
	}()
	err := do(p)
	stop()
	<-shown
	return err
}
