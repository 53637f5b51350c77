package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	sqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// DamagedError: what is on disk is not what was written.
type DamagedError struct {
	What string
	Err  error // nil: a checksum of our own
}

func (e *DamagedError) Error() string {
	if e.Err == nil {
		return e.What + " is damaged"
	}
	return e.What + " is damaged: " + e.Err.Error()
}

func (e *DamagedError) Unwrap() error { return e.Err }

// asDamage gives SQLite's errors about a malformed file their name.
func asDamage(path string, err error) error {
	var se *sqlite.Error
	if errors.As(err, &se) {
		switch se.Code() & 0xff {
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			return &DamagedError{What: path, Err: err}
		}
	}
	return err
}

// checkBelow is the size up to which a database is checked as a whole when it is
// opened; a larger one would make a start slow. Reads check what they read.
const checkBelow = 32 << 20

// quickCheck looks for damage in a small database.
func quickCheck(ctx context.Context, db *sql.DB, path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Size() > checkBelow {
		return err
	}
	var result string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&result); err != nil {
		return err
	}
	if result != "ok" {
		return &DamagedError{What: path, Err: errors.New(result)}
	}
	return nil
}

// SetAside renames the database in a folder, with its companions, so that a new
// one can be made beside it. It returns the new name. Nothing is deleted; what
// can be saved, SQLite's own tools can save from there.
func SetAside(dir string, now time.Time) (string, error) {
	from := filepath.Join(dir, FileName)
	to := from + ".damaged-" + now.UTC().Format("20060102-150405")
	if _, err := os.Lstat(to); err == nil {
		return "", fmt.Errorf("%s exists already", to)
	}
	for _, suffix := range []string{"-wal", "-shm", ""} {
		if err := os.Rename(from+suffix, to+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("keep the damaged database aside: %w", err)
		}
	}
	return to, setExtentsAside(dir, ".damaged-"+now.UTC().Format("20060102-150405"))
}
