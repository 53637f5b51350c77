package extent

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// Ref is where a piece of data lies: from byte At of a file, Size bytes long.
type Ref struct{ File, At, Size int64 }

// File is what is known of a file: Size bytes of it are committed, Live of them
// are referred to.
type File struct{ ID, Size, Live int64 }

// Files are the files of one folder. Reads, Free and Remove may come from any
// goroutine; all else from one at a time.
type Files struct {
	dir      string
	limit    int64
	volatile bool

	mu   sync.RWMutex
	open map[int64]*os.File

	last     File // the one that is written to; ID 0: none yet
	end      int64
	created  bool // the folder has an entry that may not be on the disk
	unsynced bool
	out      *os.File // of last; nil: not open for writing
}

// DefaultLimit is where a file is full.
const DefaultLimit = 256 << 20

// maxOpen is how many files stay open for reading.
const maxOpen = 64

const suffix = ".extent"

// Options of a folder of files.
type Options struct {
	// Limit is where a file is full; 0: [DefaultLimit].
	Limit int64
	// Volatile makes Sync do nothing: what was written is gone after a crash of the
	// machine.
	Volatile bool
}

// Open prepares a folder, made when it is needed; known are the files that are
// committed, in the order of their ids, and next is the id of the first one to
// come. Other files in it that have ids below or at next are left over from a
// crash, and removed.
func Open(dir string, known []File, next int64, o Options) (*Files, error) {
	f := &Files{dir: dir, limit: o.Limit, volatile: o.Volatile, open: map[int64]*os.File{}, last: File{ID: next - 1}}
	if f.limit == 0 {
		f.limit = DefaultLimit
	}
	there := map[int64]bool{}
	for _, k := range known {
		there[k.ID] = true
		if k.ID == f.last.ID {
			f.last = k
		}
	}
	f.end = f.last.Size
	if !there[f.last.ID] {
		f.end = f.limit // begin with a new one
	}
	ids, err := f.ids()
	for _, id := range ids {
		if !there[id] && id <= next {
			err = errors.Join(err, os.Remove(f.name(id)))
		}
	}
	return f, err
}

// ids are those of the files in the folder.
func (f *Files) ids() ([]int64, error) {
	entries, err := os.ReadDir(f.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var ids []int64
	for _, e := range entries {
		digits, ours := strings.CutSuffix(e.Name(), suffix)
		if id, err := strconv.ParseInt(digits, 10, 64); ours && err == nil {
			ids = append(ids, id)
		}
	}
	return ids, err
}

func (f *Files) name(id int64) string { return filepath.Join(f.dir, Name(id)) }

// Name is the name of a file in its folder.
func Name(id int64) string { return fmt.Sprintf("%08d%s", id, suffix) }

// Append writes data behind what is there. It is neither on the disk nor counted
// until Sync and Keep; Rewind takes it back.
func (f *Files) Append(data []byte) (Ref, error) {
	if err := f.ready(); err != nil {
		return Ref{}, err
	}
	f.unsynced = true
	if _, err := f.out.WriteAt(data, f.end); err != nil {
		return Ref{}, fmt.Errorf("write a large segment: %w", err)
	}
	ref := Ref{File: f.last.ID, At: f.end, Size: int64(len(data))}
	f.end += ref.Size
	return ref, nil
}

// ready sees to a file that can be written to: the next one when the last is full.
// It stays the last one when the write that needed it fails.
func (f *Files) ready() (err error) {
	if f.end >= f.limit {
		if err := f.closeOut(); err != nil {
			return err
		}
		if err := os.MkdirAll(f.dir, 0o700); err != nil {
			return err
		}
		name := f.name(f.last.ID + 1)
		if f.out, err = os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600); err != nil {
			return fmt.Errorf("begin a file of large segments: %w", err)
		}
		f.last, f.end, f.created = File{ID: f.last.ID + 1}, 0, true
	}
	if f.out != nil {
		return nil
	}
	f.out, err = os.OpenFile(f.name(f.last.ID), os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		f.end = f.limit // somebody has removed it; reads tell of that
		return f.ready()
	}
	if err != nil {
		return fmt.Errorf("open a file of large segments: %w", err)
	}
	return nil
}

func (f *Files) closeOut() error {
	if f.out == nil {
		return nil
	}
	// A full file may hold what is not committed yet.
	err := f.syncFile()
	err = errors.Join(err, f.out.Close())
	f.out = nil
	return err
}

func (f *Files) syncFile() error {
	if !f.unsynced {
		return nil
	}
	if !f.volatile {
		if err := datasync(f.out); err != nil {
			return fmt.Errorf("write a large segment: %w", err)
		}
	}
	f.unsynced = false
	return nil
}

// Sync brings what was appended to the disk. It must have succeeded before a Ref
// is committed.
func (f *Files) Sync() error {
	if err := f.syncFile(); err != nil {
		return err
	}
	if f.created && !f.volatile {
		if err := errors.Join(syncDir(f.dir), syncDir(filepath.Dir(f.dir))); err != nil {
			return fmt.Errorf("begin a file of large segments: %w", err)
		}
		f.created = false
	}
	return nil
}

// Last is the id of the file that is written to.
func (f *Files) Last() int64 { return f.last.ID }

// Keep leaves what was appended where it is: it is committed, or may be.
func (f *Files) Keep() { f.last.Size = f.end }

// Rewind takes back what was appended and not kept, and its room on the disk.
func (f *Files) Rewind() {
	if f.out != nil && f.unsynced || f.end != f.last.Size {
		f.end = f.last.Size
		if f.out != nil {
			_ = f.out.Truncate(f.end) // what stays is overwritten
		}
	}
}

// Read returns a piece.
func (f *Files) Read(r Ref) ([]byte, error) {
	data := make([]byte, r.Size)
	return data, f.ReadAt(r.File, data, r.At)
}

// ReadAt fills b with what a file holds from byte at on.
func (f *Files) ReadAt(id int64, b []byte, at int64) error {
	file, err := f.reader(id)
	if err != nil {
		return err
	}
	_, err = io.ReadFull(io.NewSectionReader(file, at, int64(len(b))), b)
	return err
}

// reader returns a file open for reading. It is not closed by whoever evicts it
// from the map, since others may just be reading: the finalizer of os.File does
// that once nobody holds it.
func (f *Files) reader(id int64) (*os.File, error) {
	f.mu.RLock()
	file := f.open[id]
	f.mu.RUnlock()
	if file != nil {
		return file, nil
	}
	file, err := os.Open(f.name(id))
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if there := f.open[id]; there != nil {
		return there, file.Close()
	}
	if len(f.open) >= maxOpen {
		clear(f.open)
	}
	f.open[id] = file
	return file, nil
}

// Free gives the blocks of a piece back to the file system, where that is
// possible. Nobody may refer to it any more.
func (f *Files) Free(r Ref) error {
	file, err := os.OpenFile(f.name(r.File), os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(punch(file, r.At, r.Size), file.Close())
}

// Remove deletes a file in which nothing is left. It must not be the last one.
func (f *Files) Remove(id int64) error {
	f.mu.Lock()
	delete(f.open, id)
	f.mu.Unlock()
	err := os.Remove(f.name(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// DiskBytes is the room that the files take on the disk.
func (f *Files) DiskBytes() (int64, error) {
	ids, err := f.ids()
	if err != nil {
		return 0, err
	}
	var total int64
	for _, id := range ids {
		info, err := os.Stat(f.name(id))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		total += diskBytes(info)
	}
	return total, nil
}

// Close closes what is open. Nobody may read or write any more.
func (f *Files) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs []error
	for _, file := range f.open {
		errs = append(errs, file.Close())
	}
	if f.out != nil {
		errs = append(errs, f.out.Close())
	}
	f.open, f.out = nil, nil
	return errors.Join(errs...)
}
