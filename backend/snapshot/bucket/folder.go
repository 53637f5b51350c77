package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// folder keeps files in a folder of the file system.
type folder struct{ dir string }

// tmpSuffix marks files that are being written.
const tmpSuffix = ".tmp"

// staleAfter is when a file that was being written belongs to nobody any more.
const staleAfter = 24 * time.Hour

func (f *folder) Location(key string) string { return filepath.Join(f.dir, filepath.FromSlash(key)) }

// path is where a key lies. Keys come from files as well: none leaves the folder.
func (f *folder) path(key string) (string, error) {
	if !filepath.IsLocal(filepath.FromSlash(key)) {
		return "", fmt.Errorf("%q is no key within %s", key, f.dir)
	}
	return f.Location(key), nil
}

func (f *folder) Put(ctx context.Context, key string, write func(io.Writer) error) (err error) {
	path, err := f.path(key)
	if err != nil {
		return err
	}
	defer func() { err = f.explain(err) }()
	if err := makeDirs(filepath.Dir(path)); err != nil {
		return err
	}
	sweep(filepath.Dir(path))
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*"+tmpSuffix) // mode 0600
	if err != nil {
		return err
	}
	out := newFile(ctx, tmp)
	err = write(out)
	err = errors.Join(err, out.end(err == nil))
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return SyncDir(filepath.Dir(path))
}

// file is written and brought to the disk at the same time: a sync of all at the end
// would take as long again, and hold up those of the log meanwhile. It stops when its
// context ends.
type file struct {
	ctx   context.Context
	f     *os.File
	fresh int            // bytes since the last sync was asked for
	syncs chan struct{}  // asks for one
	done  sync.WaitGroup // the goroutine that syncs
	// What a sync met. The system tells of a failure once, so it must not be lost.
	failed atomic.Pointer[error]
}

// syncEvery is how many bytes gather before they are sent to the disk. While that
// takes longer than writing them, at most three times as many are on their way.
const syncEvery = 8 << 20

func newFile(ctx context.Context, f *os.File) *file {
	w := &file{ctx: ctx, f: f, syncs: make(chan struct{}, 1)}
	w.done.Go(func() {
		for range w.syncs {
			if err := w.f.Sync(); err != nil {
				w.failed.CompareAndSwap(nil, &err)
			}
		}
	})
	return w
}

func (w *file) Write(p []byte) (int, error) {
	if err := errors.Join(w.ctx.Err(), w.syncError()); err != nil {
		return 0, err
	}
	n, err := w.f.Write(p)
	if w.fresh += n; w.fresh >= syncEvery {
		w.syncs <- struct{}{}
		w.fresh = 0
	}
	return n, err
}

// end returns when all that was written is on the disk; a file that is not whole
// need not be. Nothing may be written any more.
func (w *file) end(whole bool) error {
	if whole {
		w.syncs <- struct{}{}
	}
	close(w.syncs)
	w.done.Wait()
	return w.syncError()
}

func (w *file) syncError() error {
	if err := w.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// makeDirs creates a folder and syncs the ones that got a new entry.
func makeDirs(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(dir)
	if err := makeDirs(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return SyncDir(parent)
}

// SyncDir makes a rename durable. Windows has no such thing.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// sweep removes what a process that was killed has left of its uploads.
func sweep(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // Put meets the same error
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && isTmp(e.Name()) && time.Since(info.ModTime()) > staleAfter {
			_ = os.Remove(filepath.Join(dir, e.Name())) // the next one tries again
		}
	}
}

func isTmp(name string) bool {
	return strings.HasPrefix(name, ".") && strings.HasSuffix(name, tmpSuffix)
}

func (f *folder) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	path, err := f.path(key)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, f.explain(err)
	}
	if info, err := file.Stat(); err == nil && info.IsDir() {
		return nil, errors.Join(f.explain(&fs.PathError{Op: "open", Path: path, Err: syscall.EISDIR}), file.Close())
	}
	return file, nil
}

func (f *folder) Range(ctx context.Context, key string, offset int64, length int) ([]byte, error) {
	r, err := f.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	b := make([]byte, length)
	_, err = r.(*os.File).ReadAt(b, offset)
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, f.explain(err)
	}
	return b, nil
}

func (f *folder) Stat(_ context.Context, key string) (Object, error) {
	path, err := f.path(key)
	if err != nil {
		return Object{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return Object{}, f.explain(err)
	}
	return Object{Key: key, Size: info.Size(), Modified: info.ModTime()}, nil
}

func (f *folder) List(ctx context.Context, prefix string) (objects []Object, err error) {
	err = filepath.WalkDir(f.dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // nothing was stored yet, or it went meanwhile
			}
			return err
		}
		rel, err := filepath.Rel(f.dir, name)
		key := filepath.ToSlash(rel)
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if e.IsDir() && rel != "." && !strings.HasPrefix(key+"/", prefix) && !strings.HasPrefix(prefix, key+"/") {
			return fs.SkipDir
		}
		if !e.Type().IsRegular() || isTmp(e.Name()) || !strings.HasPrefix(key, prefix) {
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return nil // gone meanwhile
		}
		objects = append(objects, Object{Key: key, Size: info.Size(), Modified: info.ModTime()})
		return nil
	})
	return objects, f.explain(err)
}

func (f *folder) Delete(_ context.Context, key string) error {
	path, err := f.path(key)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return f.explain(err)
	}
	if err := SyncDir(filepath.Dir(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return f.explain(err)
	}
	return nil
}

func (f *folder) DeleteAll(_ context.Context, dir string) error {
	path, err := f.path(dir)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(path); err != nil {
		return f.explain(err)
	}
	parent := filepath.Dir(path)
	if parent != filepath.Clean(f.dir) {
		_ = os.Remove(parent) // while there is something in it, it stays
	}
	if err := SyncDir(filepath.Dir(parent)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return f.explain(err)
	}
	return nil
}

func (f *folder) Test(ctx context.Context) error {
	if err := Missing(f); err != nil {
		return err
	}
	return try(ctx, f)
}

// Missing says that a folder is not there yet, which List takes for an empty one:
// somebody who typed its name may have meant another. Buckets tell by themselves.
func Missing(b Bucket) error {
	f, ok := b.(*folder)
	if !ok {
		return nil
	}
	if info, err := os.Stat(f.dir); errors.Is(err, fs.ErrNotExist) {
		return &Error{Problem: ProblemNoBucket, Where: f.dir, Advice: "there is no such folder", Err: err}
	} else if err == nil && !info.IsDir() {
		return &Error{Problem: ProblemNoBucket, Where: f.dir, Advice: "this is a file, not a folder"}
	}
	return nil
}

// explain names the problem behind an error of the file system.
func (f *folder) explain(err error) error {
	problem, advice := "", ""
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, fs.ErrNotExist):
		problem, advice = ProblemMissing, "there is no such file or folder"
	case errors.Is(err, syscall.ENOTDIR):
		problem, advice = ProblemNoBucket, "a file stands where a folder should be"
	case errors.Is(err, syscall.EISDIR):
		problem, advice = ProblemMissing, "this is a folder, not a file"
	case errors.Is(err, fs.ErrPermission):
		problem, advice = ProblemDenied, "permission denied"
	case errors.Is(err, syscall.EROFS):
		problem, advice = ProblemDenied, "the disk is read-only"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		problem, advice = ProblemFull, "the disk is full"
	default:
		return err
	}
	where := f.dir
	var at *fs.PathError
	if errors.As(err, &at) {
		where = at.Path
	}
	return &Error{Problem: problem, Where: where, Advice: advice, Err: err}
}
