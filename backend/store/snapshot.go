package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Snapshot is a file that holds a stream or a range of it.
type Snapshot struct {
	ID          int64
	Path        string
	Incarnation int64
	Start, End  int64
	Messages    int64
	Bytes       int64
	Closed      bool
	Target      string // name in the configuration; "": none
	Place       string // folder, or s3://bucket/prefix
	Endpoint    string
	Region      string
	PathStyle   bool
	Key         string
	Size        int64
	SHA256      []byte
	CreatedAt   int64
	VerifiedAt  int64 // 0: never
	InUse       bool  // a compacted stream is read from it
	Stream      int64 // number of the stream that it was taken from; 0: not noted
	// Chain is the whole snapshot that this one goes on from, and Manifest the key of
	// the file that joins them; 0 and empty: it is whole.
	Chain    int64
	Manifest string
}

// SnapshotTask is a snapshot that is to be taken.
type SnapshotTask struct {
	ID          int64
	Path        string
	Incarnation int64
	Target      string
	CreatedAt   int64
	Attempts    int
	NextAttempt int64
	LastError   string
}

// exec runs one statement as a write of its own.
func (d *DB) exec(name, query string, args ...any) error {
	return d.Commit(&Write{also: also{name, func(ctx context.Context, c *committer) error {
		_, err := c.conn.ExecContext(ctx, query, args...)
		return err
	}}})
}

// also is work of this package that rides in a write's transaction.
type also struct {
	name string // for errors
	do   func(context.Context, *committer) error
}

// AddSnapshot records a snapshot and removes the task that asked for it, if any.
func (d *DB) AddSnapshot(s *Snapshot, task int64) error {
	return d.Commit(&Write{also: also{"snapshot of " + s.Path, func(ctx context.Context, c *committer) error {
		res, err := c.conn.ExecContext(ctx, `INSERT INTO snapshots (path, incarnation, start, "end", messages, bytes, closed,
			target, place, endpoint, region, path_style, key, size, sha256, created_at, stream, chain, manifest)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			s.Path, s.Incarnation, s.Start, s.End, s.Messages, s.Bytes, s.Closed,
			s.Target, s.Place, s.Endpoint, s.Region, s.PathStyle, s.Key, s.Size, s.SHA256, s.CreatedAt, s.Stream, s.Chain, s.Manifest)
		if err != nil {
			return err
		}
		if s.ID, err = res.LastInsertId(); err != nil {
			return err
		}
		_, err = c.conn.ExecContext(ctx, "DELETE FROM snapshot_tasks WHERE id = ?", task)
		return err
	}}})
}

// VerifiedSnapshot notes that a snapshot was read back and found right.
func (d *DB) VerifiedSnapshot(id, at int64) error {
	return d.exec("snapshot", "UPDATE snapshots SET verified_at = ? WHERE id = ?", at, id)
}

// RemoveSnapshot forgets a snapshot. It fails with [ErrSnapshotInUse] when a stream
// is read from it.
func (d *DB) RemoveSnapshot(id int64) error {
	used := false
	err := d.Commit(&Write{also: also{"snapshot", func(ctx context.Context, c *committer) error {
		res, err := c.conn.ExecContext(ctx, "DELETE FROM snapshots WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM cold WHERE snapshot = ?1)", id)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n > 0 {
			return err
		}
		// A refusal is no reason to fail the writes that share the transaction.
		return c.conn.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM cold WHERE snapshot = ?)", id).Scan(&used)
	}}})
	if err == nil && used {
		err = ErrSnapshotInUse
	}
	return err
}

// ErrSnapshotInUse: a stream that was compacted is read from a snapshot.
var ErrSnapshotInUse = errors.New("a compacted stream is read from this snapshot; it holds the only copy")

// snapshotColumns are read by [Snapshot.scan] from a table that is called s.
const snapshotColumns = `s.id, s.path, s.incarnation, s.start, s."end", s.messages, s.bytes, s.closed, s.target, s.place,
	s.endpoint, s.region, s.path_style, s.key, s.size, s.sha256, s.created_at, coalesce(s.verified_at, 0),
	EXISTS (SELECT 1 FROM cold WHERE snapshot = s.id), s.stream, s.chain, s.manifest`

func (s *Snapshot) scan(scan func(...any) error) error {
	return scan(&s.ID, &s.Path, &s.Incarnation, &s.Start, &s.End, &s.Messages, &s.Bytes, &s.Closed, &s.Target, &s.Place,
		&s.Endpoint, &s.Region, &s.PathStyle, &s.Key, &s.Size, &s.SHA256, &s.CreatedAt, &s.VerifiedAt, &s.InUse, &s.Stream, &s.Chain, &s.Manifest)
}

// Snapshots returns the recorded snapshots of a stream, of all streams when path
// is empty, newest first.
func (d *DB) Snapshots(ctx context.Context, path string) ([]Snapshot, error) {
	rows, err := d.read.QueryContext(ctx, "SELECT "+snapshotColumns+
		" FROM snapshots s WHERE ?1 = '' OR path = ?1 ORDER BY created_at DESC, id DESC", path)
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	defer rows.Close()
	var out []Snapshot
	for rows.Next() {
		var s Snapshot
		if err := s.scan(rows.Scan); err != nil {
			return nil, fmt.Errorf("list snapshots: %w", err)
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// SnapshotAt returns the record of the file with a key at a place; nil: there is none.
func (d *DB) SnapshotAt(ctx context.Context, place, key string) (*Snapshot, error) {
	var s Snapshot
	err := s.scan(d.read.QueryRowContext(ctx, "SELECT "+snapshotColumns+" FROM snapshots s WHERE place = ? AND key = ?", place, key).Scan)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("look up the snapshot %s in %s: %w", key, place, err)
	}
	return &s, nil
}

// SnapshotTasks returns what is to be taken, oldest first.
func (d *DB) SnapshotTasks(ctx context.Context) ([]SnapshotTask, error) {
	rows, err := d.read.QueryContext(ctx, `SELECT id, path, incarnation, target, created_at, attempts, next_attempt, coalesce(last_error, '')
		FROM snapshot_tasks ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("list snapshot tasks: %w", err)
	}
	defer rows.Close()
	var out []SnapshotTask
	for rows.Next() {
		var t SnapshotTask
		if err := rows.Scan(&t.ID, &t.Path, &t.Incarnation, &t.Target, &t.CreatedAt, &t.Attempts, &t.NextAttempt, &t.LastError); err != nil {
			return nil, fmt.Errorf("list snapshot tasks: %w", err)
		}
		out = append(out, t)
	}
	return out, rows.Err()
}

// PostponeSnapshotTask notes a failed attempt.
func (d *DB) PostponeSnapshotTask(id, next int64, reason string) error {
	return d.exec("snapshot task",
		"UPDATE snapshot_tasks SET attempts = attempts + 1, next_attempt = ?, last_error = ? WHERE id = ?", next, reason, id)
}

// DropSnapshotTask removes a task that can never be carried out.
func (d *DB) DropSnapshotTask(id int64) error {
	return d.exec("snapshot task", "DELETE FROM snapshot_tasks WHERE id = ?", id)
}

// SnapshotOnClose makes every closure write tasks in its own transaction: one for
// each target that targets names for the stream's path. wake is called after such
// a commit; it must not block. It must be called before the first write.
func (d *DB) SnapshotOnClose(targets func(path string) []string, wake func()) {
	d.onClose = onClose{targets, wake}
}

type onClose struct {
	targets func(path string) []string
	wake    func()
}

// addTasks writes the tasks of a closure, and reports whether there are any.
func (c *committer) addTasks(ctx context.Context, w *Write) (some bool, err error) {
	s := w.Stream
	if c.db.onClose.targets == nil || s.System || !w.closes() {
		return false, nil
	}
	for _, target := range c.db.onClose.targets(s.Path) {
		if _, err := c.conn.ExecContext(ctx, "INSERT INTO snapshot_tasks (path, incarnation, target, created_at) VALUES (?, ?, ?, ?)",
			s.Path, s.Incarnation, target, s.ClosedAt); err != nil {
			return false, fmt.Errorf("note the snapshot of a closed stream: %w", err)
		}
		some = true
	}
	return some, nil
}

// closes reports whether a stream is closed by a write.
func (w *Write) closes() bool {
	return w.Stream != nil && (w.Close || w.Create && w.Stream.Closed && w.also.do == nil)
}
