package store

import (
	"context"
	"fmt"
)

// Directions of mirrors.
const (
	MirrorPush = "push"
	MirrorPull = "pull"
)

// Mirror copies the streams that its glob matches to a remote server, or from it.
type Mirror struct {
	ID         int64 // never used again, unlike the name
	Name       string
	Direction  string
	Glob       string
	Remote     string // stream root, or a name in the configuration
	TokenEnv   string // variable that holds the bearer token; "": none
	HeaderFile string // "": none
	Insecure   bool   // plain HTTP to other machines is allowed
	Configured bool   // it stands in the configuration
	Paused     bool
	Producer   string // the Producer-Id of what is pushed
	CreatedAt  int64
}

// States of a mirrored stream that outlive the program; "" is going on.
const (
	MirrorClosed        = "closed"         // all of it has been copied
	MirrorSourceDeleted = "source_deleted" // the copy is kept
	MirrorStopped       = "stopped"        // a person has to look
	MirrorAgain         = "again"          // one has, and wants it tried
)

// MirrorStream is how far a stream of a mirror has been copied.
type MirrorStream struct {
	Mirror int64
	Path   string
	Local  int64 // number of the stream here; 0: none yet
	// Position is up to where both ends have the same. Of a push, what lies between
	// it and Until is in flight, together with the closure if Closing is set, under
	// Epoch and Seq.
	Position, Until int64
	Closing         bool
	Epoch, Seq      int64
	// Offset is a token of the remote: of a push the tail of the copy at Position; of
	// a pull the offset of the last answer that held something, of which the copy has
	// Skip bytes or messages.
	Offset    string
	Skip      int64
	Bytes     int64 // copied so far
	State     string
	Error     string
	UpdatedAt int64
}

// InFlight reports whether a push has sent something, or is about to, whose fate
// is not known.
func (s *MirrorStream) InFlight() bool { return s.Until > s.Position || s.Closing }

// SaveMirror stores a mirror; a new one gets its ID.
func (d *DB) SaveMirror(m *Mirror) error {
	return d.Commit(&Write{also: also{"mirror " + m.Name, func(ctx context.Context, c *committer) error {
		if m.ID != 0 {
			_, err := c.conn.ExecContext(ctx, `UPDATE mirrors SET glob = ?, remote = ?, token_env = ?, header_file = ?, insecure = ?,
				configured = ?, paused = ? WHERE id = ?`,
				m.Glob, m.Remote, m.TokenEnv, m.HeaderFile, m.Insecure, m.Configured, m.Paused, m.ID)
			return err
		}
		res, err := c.conn.ExecContext(ctx, `INSERT INTO mirrors (name, direction, glob, remote, token_env, header_file, insecure,
			configured, paused, producer, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			m.Name, m.Direction, m.Glob, m.Remote, m.TokenEnv, m.HeaderFile, m.Insecure, m.Configured, m.Paused, m.Producer, m.CreatedAt)
		if err != nil {
			return err
		}
		m.ID, err = res.LastInsertId()
		return err
	}}})
}

// RemoveMirror forgets a mirror and its positions; the copies stay.
func (d *DB) RemoveMirror(m *Mirror) error {
	return d.Commit(&Write{also: also{"mirror " + m.Name, func(ctx context.Context, c *committer) error {
		if _, err := c.conn.ExecContext(ctx, "DELETE FROM mirror_streams WHERE mirror = ?", m.ID); err != nil {
			return err
		}
		_, err := c.conn.ExecContext(ctx, "DELETE FROM mirrors WHERE id = ?", m.ID)
		return err
	}}})
}

// Mirrors returns all mirrors, sorted by name.
func (d *DB) Mirrors(ctx context.Context) (list []Mirror, err error) {
	rows, err := d.read.QueryContext(ctx, `SELECT id, name, direction, glob, remote, token_env, header_file, insecure,
		configured, paused, producer, created_at FROM mirrors ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("list mirrors: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var m Mirror
		if err := rows.Scan(&m.ID, &m.Name, &m.Direction, &m.Glob, &m.Remote, &m.TokenEnv, &m.HeaderFile, &m.Insecure,
			&m.Configured, &m.Paused, &m.Producer, &m.CreatedAt); err != nil {
			return nil, fmt.Errorf("list mirrors: %w", err)
		}
		list = append(list, m)
	}
	return list, rows.Err()
}

// MirrorStreams returns the streams of a mirror, sorted by path.
func (d *DB) MirrorStreams(ctx context.Context, mirror int64) (list []MirrorStream, err error) {
	rows, err := d.read.QueryContext(ctx, `SELECT mirror, path, local, position, until, closing, epoch, seq, "offset", skip, bytes,
		state, error, updated_at FROM mirror_streams WHERE mirror = ? ORDER BY path`, mirror)
	if err != nil {
		return nil, fmt.Errorf("list the streams of a mirror: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var s MirrorStream
		if err := rows.Scan(&s.Mirror, &s.Path, &s.Local, &s.Position, &s.Until, &s.Closing, &s.Epoch, &s.Seq, &s.Offset, &s.Skip,
			&s.Bytes, &s.State, &s.Error, &s.UpdatedAt); err != nil {
			return nil, fmt.Errorf("list the streams of a mirror: %w", err)
		}
		list = append(list, s)
	}
	return list, rows.Err()
}

// SaveMirrorStream stores how far a stream has been copied.
func (d *DB) SaveMirrorStream(s *MirrorStream) error {
	row := *s
	return d.Commit(&Write{also: also{"mirrored " + s.Path, func(ctx context.Context, c *committer) error {
		return c.saveMirrorStream(ctx, &row)
	}}})
}

func (c *committer) saveMirrorStream(ctx context.Context, s *MirrorStream) error {
	_, err := c.stmts.saveMirrorStream.ExecContext(ctx, s.Mirror, s.Path, s.Local, s.Position, s.Until, s.Closing, s.Epoch, s.Seq,
		s.Offset, s.Skip, s.Bytes, s.State, s.Error, s.UpdatedAt)
	if err != nil {
		return fmt.Errorf("mirrored %q: %w", s.Path, err)
	}
	return nil
}
