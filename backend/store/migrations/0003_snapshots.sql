-- Snapshots of streams. The table of the first version was never written to.
DROP TABLE snapshots;
CREATE TABLE snapshots (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    path        TEXT    NOT NULL,   -- of the stream, which may be gone by now
    incarnation INTEGER NOT NULL,
    start       INTEGER NOT NULL,
    "end"       INTEGER NOT NULL,
    messages    INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,   -- payload
    closed      INTEGER NOT NULL,
    target      TEXT    NOT NULL,   -- name in the configuration; empty: none
    place       TEXT    NOT NULL,   -- the folder, or s3://bucket/prefix
    endpoint    TEXT    NOT NULL,   -- of a bucket, as are the next two
    region      TEXT    NOT NULL,
    path_style  INTEGER NOT NULL,
    key         TEXT    NOT NULL,
    size        INTEGER NOT NULL,
    sha256      BLOB    NOT NULL,   -- of the file
    created_at  INTEGER NOT NULL,
    verified_at INTEGER,
    UNIQUE (place, key)
) STRICT;
CREATE INDEX snapshots_by_path ON snapshots (path, created_at);

-- Snapshots that are still to be taken, because their stream was closed.
CREATE TABLE snapshot_tasks (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    path         TEXT    NOT NULL,
    incarnation  INTEGER NOT NULL,
    target       TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    next_attempt INTEGER NOT NULL DEFAULT 0,
    last_error   TEXT
) STRICT;

-- Streams that are being restored: their segments are here, their row is not yet.
CREATE TABLE restoring (stream INTEGER PRIMARY KEY) STRICT;
