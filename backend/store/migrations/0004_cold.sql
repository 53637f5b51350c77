-- Runs of streams that are read from snapshots: their segments are gone, or about
-- to go. Those of a stream join, from the first position of its own on.
CREATE TABLE cold (
    stream   INTEGER NOT NULL,
    start    INTEGER NOT NULL,
    "end"    INTEGER NOT NULL,
    first    INTEGER NOT NULL,   -- ordinal of the first message
    last_at  INTEGER NOT NULL,   -- time of the last batch
    snapshot INTEGER NOT NULL,   -- whose file holds it
    hot      INTEGER NOT NULL,   -- segments of it may still be there
    PRIMARY KEY (stream, start)
) STRICT, WITHOUT ROWID;
CREATE INDEX cold_by_snapshot ON cold (snapshot);
CREATE INDEX cold_hot ON cold (stream) WHERE hot;
