-- What the last stream at a path was when it went, so that one restored there is known to
-- be the same. NULL: it went before this was kept.
ALTER TABLE tombstones ADD COLUMN created_at INTEGER;   -- Unix ms
ALTER TABLE tombstones ADD COLUMN tail       INTEGER;
