-- Subscriptions (PROTOCOL §6–7). Pending work is not stored: it is what lies
-- between a link's cursor and its stream's tail.

CREATE TABLE subscriptions (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT    NOT NULL UNIQUE,
    type         TEXT    NOT NULL,          -- webhook or pull-wake
    pattern      TEXT,
    webhook_url  TEXT,
    wake_stream  TEXT,
    lease_ttl    INTEGER NOT NULL,          -- milliseconds
    description  TEXT,
    config_hash  BLOB    NOT NULL,          -- of all of the above, to recognise the same request
    base_url     TEXT    NOT NULL,          -- origin under which the creator reached the server
    own_port     INTEGER NOT NULL,          -- base_url named the server's own port, which may change
    created_at   INTEGER NOT NULL,
    generation   INTEGER NOT NULL,
    wake_id      TEXT,                      -- the wake in flight; NULL: none
    snapshot     BLOB,                      -- what a webhook is told, as JSON
    delivered    INTEGER NOT NULL DEFAULT 0, -- the webhook has taken the wake
    attempts     INTEGER NOT NULL DEFAULT 0, -- failed deliveries in a row
    next_attempt INTEGER,
    last_error   TEXT,
    holder       TEXT,                      -- worker that has claimed the wake
    lease_until  INTEGER
) STRICT;
CREATE INDEX subscriptions_by_wake_stream ON subscriptions (wake_stream) WHERE wake_stream IS NOT NULL;

-- The streams of a subscription and how far each has been processed. Position -1
-- is before the first offset.
CREATE TABLE subscription_links (
    subscription INTEGER NOT NULL,
    path         TEXT    NOT NULL,
    glob         INTEGER NOT NULL,
    explicit     INTEGER NOT NULL,
    incarnation  INTEGER NOT NULL,
    position     INTEGER NOT NULL,
    PRIMARY KEY (subscription, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX subscription_links_by_path ON subscription_links (path);

-- The last generation of deleted subscriptions: a new one with the same id goes
-- on counting, so that no wake of the old one is taken for one of its own.
CREATE TABLE subscription_tombstones (
    id         TEXT PRIMARY KEY,
    generation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Signing keys of webhooks, and the secret of callback tokens. A retired signing
-- key keeps only its public half.
CREATE TABLE subscription_keys (
    kid        TEXT    PRIMARY KEY,
    use        TEXT    NOT NULL,            -- sig or token
    secret     BLOB,
    public     BLOB,
    created_at INTEGER NOT NULL,
    retired_at INTEGER
) STRICT, WITHOUT ROWID;
