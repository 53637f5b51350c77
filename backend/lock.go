package backend

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"tailrace/backend/store"
)

// Names of the two files in the data folder that keep processes apart. The lock
// file is never removed while the folder stays: whoever deletes a locked file lets
// a third process lock a new one beside it.
const (
	LockFileName = "tailrace.lock"
	runFileName  = "run.json"
)

// A process that is starting holds the lock but has no run file yet; one that is
// stopping has it no more. acquireLock waits this long for either to finish.
const (
	lockPatience = 3 * time.Second
	lockRetry    = 20 * time.Millisecond
)

// RunFile says how to reach the server that holds a data folder. It stands in
// <data-dir>/run.json while the server listens, readable by its user only: the
// token opens the inspector API.
type RunFile struct {
	PID          int    `json:"pid"`
	DataURL      string `json:"data_url"`
	InspectorURL string `json:"inspector_url"`
	Token        string `json:"token"`
}

// AlreadyRunningError says that another process holds the data folder.
type AlreadyRunningError struct {
	DataDir string
	Run     RunFile // zero when that process is starting or stopping
}

func (e *AlreadyRunningError) Error() string {
	if e.Run.PID == 0 {
		return fmt.Sprintf("another Tailrace that is starting or stopping holds the data folder %s", e.DataDir)
	}
	return fmt.Sprintf("Tailrace is already running on the data folder %s (process %d, data %s, inspector %s)",
		e.DataDir, e.Run.PID, e.Run.DataURL, e.Run.InspectorURL)
}

// FolderError says that a data folder cannot be written to.
type FolderError struct {
	DataDir string
	Err     error
}

func (e *FolderError) Error() string {
	why := "cannot be written to"
	switch {
	case errors.Is(e.Err, store.ErrReadOnlyDisk), errors.Is(e.Err, syscall.EROFS):
		why = "is on a read-only disk"
	case errors.Is(e.Err, fs.ErrPermission):
		why = "may not be written to by this user"
	case errors.Is(e.Err, syscall.ENOTDIR):
		why = "cannot be made: a part of its path is a file"
	}
	return fmt.Sprintf("the data folder %s %s (%v)", e.DataDir, why, e.Err)
}

func (e *FolderError) Unwrap() error { return e.Err }

// folderError gives the error of a data folder that cannot be written to its
// name, and leaves others as they are.
func folderError(dir string, err error) error {
	for _, cause := range []error{store.ErrReadOnlyDisk, syscall.EROFS, fs.ErrPermission, syscall.ENOTDIR} {
		if errors.Is(err, cause) {
			return &FolderError{DataDir: dir, Err: err}
		}
	}
	return err
}

// lock is the right to use a data folder. The operating system takes it back
// when the process dies, however it dies.
type lock struct {
	dir  string
	file *flock.Flock
}

// acquireLock creates the data folder (0700) when it is missing and locks it. It
// fails with *AlreadyRunningError when another process holds the folder, and
// removes the run file that a crashed one left behind.
func acquireLock(dir string) (*lock, error) { return acquireLockWithin(dir, lockPatience) }

func acquireLockWithin(dir string, patience time.Duration) (*lock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create data folder: %w", err)
	}
	l := &lock{dir: dir, file: flock.New(filepath.Join(dir, LockFileName), flock.SetPermissions(0o600))}
	for deadline := time.Now().Add(patience); ; time.Sleep(lockRetry) {
		locked, err := l.file.TryLock()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("lock data folder: %w", err), l.file.Close())
		}
		if locked {
			break
		}
		run, err := ReadRunFile(dir)
		if err == nil || time.Now().After(deadline) {
			return nil, errors.Join(&AlreadyRunningError{DataDir: dir, Run: run}, l.file.Close())
		}
	}
	if err := l.removeRun(); err != nil {
		return nil, errors.Join(err, l.file.Unlock())
	}
	return l, nil
}

// writeRun publishes how to reach this process. Readers see the whole file or
// none; it need not survive a power cut, so nothing is synced.
func (l *lock) writeRun(run RunFile) error {
	data, err := json.MarshalIndent(run, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", runFileName, err)
	}
	tmp, err := os.CreateTemp(l.dir, runFileName+".*") // made with mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", runFileName, err)
	}
	_, err = tmp.Write(append(data, '\n'))
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), filepath.Join(l.dir, runFileName))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", runFileName, err), os.Remove(tmp.Name()))
	}
	return nil
}

// release removes the run file, then gives up the folder. It may be called more
// than once.
func (l *lock) release() error {
	if !l.file.Locked() {
		return nil
	}
	return errors.Join(l.removeRun(), l.file.Unlock())
}

func (l *lock) removeRun() error {
	if err := os.Remove(filepath.Join(l.dir, runFileName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", runFileName, err)
	}
	return nil
}

// ReadRunFile reads the run file of a data folder. The error is fs.ErrNotExist
// when no server runs there. A file that a crashed server left is returned like
// any other: only its server's answer, or the lock, tells.
func ReadRunFile(dir string) (RunFile, error) {
	path := filepath.Join(dir, runFileName)
	data, err := os.ReadFile(path)
	if err != nil {
		return RunFile{}, fmt.Errorf("read run file: %w", err)
	}
	var run RunFile
	if err := json.Unmarshal(data, &run); err != nil {
		return RunFile{}, fmt.Errorf("read %s: %w", path, err)
	}
	if run.PID <= 0 || run.InspectorURL == "" {
		return RunFile{}, fmt.Errorf("read %s: expected pid and inspector_url", path)
	}
	return run, nil
}
