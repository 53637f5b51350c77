-- Snapshots that hold what is new since the one before.
ALTER TABLE snapshots ADD COLUMN stream INTEGER NOT NULL DEFAULT 0;  -- its number; 0: was not noted
ALTER TABLE snapshots ADD COLUMN chain INTEGER NOT NULL DEFAULT 0;   -- id of the whole one that it goes on from; 0: it is whole
ALTER TABLE snapshots ADD COLUMN manifest TEXT NOT NULL DEFAULT '';  -- key of the file that joins it with those before

-- Work with snapshots, the running and the latest.
CREATE TABLE jobs (
    id         INTEGER PRIMARY KEY,
    kind       TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,             -- NULL: it runs, or did when the program ended
    bytes      INTEGER NOT NULL DEFAULT 0,
    canceled   INTEGER NOT NULL DEFAULT 0,
    error      TEXT,                -- NULL: none
    result     TEXT                 -- as JSON
) STRICT;
