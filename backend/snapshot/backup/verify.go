package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"tailrace/backend/snapshot/bucket"
	"tailrace/backend/store"
)

// Reach opens the place of a file that a compacted stream is read from.
type Reach func(*Cold) (bucket.Bucket, error)

// Verified is a backup that was found right.
type Verified struct {
	Backup
	Segments int64
	// Unreachable says which files that compacted streams are read from are not where
	// they were, and why.
	Unreachable []string
}

// Verify reads a backup back and checks all of it: every file against the manifest,
// the database in itself, the data of every segment against its checksum, and
// whether the files are there that compacted streams are read from.
func Verify(ctx context.Context, b bucket.Bucket, reach Reach, progress Progress) (_ *Verified, err error) {
	s, err := find(ctx, b)
	if err != nil {
		return nil, err
	}
	progress.Total.Add(s.m.Size())
	scratch, err := os.MkdirTemp("", "tailrace-verify-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	db := filepath.Join(scratch, store.FileName)
	if err := s.fetch(ctx, s.m.file(store.FileName), db, progress); err != nil {
		return nil, err
	}
	image, err := store.OpenImage(ctx, db)
	if err != nil {
		return nil, damage(err)
	}
	defer func() { err = errors.Join(err, image.Close()) }()
	v := &Verified{Backup: Backup{s.location(), *s.m}}
	if err := image.Check(ctx); err != nil {
		return nil, damage(err)
	}
	if err := s.verifyExtents(ctx, image, progress); err != nil {
		return nil, err
	}
	if f := s.m.file(ConfigName); f != nil {
		if err := s.read(ctx, f, io.Discard, progress); err != nil {
			return nil, err
		}
	}
	for i := range s.m.Cold {
		if why := s.m.Cold[i].missing(ctx, reach); why != "" {
			v.Unreachable = append(v.Unreachable, why)
		}
	}
	return v, ctx.Err()
}

// damage gives what the store says about a copied database its name here.
func damage(err error) error {
	var damaged *store.DamagedError
	if errors.As(err, &damaged) {
		return &DamagedError{Reason: damaged.Error()}
	}
	return err
}

// missing says why a file is not where it was; "": it is there.
func (c *Cold) missing(ctx context.Context, reach Reach) string {
	b, err := reach(c)
	if err != nil {
		return c.Place + "/" + c.Key + ": " + err.Error()
	}
	o, err := b.Stat(ctx, c.Key)
	if err == nil && o.Size != c.Size {
		err = fmt.Errorf("it has %d bytes instead of %d", o.Size, c.Size)
	}
	if err != nil {
		return b.Location(c.Key) + ": " + err.Error()
	}
	return ""
}

// verifyExtents checks the files of large segments, piece by piece.
func (s *source) verifyExtents(ctx context.Context, image *store.Image, progress Progress) error {
	files, err := image.Files(ctx)
	if err != nil {
		return damage(err)
	}
	for i := range files {
		f := s.m.file(extentFile(files[i].ID))
		if f == nil {
			return &DamagedError{Reason: fmt.Sprintf("%s is missing from %s", extentFile(files[i].ID), manifestName)}
		}
		if err := matches(f, &files[i]); err != nil {
			return err
		}
		pieces := &pieces{ctx: ctx, image: image, left: files[i].Pieces}
		if err := s.read(ctx, f, pieces, progress); err != nil {
			return err
		}
	}
	return nil
}

// matches checks that a file of the manifest holds what the database refers to.
func matches(f *File, want *store.ImageFile) error {
	runs := want.Runs()
	same := len(runs) == len(f.Runs) && f.Length == want.Size
	for i := 0; same && i < len(runs); i++ {
		same = f.Runs[i] == [2]int64{runs[i].At, runs[i].Size}
	}
	if !same {
		return &DamagedError{Reason: f.Name + " does not hold what the database refers to"}
	}
	return nil
}

// pieces checks the data of segments as it comes by.
type pieces struct {
	ctx   context.Context
	image *store.Image
	left  []store.ImagePiece
	data  []byte
}

func (p *pieces) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		if len(p.left) == 0 {
			return 0, &DamagedError{Reason: "there is more data than segments"}
		}
		n := min(int64(len(rest)), p.left[0].Size-int64(len(p.data)))
		p.data, rest = append(p.data, rest[:n]...), rest[n:]
		if int64(len(p.data)) < p.left[0].Size {
			break
		}
		if err := p.image.CheckPiece(p.ctx, p.left[0], p.data); err != nil {
			return 0, damage(err)
		}
		p.left, p.data = p.left[1:], p.data[:0]
	}
	return len(b), nil
}

// read reads a file to out and compares it with the manifest.
func (s *source) read(ctx context.Context, f *File, out io.Writer, progress Progress) error {
	if f.Size == 0 {
		return nil
	}
	key := path.Join(s.dir, f.Name)
	r, err := s.b.Open(ctx, key)
	if bucket.ProblemOf(err) == bucket.ProblemMissing {
		return &DamagedError{Reason: f.Name + " is missing"}
	}
	if err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.CopyBuffer(&counting{out: io.MultiWriter(sum, out), progress: progress}, &untilDone{ctx, io.LimitReader(r, f.Size+1)}, make([]byte, 1<<20))
	err = errors.Join(err, r.Close())
	switch {
	case err != nil:
		return err
	case n != f.Size:
		return &DamagedError{Reason: fmt.Sprintf("%s has not the %d bytes that were written", f.Name, f.Size)}
	case hex.EncodeToString(sum.Sum(nil)) != f.SHA256:
		return &DamagedError{Reason: f.Name + " is not what was written"}
	}
	return nil
}

// untilDone stops reading when its context ends.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u *untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}
