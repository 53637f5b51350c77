package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"tailrace/backend/snapshot/bucket"
	"tailrace/backend/snapshot/segfile"
	"tailrace/backend/store"
)

// maxChain is how many snapshots of what is new follow a whole one before the next
// whole one.
const maxChain = 100

// manifestSuffix ends the keys of manifests.
const manifestSuffix = ".json"

// chain are recorded snapshots of one stream at one place that join: a whole one
// and what was new afterwards, oldest first.
type chain []store.Snapshot

// chainID is what the snapshots of a chain have in common.
func chainID(s *store.Snapshot) int64 {
	if s.Chain != 0 {
		return s.Chain
	}
	return s.ID
}

// newestChain returns the snapshots that a new one can go on from; none: it has to
// be a whole one.
func (m *Manager) newestChain(ctx context.Context, b bucket.Bucket, s *store.Stream) (chain, error) {
	all, err := m.o.Store.Snapshots(ctx, s.Path)
	if err != nil {
		return nil, err
	}
	place := placeOf(b)
	all = slices.DeleteFunc(all, func(o store.Snapshot) bool { return o.Place != place || o.Stream != s.ID })
	if len(all) == 0 {
		return nil, nil
	}
	slices.SortFunc(all, func(a, b store.Snapshot) int { return int(a.ID - b.ID) })
	id := chainID(&all[len(all)-1])
	c := chain(slices.DeleteFunc(all, func(o store.Snapshot) bool { return chainID(&o) != id }))
	objects, err := b.List(ctx, folderOf(s.Path)+"/")
	if err != nil {
		return nil, err
	}
	sizes := map[string]int64{}
	for _, o := range objects {
		sizes[o.Key] = o.Size
	}
	pos := int64(0)
	for _, part := range c {
		if size, there := sizes[part.Key]; part.Start != pos || !there || size != part.Size {
			return nil, nil // somebody has taken a file away
		}
		pos = part.End
	}
	if len(c) > maxChain {
		return nil, nil
	}
	return c, nil
}

// putManifest stores what joins a chain with the file that follows it, and returns
// its key.
func putManifest(ctx context.Context, b bucket.Bucket, c chain, h *segfile.Header, key string, sum *segfile.Summary) (string, error) {
	m := segfile.NewManifest(h)
	for _, part := range c {
		m.Add(path.Base(part.Key), part.Start, part.End, part.Size, part.SHA256)
	}
	m.Add(path.Base(key), h.Start, h.End, sum.Size, sum.SHA256[:])
	file, err := m.Encode()
	if err != nil {
		return "", err
	}
	manifest := strings.TrimSuffix(key, ".seg") + manifestSuffix
	return manifest, b.Put(ctx, manifest, func(w io.Writer) error {
		_, err := w.Write(file)
		return err
	})
}

// source is a snapshot that is being read: a file, or several that a manifest joins.
type source interface {
	Header() *segfile.Header
	// Next returns the next batches. It returns io.EOF only when all was right.
	Next() ([]*store.Batch, error)
	Close() error
	// Files are those that have been read, and Summary what they amount to, once Next
	// has returned io.EOF.
	Files() []readFile
	Summary() segfile.Summary
}

// readFile is a file that was read to its end and found right.
type readFile struct {
	key    string
	sha256 [32]byte
}

// openSource opens a file or what a manifest joins.
func (m *Manager) openSource(ctx context.Context, j *Job, b bucket.Bucket, key string) (source, error) {
	if !strings.HasSuffix(key, manifestSuffix) {
		return m.openReader(ctx, j, b, key)
	}
	info, err := b.Stat(ctx, key)
	if err != nil {
		return nil, err
	}
	if info.Size > segfile.MaxManifest {
		return nil, segfile.ErrNotSnapshot
	}
	file, err := b.Range(ctx, key, 0, int(info.Size))
	if err != nil {
		return nil, err
	}
	manifest, err := segfile.DecodeManifest(file)
	if err != nil {
		return nil, err
	}
	c := &joined{m: m, ctx: ctx, j: j, b: b, folder: path.Dir(key), manifest: manifest}
	return c, c.readHeader()
}

// joined reads the files of a manifest one after the other.
type joined struct {
	m        *Manager
	ctx      context.Context //nolint:containedctx // of one job
	j        *Job
	b        bucket.Bucket
	folder   string
	manifest *segfile.Manifest

	header segfile.Header
	next   int // part to open
	open   *opened
	files  []readFile
	total  segfile.Summary
	pos    struct{ first, bytes int64 } // behind the last part
}

func (c *joined) key(p *segfile.ManifestPart) string { return c.folder + "/" + path.Base(p.File) }

// readHeader takes what the stream was from the last file: what lies in between
// changed nothing but its data.
func (c *joined) readHeader() error {
	last := &c.manifest.Parts[len(c.manifest.Parts)-1]
	x, err := segfile.ReadIndex(func(offset int64, length int) ([]byte, error) {
		return c.b.Range(c.ctx, c.key(last), offset, length)
	}, last.Size)
	if err != nil {
		return fmt.Errorf("%s: %w", last.File, err)
	}
	if err := c.manifest.Fits(last, &x.Header); err != nil {
		return err
	}
	c.header = x.Header
	c.header.Start, c.header.First, c.header.BytesBefore = 0, 0, 0
	return nil
}

func (c *joined) Header() *segfile.Header  { return &c.header }
func (c *joined) Files() []readFile        { return c.files }
func (c *joined) Summary() segfile.Summary { return c.total }

func (c *joined) Next() ([]*store.Batch, error) {
	for {
		if c.open == nil {
			if c.next == len(c.manifest.Parts) {
				return nil, io.EOF
			}
			if err := c.openNext(); err != nil {
				return nil, fmt.Errorf("%s: %w", c.manifest.Parts[c.next].File, err)
			}
		}
		batches, err := c.open.Next()
		if err == nil {
			return batches, nil
		}
		part := &c.manifest.Parts[c.next]
		if err == io.EOF {
			err = c.endPart(part)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", part.File, err)
		}
	}
}

func (c *joined) openNext() (err error) {
	part := &c.manifest.Parts[c.next]
	if c.open, err = c.m.openReader(c.ctx, c.j, c.b, c.key(part)); err != nil {
		return err
	}
	h := c.open.Header()
	if err := c.manifest.Fits(part, h); err != nil {
		return err
	}
	if h.First != c.pos.first || h.BytesBefore != c.pos.bytes {
		return &segfile.DamagedError{Reason: "it does not join the file before it"}
	}
	c.pos.first, c.pos.bytes = h.Messages, h.Bytes
	return nil
}

// endPart compares a file that was read with what the manifest says about it.
func (c *joined) endPart(part *segfile.ManifestPart) error {
	sum := c.open.Summary()
	if err := errors.Join(part.FitsSum(sum), c.open.Close()); err != nil {
		c.open = nil
		return err
	}
	c.files = append(c.files, c.open.Files()...)
	c.total.Segments += sum.Segments
	c.total.Batches += sum.Batches
	c.total.Messages += sum.Messages
	c.total.Bytes += sum.Bytes
	c.total.Size += sum.Size
	c.total.SHA256 = sum.SHA256
	c.open = nil
	c.next++
	return nil
}

func (c *joined) Close() error {
	if c.open == nil {
		return nil
	}
	return c.open.Close()
}
