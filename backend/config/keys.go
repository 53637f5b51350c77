package config

import (
	"strings"
	"time"

	"tailrace/backend/access"
)

// Key describes one setting.
type Key struct {
	Name  string // in the file: "listen"
	Group string // heading it stands under
	Help  string // one sentence, no full stop

	flag  string            // its flag, where that differs from the name: one flag for each of several values
	field func(*Config) any // pointer to the field; its type decides how values are read
	check func(Config) error
}

// Flag returns the command-line spelling, "--max-body-bytes".
func (k Key) Flag() string {
	if k.flag != "" {
		return k.flag
	}
	return "--" + strings.ReplaceAll(k.Name, "_", "-")
}

// Env returns the environment variable, "TAILRACE_MAX_BODY_BYTES".
func (k Key) Env() string { return "TAILRACE_" + strings.ToUpper(k.Name) }

// Value returns the setting's value in c as the file would spell it.
func (k Key) Value(c Config) string { return formatTOML(k.field(&c)) }

// Text returns the setting's value in c as a flag or environment variable
// would spell it.
func (k Key) Text(c Config) string { return formatText(k.field(&c)) }

// Kind names what a setting takes: text, list, bool, number, size, duration or
// tokens.
func (k Key) Kind() string {
	switch k.field(new(Config)).(type) {
	case *[]string:
		return "list"
	case *bool:
		return "bool"
	case *int:
		return "number"
	case *int64:
		return "size"
	case *time.Duration:
		return "duration"
	case *[]access.Token:
		return "tokens"
	default:
		return "text"
	}
}

// Headings of the groups, in the order in which they are shown.
const (
	GroupServer = "Server"
	GroupAccess = "Who may connect"
	GroupReads  = "Reads"
	GroupLimits = "Limits"
	GroupKeep   = "Snapshots"
	GroupMirror = "Mirrors"
	GroupWatch  = "Journal"
	GroupLog    = "Logging and updates"
)

// Keys returns every setting, grouped, in the order of the configuration file.
func Keys() []Key {
	return []Key{
		{
			Name: "listen", Group: GroupServer,
			Help:  "Address of the data listener, which speaks the protocol; port 0 takes a free one",
			field: func(c *Config) any { return &c.Listen },
			check: CheckListen,
		},
		{
			Name: "inspect", Group: GroupServer,
			Help:  "Address of the inspector; the default moves to a free port when its own is taken",
			field: func(c *Config) any { return &c.Inspect },
			check: checkInspect,
		},
		{
			Name: "data_dir", Group: GroupServer,
			Help:  "Folder of the log; created when missing, used by one server at a time",
			field: func(c *Config) any { return &c.DataDir },
			check: checkDataDir,
		},
		{
			Name: "tls", Group: GroupServer,
			Help:  "Whether the data listener also answers HTTPS, with HTTP/2, on the same port (tailrace trust makes browsers accept it)",
			field: func(c *Config) any { return &c.TLS },
			check: func(Config) error { return nil },
		},
		{
			Name: "cors_origins", Group: GroupAccess,
			Help:  `Origins of web pages, beyond loopback pages, that may use the data listener; "*" is any`,
			field: func(c *Config) any { return &c.CORSOrigins },
			check: checkOrigins,
		},
		{
			Name: "hosts", Group: GroupAccess,
			Help:  "Host names, beyond loopback names, that requests may be addressed to",
			field: func(c *Config) any { return &c.Hosts },
			check: checkHosts,
		},
		{
			Name: "tokens", Group: GroupAccess, flag: "--token",
			Help:  "Bearer tokens, one of which every request has to carry; the data listener needs some to leave this machine (tailrace token create makes one)",
			field: func(c *Config) any { return &c.Tokens },
			check: checkTokens,
		},
		{
			Name: "cache_control", Group: GroupReads,
			Help:  "Cache-Control header of catch-up reads",
			field: func(c *Config) any { return &c.CacheControl },
			check: checkCacheControl,
		},
		{
			Name: "long_poll_timeout", Group: GroupReads,
			Help:  "How long a long-poll waits for new data before it answers 204",
			field: func(c *Config) any { return &c.LongPollTimeout },
			check: func(c Config) error { return checkDuration("long_poll_timeout", c.LongPollTimeout) },
		},
		{
			Name: "sse_max_age", Group: GroupReads,
			Help:  "How long an SSE response lives before the client has to reconnect",
			field: func(c *Config) any { return &c.SSEMaxAge },
			check: func(c Config) error { return checkDuration("sse_max_age", c.SSEMaxAge) },
		},
		{
			Name: "max_body_bytes", Group: GroupLimits,
			Help:  "Largest body of a PUT or POST; larger ones get 413",
			field: func(c *Config) any { return &c.MaxBodyBytes },
			check: func(c Config) error { return checkSize("max_body_bytes", c.MaxBodyBytes, 1, 1<<30) },
		},
		{
			Name: "max_path_bytes", Group: GroupLimits,
			Help:  "Longest stream path, in bytes",
			field: func(c *Config) any { return &c.MaxPathBytes },
			check: func(c Config) error { return checkInt("max_path_bytes", c.MaxPathBytes, 1, 8192) },
		},
		{
			Name: "max_header_value_bytes", Group: GroupLimits,
			Help:  "Longest Producer-Id, Stream-Seq or Content-Type, in bytes",
			field: func(c *Config) any { return &c.MaxHeaderValueBytes },
			check: func(c Config) error { return checkInt("max_header_value_bytes", c.MaxHeaderValueBytes, 16, 65536) },
		},
		{
			Name: "max_query_bytes", Group: GroupLimits,
			Help:  "Longest query string, in bytes",
			field: func(c *Config) any { return &c.MaxQueryBytes },
			check: func(c Config) error { return checkInt("max_query_bytes", c.MaxQueryBytes, 128, 65536) },
		},
		{
			Name: "max_messages_per_append", Group: GroupLimits,
			Help:  "Most messages in the JSON array of one append",
			field: func(c *Config) any { return &c.MaxMessagesPerAppend },
			check: func(c Config) error { return checkInt("max_messages_per_append", c.MaxMessagesPerAppend, 1, 1<<20) },
		},
		{
			Name: "max_json_depth", Group: GroupLimits,
			Help:  "Deepest nesting of arrays and objects in one JSON body",
			field: func(c *Config) any { return &c.MaxJSONDepth },
			check: func(c Config) error { return checkInt("max_json_depth", c.MaxJSONDepth, 1, 10000) },
		},
		{
			Name: "body_timeout", Group: GroupLimits,
			Help:  "How long a request body may pause before the request gets 408",
			field: func(c *Config) any { return &c.BodyTimeout },
			check: func(c Config) error { return checkDuration("body_timeout", c.BodyTimeout) },
		},
		{
			Name: "max_live_readers", Group: GroupLimits,
			Help:  "Most long-polls and SSE responses open at a time; more get 503",
			field: func(c *Config) any { return &c.MaxLiveReaders },
			check: func(c Config) error { return checkInt("max_live_readers", c.MaxLiveReaders, 1, 1<<20) },
		},
		{
			Name: "max_live_readers_per_client", Group: GroupLimits,
			Help:  "Most of them from one address; more get 429",
			field: func(c *Config) any { return &c.MaxLiveReadersPerClient },
			check: func(c Config) error {
				return checkInt("max_live_readers_per_client", c.MaxLiveReadersPerClient, 1, 1<<20)
			},
		},
		{
			Name: "targets", Group: GroupKeep,
			Help:  `Places for snapshots, as NAME=PLACE: an absolute folder, or a bucket such as s3://bucket/prefix?endpoint=http://127.0.0.1:9000&region=us-east-1&path_style=true&keyring=ENTRY`,
			field: func(c *Config) any { return &c.Targets },
			check: checkTargets,
		},
		{
			Name: "snapshot_on_close", Group: GroupKeep,
			Help:  "Snapshots to take when streams are closed, as GLOB=TARGET, such as orders/**=backups",
			field: func(c *Config) any { return &c.SnapshotOnClose },
			check: checkOnClose,
		},
		{
			Name: "snapshot_every", Group: GroupKeep,
			Help:  "Snapshots to take of open streams that have grown, as GLOB=TARGET?every=1h&bytes=64MiB: when the time has passed or so much is new; each holds only what is new",
			field: func(c *Config) any { return &c.SnapshotEvery },
			check: func(c Config) error { _, err := c.ScheduleRules(); return err },
		},
		{
			Name: "snapshot_keep", Group: GroupKeep,
			Help:  "Snapshots that stay while older ones are deleted, as GLOB?last=10&days=30&target=NAME: the newest of each stream and place, and younger ones; the first rule that matches counts",
			field: func(c *Config) any { return &c.SnapshotKeep },
			check: func(c Config) error { _, err := c.KeepRules(); return err },
		},
		{
			Name: "compact", Group: GroupKeep,
			Help:  "Streams to read from snapshots instead of the log, as GLOB=TARGET?older=24h&larger=1MiB: what was written so long ago, where so much is freed",
			field: func(c *Config) any { return &c.Compact },
			check: func(c Config) error { _, err := c.CompactRules(); return err },
		},
		{
			Name: "remotes", Group: GroupMirror,
			Help:  "Other servers, as NAME=URL of their stream root, such as prod=https://streams.example.com/v1/stream/?token_env=PROD_TOKEN; settings: token_env, a variable with a bearer token; header_file, a file with headers; insecure=true, to allow plain HTTP",
			field: func(c *Config) any { return &c.Remotes },
			check: func(c Config) error { _, err := c.RemoteServers(); return err },
		},
		{
			Name: "mirrors", Group: GroupMirror,
			Help:  "Streams to copy to a remote or from it, for as long as the server runs, as NAME=push GLOB REMOTE or NAME=pull GLOB REMOTE, such as chat=push chat/** prod",
			field: func(c *Config) any { return &c.Mirrors },
			check: func(c Config) error { _, err := c.MirrorRules(); return err },
		},
		{
			Name: "journal", Group: GroupWatch,
			Help:  "Whether the latest requests are remembered, in memory, for the inspector to show",
			field: func(c *Config) any { return &c.Journal },
			check: func(Config) error { return nil },
		},
		{
			Name: "journal_bytes", Group: GroupWatch,
			Help:  "How much memory they may take; the oldest are forgotten",
			field: func(c *Config) any { return &c.JournalBytes },
			check: func(c Config) error { return checkSize("journal_bytes", c.JournalBytes, 1<<20, 1<<30) },
		},
		{
			Name: "update_url", Group: GroupLog,
			Help:  "Where to ask once a day whether there is a newer version: a JSON document with version and url, or a forge's address of the latest release; empty: nobody is asked",
			field: func(c *Config) any { return &c.UpdateURL },
			check: checkUpdateURL,
		},
		{
			Name: "log_level", Group: GroupLog,
			Help:  "What goes to standard error: debug, info, warn or error",
			field: func(c *Config) any { return &c.LogLevel },
			check: checkLogLevel,
		},
	}
}
