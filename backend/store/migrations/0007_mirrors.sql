-- Mirrors: streams that are copied to another server, or from one.
CREATE TABLE mirrors (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT    NOT NULL UNIQUE,
    direction   TEXT    NOT NULL,   -- push or pull
    glob        TEXT    NOT NULL,
    remote      TEXT    NOT NULL,   -- the remote's stream root, or a name in the configuration
    token_env   TEXT    NOT NULL,   -- variable with the bearer token; empty: none
    header_file TEXT    NOT NULL,   -- file with headers; empty: none
    insecure    INTEGER NOT NULL,   -- plain HTTP to other machines is allowed
    configured  INTEGER NOT NULL,   -- it stands in the configuration
    paused      INTEGER NOT NULL,
    producer    TEXT    NOT NULL,   -- the Producer-Id of what is pushed
    created_at  INTEGER NOT NULL
) STRICT;

-- How far each stream of a mirror has been copied. Of a push, "until" and closing
-- tell what is in flight: the positions up to it, with the closure, go out with
-- this epoch and seq until the remote has taken them.
CREATE TABLE mirror_streams (
    mirror     INTEGER NOT NULL,
    path       TEXT    NOT NULL,
    local      INTEGER NOT NULL,   -- number of the stream here
    position   INTEGER NOT NULL,   -- up to here both ends have the same
    until      INTEGER NOT NULL,
    closing    INTEGER NOT NULL,
    epoch      INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    "offset"   TEXT    NOT NULL,   -- token of the remote: push: its tail; pull: where the last answer began
    skip       INTEGER NOT NULL,   -- pull: how much of that answer is here
    bytes      INTEGER NOT NULL,   -- copied so far
    state      TEXT    NOT NULL,   -- closed, source_deleted, stopped, again, or empty: going on
    error      TEXT    NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (mirror, path)
) STRICT, WITHOUT ROWID;
