package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"sync/atomic"
	"time"

	"tailrace/backend/extent"
	"tailrace/backend/snapshot/bucket"
	"tailrace/backend/store"
)

// root is the first part of all keys.
const root = "backup"

// staleAfter is when a backup without a manifest is nobody's any more.
const staleAfter = 24 * time.Hour

// Progress is told how far work has come: bytes that are done, of so many.
type Progress struct{ Bytes, Total *atomic.Int64 }

// Options of a backup.
type Options struct {
	Store *store.DB
	To    bucket.Bucket
	At    time.Time
	// Program is noted in the manifest. Config is the configuration file; nil: none.
	Program  string
	Config   []byte
	Progress Progress
}

// Backup is a backup that lies somewhere.
type Backup struct {
	Location string
	Manifest Manifest
}

// Create writes a backup.
func Create(ctx context.Context, o *Options) (_ *Backup, err error) {
	sweep(ctx, o.To)
	dir, err := freeDir(ctx, o.To, o.At)
	if err != nil {
		return nil, err
	}
	copied, err := o.Store.Copy(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, copied.Close()) }()
	m, err := describe(ctx, copied.Image)
	if err != nil {
		return nil, err
	}
	m.TakenAt, m.Program = o.At.UnixMilli(), o.Program
	size, err := copied.Size()
	if err != nil {
		return nil, err
	}
	o.Progress.Total.Add(size + m.Size())
	w := writer{ctx: ctx, o: o, dir: dir, m: m}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.To.DeleteAll(context.WithoutCancel(ctx), dir))
		}
	}()
	if err := w.note(markName, []byte("This backup has not been finished yet, or never was.\n")); err != nil {
		return nil, err
	}
	for i := range m.Files {
		f := &m.Files[i]
		if f.Size == 0 {
			continue // nothing refers to it any more, but the database knows it
		}
		id, err := strconv.ParseInt(path.Base(f.Name)[:len(path.Base(f.Name))-len(".extent")], 10, 64)
		if err != nil {
			return nil, err
		}
		if err := w.put(f, func(out io.Writer) error { return writeRuns(copied, out, id, f.Runs) }); err != nil {
			return nil, err
		}
	}
	if len(o.Config) > 0 {
		m.Files = append(m.Files, File{Name: ConfigName})
		if err := w.put(&m.Files[len(m.Files)-1], func(out io.Writer) error { _, err := out.Write(o.Config); return err }); err != nil {
			return nil, err
		}
	}
	m.Files = append(m.Files, File{Name: store.FileName})
	if err := w.put(&m.Files[len(m.Files)-1], copied.WriteDatabase); err != nil {
		return nil, err
	}
	file, err := m.encode()
	if err == nil {
		err = w.note(manifestName, file)
	}
	if err == nil {
		err = o.To.Delete(ctx, path.Join(dir, markName))
	}
	if err != nil {
		return nil, err
	}
	return &Backup{o.To.Location(dir), *m}, nil
}

// freeDir is the folder of keys of a backup that is taken now.
func freeDir(ctx context.Context, b bucket.Bucket, at time.Time) (string, error) {
	for ms := at.UnixMilli(); ; ms++ {
		dir := path.Join(root, strconv.FormatInt(ms, 10))
		objects, err := b.List(ctx, dir+"/")
		if err != nil || len(objects) == 0 {
			return dir, err
		}
	}
}

// describe lists the files of large segments and those of compacted streams.
func describe(ctx context.Context, image *store.Image) (*Manifest, error) {
	m := &Manifest{Files: []File{}}
	var err error
	if m.Streams, err = image.Streams(ctx); err != nil {
		return nil, err
	}
	files, err := image.Files(ctx)
	if err != nil {
		return nil, err
	}
	for i := range files {
		f := File{Name: extentFile(files[i].ID), Length: files[i].Size}
		for _, r := range files[i].Runs() {
			f.Runs = append(f.Runs, [2]int64{r.At, r.Size})
			f.Size += r.Size
		}
		m.Files = append(m.Files, f)
	}
	colds, err := image.Colds(ctx)
	seen := map[int64]bool{}
	for _, c := range colds {
		s := &c.Snapshot
		if seen[s.ID] {
			continue
		}
		seen[s.ID] = true
		m.Cold = append(m.Cold, Cold{
			Place: s.Place, Key: s.Key, Endpoint: s.Endpoint, Region: s.Region, PathStyle: s.PathStyle, Target: s.Target,
			Size: s.Size, SHA256: hex.EncodeToString(s.SHA256),
		})
	}
	return m, err
}

func extentFile(id int64) string { return fmt.Sprintf("%s/%08d.extent", store.ExtentsName, id) }

func writeRuns(copied *store.Copy, out io.Writer, id int64, runs [][2]int64) error {
	for _, r := range runs {
		if err := copied.WriteRun(out, extent.Ref{File: id, At: r[0], Size: r[1]}); err != nil {
			return err
		}
	}
	return nil
}

// writer stores the files of a backup.
type writer struct {
	ctx context.Context
	o   *Options
	dir string
	m   *Manifest
}

// put stores a file and notes size and checksum.
func (w *writer) put(f *File, write func(io.Writer) error) error {
	sum := sha256.New()
	var size int64
	key := path.Join(w.dir, f.Name)
	err := w.o.To.Put(w.ctx, key, func(out io.Writer) error {
		counted := &counting{out: io.MultiWriter(out, sum), progress: w.o.Progress}
		err := write(counted)
		size = counted.n
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", w.o.To.Location(key), err)
	}
	stored, err := w.o.To.Stat(w.ctx, key)
	if err == nil && stored.Size != size {
		err = fmt.Errorf("%s has %d bytes, but %d were written", w.o.To.Location(key), stored.Size, size)
	}
	f.Size, f.SHA256 = size, hex.EncodeToString(sum.Sum(nil))
	return err
}

// note stores a file that is not part of the backup.
func (w *writer) note(name string, text []byte) error {
	return w.o.To.Put(w.ctx, path.Join(w.dir, name), func(out io.Writer) error { _, err := out.Write(text); return err })
}

// counting counts what goes through it.
type counting struct {
	out      io.Writer
	progress Progress
	n        int64
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.out.Write(p)
	c.n += int64(n)
	c.progress.Bytes.Add(int64(n))
	return n, err
}

// sweep removes what backups that were killed have left. What does not say so may be
// anything, such as a folder of the user's with a number for a name.
func sweep(ctx context.Context, b bucket.Bucket) {
	folders, err := shelves(ctx, b)
	if err != nil {
		return // the backup meets the same error
	}
	for _, f := range folders {
		if f.marked && !f.whole && time.Since(f.latest) > staleAfter {
			_ = b.DeleteAll(ctx, f.dir) // the next one tries again
		}
	}
}
