package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	_ "modernc.org/sqlite" // the SQLite driver
)

// FileName is the database's name in the data folder.
const FileName = "tailrace.db"

// applicationID marks a SQLite file as ours ("Tail").
const applicationID = 0x5461696c

//go:embed migrations/*.sql
var migrations embed.FS

// NewerSchemaError: the database was written by a newer version of the program.
type NewerSchemaError struct {
	Path         string
	Have, Newest int
}

func (e *NewerSchemaError) Error() string {
	return fmt.Sprintf("%s has schema version %d, this program knows versions up to %d: it was last used by a newer Tailrace; upgrade, or start with another --data-dir", e.Path, e.Have, e.Newest)
}

// dsn is the data source name of a connection pool on the file at path.
func dsn(path string, pragmas ...string) string {
	p := filepath.ToSlash(path)
	if !strings.HasPrefix(p, "/") {
		p = "/" + p // a Windows drive
	}
	q := url.Values{"_pragma": append([]string{"busy_timeout(10000)"}, pragmas...)}
	return (&url.URL{Scheme: "file", Path: p, RawQuery: q.Encode()}).String()
}

// openFile opens the database at path for writing, creating and migrating it as
// needed, and returns the pool that holds the single writing connection.
func openFile(ctx context.Context, path string, volatile bool) (_ *sql.DB, err error) {
	check, err := sql.Open("sqlite", dsn(path, "query_only(1)"))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	// It is closed last: the last one moves the write-ahead log into the database,
	// for which a full disk has no room.
	defer func() { err = errors.Join(err, check.Close()) }()
	if err := checkFile(ctx, check, path); err != nil {
		return nil, err
	}
	pragmas := []string{"journal_mode(WAL)", "synchronous(FULL)", "fullfsync(1)", "foreign_keys(0)"}
	if volatile {
		pragmas[1], pragmas[2] = "synchronous(OFF)", "fullfsync(0)"
	}
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		// These only take effect before the first table exists, and write each time.
		pragmas = append([]string{"page_size(4096)", "auto_vacuum(INCREMENTAL)"}, pragmas...)
	}
	db, err := sql.Open("sqlite", dsn(path, pragmas...))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	err = migrate(ctx, db, path)
	if err == nil {
		err = quickCheck(ctx, db, path)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// checkFile refuses files that are not ours or newer than we know, before
// anything in them is changed.
func checkFile(ctx context.Context, db *sql.DB, path string) error {
	if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || (err == nil && info.Size() == 0) {
		return nil
	}
	var appID, version, tables int
	for _, q := range []struct {
		query string
		into  *int
	}{
		{"PRAGMA application_id", &appID}, {"PRAGMA user_version", &version}, {"SELECT count(*) FROM sqlite_schema", &tables},
	} {
		if err := db.QueryRowContext(ctx, q.query).Scan(q.into); err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
	}
	if tables > 0 && appID != applicationID {
		return fmt.Errorf("%s is an SQLite database of another program; start with another --data-dir", path)
	}
	if newest := len(migrationSteps()); version > newest {
		return &NewerSchemaError{Path: path, Have: version, Newest: newest}
	}
	return nil
}

// migrationSteps are the names of the migrations in order; each leads to the
// schema version that is its place, counted from one.
func migrationSteps() []string {
	steps, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		panic(err) // the pattern is fixed
	}
	slices.Sort(steps)
	return steps
}

// migrate brings the schema to the newest version, one transaction a step.
func migrate(ctx context.Context, db *sql.DB, path string) error {
	var version int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	steps := migrationSteps()
	for n := version; n < len(steps); n++ {
		if err := migrateStep(ctx, db, steps[n], n+1); err != nil {
			return fmt.Errorf("migrate %s to schema version %d: %w", path, n+1, err)
		}
	}
	return nil
}

func migrateStep(ctx context.Context, db *sql.DB, step string, version int) error {
	script, err := migrations.ReadFile(step)
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit there is nothing to roll back
	// PRAGMAs take no parameters, and these two are part of the transaction.
	pragmas := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, version)
	if _, err := tx.ExecContext(ctx, string(script)+pragmas); err != nil {
		return err
	}
	return tx.Commit()
}

// makePrivate makes sure that only the user may read the database. SQLite gives
// the files beside it the same mode.
func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	defer func() { _ = f.Close() }() // nothing is written to it
	if info, err := f.Stat(); err == nil && info.Mode().Perm()&0o077 != 0 {
		if err := f.Chmod(0o600); err != nil {
			return fmt.Errorf("open the log: %w", err)
		}
	}
	return nil
}

// DiskBytes is the space that the log takes on disk: the database, its write-ahead
// log and the files of large segments.
func (d *DB) DiskBytes() (int64, error) {
	var total int64
	for _, suffix := range []string{"", "-wal"} {
		switch info, err := os.Stat(d.path + suffix); {
		case err == nil:
			total += info.Size()
		case !errors.Is(err, fs.ErrNotExist):
			return 0, err
		}
	}
	large, err := d.extents.DiskBytes()
	return total + large, err
}
