package store

import (
	"context"
	"database/sql"
	"errors"
)

// statements are what the committer runs, prepared once on its connection. They
// must be closed: a connection with an open statement cannot finish its
// write-ahead log.
type statements struct {
	all []*sql.Stmt

	begin, commit, rollback         *sql.Stmt
	insertStream, closeStream       *sql.Stmt
	touch, softDelete, deleteStream *sql.Stmt
	insertTombstone, insertGarbage  *sql.Stmt
	insertOp, deleteOps, foldStream *sql.Stmt
	foldProducer, sealedSeq         *sql.Stmt
	lastSegment, deleteSegment      *sql.Stmt
	insertSegment                   *sql.Stmt
	nextGarbage, garbageSegments    *sql.Stmt
	garbageProducers, garbageDone   *sql.Stmt
	deleteCold, coldSegments        *sql.Stmt
	growExtents, shrinkExtents      *sql.Stmt
	freeExtent, extentGarbage       *sql.Stmt
	extentsFreed, emptyExtents      *sql.Stmt
	saveMirrorStream                *sql.Stmt
	vacuum, freePages, checkpoint   *sql.Stmt
}

func (s *statements) prepare(ctx context.Context, conn *sql.Conn) error {
	var errs []error
	for _, p := range []struct {
		stmt  **sql.Stmt
		query string
	}{
		{&s.begin, "BEGIN IMMEDIATE"},
		{&s.commit, "COMMIT"},
		{&s.rollback, "ROLLBACK"},
		{&s.insertStream, `INSERT INTO streams
			(id, path, incarnation, content_type, system, created_at, ttl, expires_at, deadline,
			 closed_at, closed_by, closed_by_epoch, closed_by_seq,
			 source, forked_from, fork_offset, fork_sub_offset, base, base_messages, tail, messages, bytes)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`},
		{&s.closeStream, "UPDATE streams SET closed_at = ?, closed_by = ?, closed_by_epoch = ?, closed_by_seq = ? WHERE id = ?"},
		{&s.touch, "UPDATE streams SET deadline = ? WHERE id = ?"},
		{&s.softDelete, "UPDATE streams SET deleted_at = ?, deadline = NULL WHERE id = ?"},
		{&s.deleteStream, "DELETE FROM streams WHERE id = ?"},
		{&s.insertTombstone, `INSERT INTO tombstones (path, incarnation, created_at, tail) VALUES (?, ?, ?, ?)
			ON CONFLICT (path) DO UPDATE SET incarnation = max(incarnation, excluded.incarnation),
			created_at = excluded.created_at, tail = excluded.tail`},
		{&s.insertGarbage, "INSERT INTO garbage (stream) VALUES (?)"},
		{&s.insertOp, `INSERT INTO ops
			(seq, stream, offset, time, closing, producer, epoch, producer_seq, stream_seq, sizes, payload)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`},
		{&s.deleteOps, "DELETE FROM ops WHERE seq < ?"},
		{&s.foldStream, `UPDATE streams SET sealed_seq = ?, tail = ?, messages = ?, bytes = ?,
			last_append_at = coalesce(?, last_append_at), stream_seq = coalesce(?, stream_seq) WHERE id = ?`},
		{&s.foldProducer, `INSERT INTO producers (stream, id, epoch, seq, last_append_at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (stream, id) DO UPDATE SET
			epoch = excluded.epoch, seq = excluded.seq, last_append_at = excluded.last_append_at`},
		{&s.sealedSeq, "UPDATE settings SET value = max(value, ?) WHERE name = 'sealed_seq'"},
		{&s.lastSegment, `SELECT id, start, "end", first, last_at, meta, data FROM segments
			WHERE id = (SELECT id FROM segments WHERE stream = ? ORDER BY start DESC LIMIT 1) AND length(data) BETWEEN 1 AND ?`},
		{&s.deleteSegment, "DELETE FROM segments WHERE id = ?"},
		{&s.insertSegment, `INSERT INTO segments (stream, start, "end", first, last_at, meta, data) VALUES (?, ?, ?, ?, ?, ?, ?)`},
		{&s.nextGarbage, "SELECT stream FROM garbage LIMIT 1"},
		{&s.garbageSegments, "DELETE FROM segments WHERE id IN (SELECT id FROM segments WHERE stream = ? LIMIT ?) RETURNING substr(meta, 1, ?)"},
		{&s.garbageProducers, "DELETE FROM producers WHERE stream = ?"},
		{&s.garbageDone, "DELETE FROM garbage WHERE stream = ?"},
		{&s.coldSegments, `DELETE FROM segments WHERE id IN
			(SELECT id FROM segments WHERE stream = ?1 AND start <= ?2 AND "end" <= ?2 ORDER BY start LIMIT ?3)
			RETURNING substr(meta, 1, ?4)`},
		{&s.deleteCold, "DELETE FROM cold WHERE stream = ?"},
		{&s.growExtents, `INSERT INTO extent_files (id, size, live) VALUES (?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET size = excluded.size, live = live + excluded.live`},
		{&s.freeExtent, "INSERT INTO extent_garbage (file, at, size) VALUES (?, ?, ?)"},
		{&s.shrinkExtents, "UPDATE extent_files SET live = live - ? WHERE id = ?"},
		{&s.extentGarbage, "SELECT rowid, file, at, size FROM extent_garbage ORDER BY rowid LIMIT ?"},
		{&s.extentsFreed, "DELETE FROM extent_garbage WHERE rowid <= ?"},
		{&s.emptyExtents, `DELETE FROM extent_files WHERE live = 0 AND id <> ? RETURNING id`},
		{&s.saveMirrorStream, `INSERT OR REPLACE INTO mirror_streams (mirror, path, local, position, until, closing, epoch, seq, "offset", skip,
			bytes, state, error, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`},
		{&s.vacuum, "PRAGMA incremental_vacuum(256)"},
		{&s.freePages, "PRAGMA freelist_count"},
		{&s.checkpoint, "PRAGMA wal_checkpoint(TRUNCATE)"},
	} {
		var err error
		if *p.stmt, err = conn.PrepareContext(ctx, p.query); err != nil {
			errs = append(errs, err)
			continue
		}
		s.all = append(s.all, *p.stmt)
	}
	return errors.Join(errs...)
}

func (s *statements) close() error { return closeAll(s.all) }

// loads are the queries with which a stream comes back into memory, and into lists,
// and those for its segments.
type loads struct {
	all []*sql.Stmt

	stream, tombstone, producers, forks, row *sql.Stmt
	segments, segmentsByOrdinal              *sql.Stmt
}

func (l *loads) prepare(ctx context.Context, read *sql.DB) error {
	for _, p := range []struct {
		stmt  **sql.Stmt
		query string
	}{
		{&l.stream, "SELECT " + streamColumns + " FROM streams WHERE path = ?"},
		{&l.tombstone, "SELECT incarnation, coalesce(created_at, 0), coalesce(tail, -1) FROM tombstones WHERE path = ?"},
		{&l.producers, "SELECT id, epoch, seq, last_append_at FROM producers WHERE stream = ?"},
		{&l.forks, "SELECT count(*) FROM streams WHERE source = ?"},
		{&l.row, "SELECT " + streamColumns + `,
			(SELECT count(*) FROM producers WHERE stream = streams.id),
			(SELECT count(*) FROM streams f WHERE f.source = streams.id),
			(SELECT coalesce(max("end"), 0) FROM cold WHERE stream = streams.id)
			FROM streams WHERE id = ?`},
		{&l.segments, segmentsFromPosition},
		{&l.segmentsByOrdinal, segmentsFromOrdinal},
	} {
		var err error
		if *p.stmt, err = read.PrepareContext(ctx, p.query); err != nil {
			return err
		}
		l.all = append(l.all, *p.stmt)
	}
	return nil
}

func (l *loads) close() error { return closeAll(l.all) }

func closeAll(stmts []*sql.Stmt) error {
	var errs []error
	for _, stmt := range stmts {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(errs...)
}
