package backup

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"tailrace/backend/snapshot/bucket"
	"tailrace/backend/store"
)

// NotEmptyError: a data folder that would be restored holds something.
type NotEmptyError struct{ Dir string }

func (e *NotEmptyError) Error() string {
	return e.Dir + " is not empty; a backup is restored into a folder that is empty or not there"
}

// Restore makes a data folder of a backup. It appears when everything has been
// checked and is on the disk.
func Restore(ctx context.Context, b bucket.Bucket, dir string, progress Progress) (_ *Backup, err error) {
	if err := checkEmpty(dir); err != nil {
		return nil, err
	}
	s, err := find(ctx, b)
	if err != nil {
		return nil, err
	}
	progress.Total.Add(s.m.Size())
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+".restoring-*") // 0700
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }() // gone by then if all went well
	for i := range s.m.Files {
		f := &s.m.Files[i]
		to := filepath.Join(tmp, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return nil, err
		}
		if err := s.fetch(ctx, f, to, progress); err != nil {
			return nil, err
		}
	}
	if err := s.checkRestored(ctx, tmp); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := appear(tmp, dir); err != nil {
		return nil, err
	}
	return &Backup{s.location(), *s.m}, nil
}

func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && len(entries) > 0 {
		return &NotEmptyError{dir}
	}
	return err
}

// checkRestored checks the database, and that the files beside it are those that it
// refers to.
func (s *source) checkRestored(ctx context.Context, dir string) (err error) {
	image, err := store.OpenImage(ctx, filepath.Join(dir, store.FileName))
	if err != nil {
		return damage(err)
	}
	defer func() { err = errors.Join(err, image.Close()) }()
	if err := image.Check(ctx); err != nil {
		return damage(err)
	}
	files, err := image.Files(ctx)
	if err != nil {
		return damage(err)
	}
	for i := range files {
		f := s.m.file(extentFile(files[i].ID))
		if f == nil {
			return &DamagedError{Reason: extentFile(files[i].ID) + " is missing from " + manifestName}
		}
		if err := matches(f, &files[i]); err != nil {
			return err
		}
	}
	return nil
}

// appear gives a restored folder its name. An empty one that is there gives way.
func appear(tmp, dir string) error {
	for _, d := range []string{filepath.Join(tmp, store.ExtentsName), tmp} {
		if err := bucket.SyncDir(d); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := checkEmpty(dir); err != nil {
		return err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(tmp, dir); err != nil {
		return err
	}
	return bucket.SyncDir(filepath.Dir(dir))
}

// fetch stores a file in the file system, and brings it to the disk.
func (s *source) fetch(ctx context.Context, f *File, to string, progress Progress) error {
	file, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	var out io.Writer = file
	if extentName.MatchString(f.Name) {
		out = &runs{file: file, left: f.Runs}
	}
	err = s.read(ctx, f, out, progress)
	if err == nil && f.Length > 0 {
		err = file.Truncate(f.Length)
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// runs writes what is stored of a file to where it belongs.
type runs struct {
	file *os.File
	left [][2]int64
	done int64 // of the first one left
}

func (r *runs) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		if len(r.left) == 0 {
			return 0, &DamagedError{Reason: filepath.Base(r.file.Name()) + " has more than was written"}
		}
		n := min(int64(len(rest)), r.left[0][1]-r.done)
		if _, err := r.file.WriteAt(rest[:n], r.left[0][0]+r.done); err != nil {
			return 0, err
		}
		rest = rest[n:]
		if r.done += n; r.done == r.left[0][1] {
			r.left, r.done = r.left[1:], 0
		}
	}
	return len(b), nil
}
