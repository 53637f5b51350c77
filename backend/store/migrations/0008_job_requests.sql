-- What a job was asked for, so that it can be begun again.
ALTER TABLE jobs ADD COLUMN request TEXT;   -- as JSON, without keys; NULL: it is not known
