package store

import (
	"context"
	"database/sql"
	"fmt"
)

// Job is work that outlives nobody but is remembered.
type Job struct {
	ID        int64
	Kind      string
	Subject   string
	StartedAt int64
	EndedAt   int64 // 0: it runs, or did when the program ended
	Bytes     int64
	Canceled  bool
	Error     string
	Request   []byte // JSON; nil: it is not known
	Result    []byte // JSON
}

// AddJob notes that a job begins.
func (d *DB) AddJob(j *Job) error {
	var request any
	if j.Request != nil {
		request = string(j.Request)
	}
	return d.exec("job", "INSERT INTO jobs (id, kind, subject, started_at, request) VALUES (?, ?, ?, ?, ?)", j.ID, j.Kind, j.Subject, j.StartedAt, request)
}

// EndJob notes how a job has ended.
func (d *DB) EndJob(j *Job) error {
	var failure, result any
	if j.Error != "" {
		failure = j.Error
	}
	if j.Result != nil {
		result = string(j.Result)
	}
	return d.exec("job", "UPDATE jobs SET ended_at = ?, bytes = ?, canceled = ?, error = ?, result = ? WHERE id = ?",
		j.EndedAt, j.Bytes, j.Canceled, failure, result, j.ID)
}

// Jobs returns the latest jobs, oldest first.
func (d *DB) Jobs(ctx context.Context, limit int) ([]Job, error) {
	rows, err := d.read.QueryContext(ctx, `SELECT id, kind, subject, started_at, coalesce(ended_at, 0), bytes, canceled, coalesce(error, ''), request, result
		FROM (SELECT * FROM jobs ORDER BY id DESC LIMIT ?) ORDER BY id`, limit)
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	defer rows.Close()
	var out []Job
	for rows.Next() {
		var j Job
		var request, result sql.NullString
		if err := rows.Scan(&j.ID, &j.Kind, &j.Subject, &j.StartedAt, &j.EndedAt, &j.Bytes, &j.Canceled, &j.Error, &request, &result); err != nil {
			return nil, fmt.Errorf("list jobs: %w", err)
		}
		if request.Valid {
			j.Request = []byte(request.String)
		}
		if result.Valid {
			j.Result = []byte(result.String)
		}
		out = append(out, j)
	}
	return out, rows.Err()
}

// AbandonJobs ends the jobs that the end of the program has ended, and forgets
// those before the first one that is to be kept.
func (d *DB) AbandonJobs(at int64, reason string, keepFrom int64) error {
	return d.Commit(&Write{also: also{"jobs", func(ctx context.Context, c *committer) error {
		if _, err := c.conn.ExecContext(ctx, "UPDATE jobs SET ended_at = ?, error = ? WHERE ended_at IS NULL", at, reason); err != nil {
			return err
		}
		_, err := c.conn.ExecContext(ctx, "DELETE FROM jobs WHERE id < ?", keepFrom)
		return err
	}}})
}
