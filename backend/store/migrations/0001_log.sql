-- Times are unix milliseconds, positions are message indexes for JSON streams
-- and byte positions for all others.

-- One row per stream. What an append changes (tail, messages, bytes,
-- last_append_at, stream_seq) is folded in when its ops are sealed, not on every
-- append: sealed_seq names the last op that these columns include.
CREATE TABLE streams (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    path            TEXT    NOT NULL UNIQUE,
    incarnation     INTEGER NOT NULL,
    content_type    TEXT    NOT NULL,
    system          INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL,
    ttl             INTEGER,            -- sliding window, seconds
    expires_at      TEXT,               -- absolute expiry as the client sent it
    deadline        INTEGER,            -- when the stream expires if nobody touches it
    closed_at       INTEGER,
    closed_by       TEXT,               -- producer triple of the closing request
    closed_by_epoch INTEGER,
    closed_by_seq   INTEGER,
    deleted_at      INTEGER,            -- soft-deleted: kept for its forks
    source          INTEGER REFERENCES streams (id),
    forked_from     TEXT,               -- fork headers as the client sent them
    fork_offset     TEXT,
    fork_sub_offset INTEGER,
    base            INTEGER NOT NULL DEFAULT 0, -- first position that is not the source's
    base_messages   INTEGER NOT NULL DEFAULT 0, -- messages before base
    sealed_seq      INTEGER NOT NULL DEFAULT 0,
    tail            INTEGER NOT NULL DEFAULT 0,
    messages        INTEGER NOT NULL DEFAULT 0,
    bytes           INTEGER NOT NULL DEFAULT 0,
    last_append_at  INTEGER,
    stream_seq      TEXT
) STRICT;
CREATE INDEX streams_by_deadline ON streams (deadline) WHERE deadline IS NOT NULL;
CREATE INDEX streams_by_source ON streams (source) WHERE source IS NOT NULL;
CREATE INDEX streams_deleted ON streams (id) WHERE deleted_at IS NOT NULL;

-- The append log in arrival order. No secondary index: a commit writes only to
-- the right edge of one tree, whatever number of streams it touches.
CREATE TABLE ops (
    seq          INTEGER PRIMARY KEY,
    stream       INTEGER NOT NULL,
    offset       INTEGER NOT NULL,   -- position of the first message
    time         INTEGER NOT NULL,
    closing      INTEGER NOT NULL,
    producer     TEXT,
    epoch        INTEGER,
    producer_seq INTEGER,
    stream_seq   TEXT,
    sizes        BLOB,               -- uvarint length of each message; NULL: one message
    payload      BLOB    NOT NULL
) STRICT;

-- Sealed runs of one stream. data is wire-ready (JSON messages joined by commas),
-- meta tells batches, message boundaries, times and producers.
CREATE TABLE segments (
    id       INTEGER PRIMARY KEY,
    stream   INTEGER NOT NULL,
    start    INTEGER NOT NULL,
    "end"    INTEGER NOT NULL,
    first    INTEGER NOT NULL,       -- ordinal of the first message
    last_at  INTEGER NOT NULL,       -- time of the last batch
    meta     BLOB    NOT NULL,
    data     BLOB    NOT NULL
) STRICT;
CREATE INDEX segments_by_start ON segments (stream, start, first, last_at);

-- Producer state as of the last seal; newer state rides in ops.
CREATE TABLE producers (
    stream         INTEGER NOT NULL,
    id             TEXT    NOT NULL,
    epoch          INTEGER NOT NULL,
    seq            INTEGER NOT NULL,
    last_append_at INTEGER NOT NULL,
    PRIMARY KEY (stream, id)
) STRICT, WITHOUT ROWID;

-- Every exported range: where it lies and how to check it.
CREATE TABLE snapshots (
    id         INTEGER PRIMARY KEY,
    stream     INTEGER NOT NULL,
    path       TEXT    NOT NULL,
    start      INTEGER NOT NULL,
    "end"      INTEGER NOT NULL,
    location   TEXT    NOT NULL,
    sha256     BLOB    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- The highest incarnation that ever lived at a path that is now free.
CREATE TABLE tombstones (
    path        TEXT    PRIMARY KEY,
    incarnation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Deleted streams whose rows are still to be removed, a slice at a time.
CREATE TABLE garbage (stream INTEGER PRIMARY KEY) STRICT;

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO settings (name, value) VALUES ('sealed_seq', 0);
