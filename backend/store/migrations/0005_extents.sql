-- Files beside the database with the data of large segments. The meta of such a
-- segment tells where it lies, its data is empty.
CREATE TABLE extent_files (
    id   INTEGER PRIMARY KEY AUTOINCREMENT, -- in the name of the file
    size INTEGER NOT NULL,                  -- committed; what lies behind is left over
    live INTEGER NOT NULL                   -- bytes that segments refer to
) STRICT;

-- Pieces that nobody refers to any more, until their blocks are given back.
CREATE TABLE extent_garbage (
    file INTEGER NOT NULL,
    at   INTEGER NOT NULL,
    size INTEGER NOT NULL
) STRICT;
