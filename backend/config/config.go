package config

import (
	"os"
	"runtime"
	"time"

	"tailrace/backend/access"
	"tailrace/backend/protocol"
)

// Addresses a server listens on unless told otherwise. 4437 is the protocol's
// own default port.
const (
	DefaultListen  = "127.0.0.1:4437"
	DefaultInspect = "127.0.0.1:4438"
)

// Config holds every setting. Use Default or Load to make one; the zero value
// does not validate.
type Config struct {
	Listen      string   // address of the data listener, which speaks the protocol
	Inspect     string   // address of the inspector listener
	InspectSet  bool     // Inspect was asked for: it does not move to a free port when its own is taken
	DataDir     string   // absolute folder of the log, the lock and the run file
	TLS         bool     // whether the data listener also answers HTTPS
	CORSOrigins []string // page origins, beyond loopback pages, that may use the data listener; "*" is any
	Hosts       []string // Host names, beyond loopback names, that requests may carry

	Tokens []access.Token // who may use the data listener; none: everybody who reaches it

	CacheControl    string        // Cache-Control of catch-up reads
	LongPollTimeout time.Duration // how long a long-poll waits for data
	SSEMaxAge       time.Duration // how long an SSE response lives before the client has to reconnect
	BodyTimeout     time.Duration // how long a request body may pause

	MaxLiveReaders          int // most long-polls and SSE responses at a time
	MaxLiveReadersPerClient int // most of them from one address

	MaxBodyBytes         int64 // largest body of a PUT or POST
	MaxPathBytes         int   // longest stream path
	MaxHeaderValueBytes  int   // longest Producer-Id, Stream-Seq or Content-Type
	MaxQueryBytes        int   // longest query string
	MaxMessagesPerAppend int   // most messages in one JSON array
	MaxJSONDepth         int   // deepest nesting of one JSON message

	Targets         []string // places for snapshots, as NAME=PLACE
	SnapshotOnClose []string // what is kept when streams are closed, as GLOB=NAME
	SnapshotEvery   []string // what is kept of open streams, see ScheduleRules
	SnapshotKeep    []string // which snapshots stay, see KeepRules
	Compact         []string // which streams are compacted, see CompactRules

	Remotes []string // other servers, as NAME=URL, see RemoteServers
	Mirrors []string // what is copied to them or from them, see MirrorRules

	Journal      bool  // whether the latest requests are remembered
	JournalBytes int64 // how much memory they take

	UpdateURL string // where to ask for newer versions; "": nowhere

	LogLevel string // debug, info, warn or error
}

// Default returns the settings of a machine where nobody has set anything.
// DataDir is empty when the machine names no home folder; Validate says so.
func Default() Config {
	return defaults(platform{goos: runtime.GOOS, getenv: os.Getenv})
}

func defaults(p platform) Config {
	limits := protocol.DefaultLimits()
	return Config{
		Listen:                  DefaultListen,
		Inspect:                 DefaultInspect,
		DataDir:                 p.dataDir(),
		TLS:                     true,
		CacheControl:            "no-store",
		LongPollTimeout:         20 * time.Second,
		SSEMaxAge:               60 * time.Second,
		BodyTimeout:             30 * time.Second,
		MaxLiveReaders:          20000,
		MaxLiveReadersPerClient: 15000,
		MaxBodyBytes:            limits.BodyBytes,
		MaxPathBytes:            limits.PathBytes,
		MaxHeaderValueBytes:     limits.HeaderValueBytes,
		MaxQueryBytes:           limits.QueryBytes,
		MaxMessagesPerAppend:    limits.MessagesPerAppend,
		MaxJSONDepth:            limits.JSONDepth,
		Journal:                 true,
		JournalBytes:            16 << 20,
		LogLevel:                "info",
	}
}
