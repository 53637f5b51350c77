package backup

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"tailrace/backend/snapshot/bucket"
)

// shelf is a folder of keys that holds a backup, or what is left of one.
type shelf struct {
	dir    string
	at     int64 // in its name
	whole  bool  // there is a manifest
	marked bool  // it was begun, and not finished
	latest time.Time
	size   int64
}

// shelves are those at a place, newest first.
func shelves(ctx context.Context, b bucket.Bucket) ([]shelf, error) {
	objects, err := b.List(ctx, root+"/")
	if err != nil {
		return nil, err
	}
	byDir := map[string]*shelf{}
	for _, o := range objects {
		name, rest, _ := strings.Cut(strings.TrimPrefix(o.Key, root+"/"), "/")
		at, err := strconv.ParseInt(name, 10, 64)
		if err != nil || rest == "" {
			continue
		}
		s := byDir[name]
		if s == nil {
			s = &shelf{dir: path.Join(root, name), at: at}
			byDir[name] = s
		}
		s.whole, s.marked = s.whole || rest == manifestName, s.marked || rest == markName
		s.size += o.Size
		if o.Modified.After(s.latest) {
			s.latest = o.Modified
		}
	}
	out := make([]shelf, 0, len(byDir))
	for _, s := range byDir {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b shelf) int { return cmp.Compare(b.at, a.at) })
	return out, nil
}

// Listed is a backup at a place, or what is left of one.
type Listed struct {
	Backup
	Size int64 // of all its files
	// Err says why it cannot be used; the manifest is empty then.
	Err error
}

// List returns the backups at a place, newest first.
func List(ctx context.Context, b bucket.Bucket) ([]Listed, error) {
	folders, err := shelves(ctx, b)
	if err != nil {
		return nil, err
	}
	out := []Listed{}
	for _, f := range folders {
		l := Listed{Backup: Backup{Location: b.Location(f.dir)}, Size: f.size}
		m, err := readManifest(ctx, b, f.dir)
		if err == nil {
			l.Manifest = *m
		} else if l.Manifest.TakenAt, l.Err = f.at, err; bucket.ProblemOf(err) != "" {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

// source is a backup that is read.
type source struct {
	b   bucket.Bucket
	dir string
	m   *Manifest
}

func (s *source) location() string { return strings.TrimRight(s.b.Location(s.dir), "/") }

// find opens the backup that a bucket was opened at, or else the newest whole one
// below.
func find(ctx context.Context, b bucket.Bucket) (*source, error) {
	m, err := readManifest(ctx, b, "")
	if err != ErrNone {
		return &source{b, "", m}, err
	}
	folders, err := shelves(ctx, b)
	if err != nil {
		return nil, err
	}
	for _, f := range folders {
		if f.whole {
			m, err := readManifest(ctx, b, f.dir)
			return &source{b, f.dir, m}, err
		}
	}
	return nil, ErrNone
}

// Trim takes the manifest's name off a location, so that both name a backup.
func Trim(location string) string {
	location = strings.TrimRight(location, `/\`)
	return strings.TrimRight(strings.TrimSuffix(location, manifestName), `/\`)
}
