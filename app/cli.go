package app

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"tailrace/backend/config"
)

// runner is a command that was chosen on the command line.
type runner interface{ Run(*invocation) error }

// grammar is the command line. Help texts in ${…} come from config.Keys.
type grammar struct {
	Window     windowCommand      `cmd:"" default:"withargs" help:"Open the window; without a display, serve. What plain \"tailrace\" does."`
	Serve      serveCommand       `cmd:"" help:"Serve without a window until interrupted."`
	Open       openCommand        `cmd:"" help:"Open the inspector of the running server in the browser."`
	Config     configCommands     `cmd:"" help:"Write, find or show the configuration."`
	Token      tokenCommands      `cmd:"" help:"Make tokens that programs authenticate with."`
	WebhookKey webhookKeyCommands `cmd:"" help:"Rotate the key that signs webhooks."`
	Trust      trustCommands      `cmd:"" help:"Make HTTPS trusted on this machine, or undo that."`
	Service    serviceCommands    `cmd:"" help:"Serve from login on, without a window."`
	Snapshot   snapshotCommands   `cmd:"" help:"Take, verify and restore snapshots of streams."`
	Mirror     mirrorCommands     `cmd:"" help:"Copy streams to another server, or from one, and keep the copies up to date."`
	Backup     backupCommands     `cmd:"" help:"Copy everything to a folder or bucket, check copies, start from one."`
	Fault      faultCommands      `cmd:"" help:"Let requests of the running server go wrong on purpose."`
	Demo       demoCommand        `cmd:"" help:"Let applications write into the running server, to look at."`
	Export     exportCommand      `cmd:"" help:"Write the messages of a stream to a file, as lines, as an array or as they are."`
	Import     importCommand      `cmd:"" help:"Append the messages of a file to a stream."`
	Bench      benchCommand       `cmd:"" help:"Measure Durable Streams servers against each other."`
	BenchNoop  benchNoOpCommand   `cmd:"" hidden:""`
	Version    versionCommand     `cmd:"" help:"Print version, commit, Go version and kind of build."`
}

// settings are the flags that set configuration keys: one for every key.
type settings struct {
	Config string `placeholder:"FILE" group:"Server" help:"Configuration file (default ${config_file}, when it exists; TAILRACE_CONFIG)."`

	Listen  string `placeholder:"ADDRESS" group:"Server" help:"${listen}"`
	Inspect string `placeholder:"ADDRESS" group:"Server" help:"${inspect}"`
	DataDir string `placeholder:"FOLDER" group:"Server" help:"${data_dir}"`

	TLS string `name:"tls" placeholder:"true|false" group:"Server" help:"${tls}"`

	CORSOrigins string `name:"cors-origins" placeholder:"ORIGIN,…" group:"Who may connect" help:"${cors_origins}"`
	Hosts       string `placeholder:"NAME,…" group:"Who may connect" help:"${hosts}"`
	Token       tokens `placeholder:"NAME:ACCESS:PATHS:SECRET" group:"Who may connect" help:"${tokens} May be repeated. Other programs can see it: prefer the variable, the file, or sha256=HASH for SECRET."`

	CacheControl    string `placeholder:"VALUE" group:"Reads" help:"${cache_control}"`
	LongPollTimeout string `placeholder:"DURATION" group:"Reads" help:"${long_poll_timeout}"`
	SSEMaxAge       string `name:"sse-max-age" placeholder:"DURATION" group:"Reads" help:"${sse_max_age}"`

	MaxBodyBytes            string `placeholder:"SIZE" group:"Limits" help:"${max_body_bytes}"`
	MaxPathBytes            string `placeholder:"NUMBER" group:"Limits" help:"${max_path_bytes}"`
	MaxHeaderValueBytes     string `placeholder:"NUMBER" group:"Limits" help:"${max_header_value_bytes}"`
	MaxQueryBytes           string `placeholder:"NUMBER" group:"Limits" help:"${max_query_bytes}"`
	MaxMessagesPerAppend    string `placeholder:"NUMBER" group:"Limits" help:"${max_messages_per_append}"`
	MaxJSONDepth            string `name:"max-json-depth" placeholder:"NUMBER" group:"Limits" help:"${max_json_depth}"`
	BodyTimeout             string `placeholder:"DURATION" group:"Limits" help:"${body_timeout}"`
	MaxLiveReaders          string `placeholder:"NUMBER" group:"Limits" help:"${max_live_readers}"`
	MaxLiveReadersPerClient string `placeholder:"NUMBER" group:"Limits" help:"${max_live_readers_per_client}"`

	Targets         string `placeholder:"NAME=PLACE,…" group:"Snapshots" help:"${targets}"`
	SnapshotOnClose string `placeholder:"GLOB=TARGET,…" group:"Snapshots" help:"${snapshot_on_close}"`
	SnapshotEvery   string `placeholder:"GLOB=TARGET?every=1h,…" group:"Snapshots" help:"${snapshot_every}"`
	SnapshotKeep    string `placeholder:"GLOB?last=3,…" group:"Snapshots" help:"${snapshot_keep}"`
	Compact         string `placeholder:"GLOB=TARGET,…" group:"Snapshots" help:"${compact}"`

	Remotes string `placeholder:"NAME=URL,…" group:"Mirrors" help:"${remotes}"`
	Mirrors string `placeholder:"NAME=push GLOB REMOTE,…" group:"Mirrors" help:"${mirrors}"`

	Journal      string `placeholder:"true|false" group:"Journal" help:"${journal}"`
	JournalBytes string `placeholder:"SIZE" group:"Journal" help:"${journal_bytes}"`

	UpdateURL string `name:"update-url" placeholder:"URL" group:"Logging and updates" help:"${update_url}"`
	LogLevel  string `placeholder:"LEVEL" group:"Logging and updates" help:"${log_level}"`
}

const description = `A local server and inspector for the Durable Streams protocol.

Examples:
  tailrace                       open the window
  tailrace serve                 serve without a window, print the addresses
  tailrace open                  open the running server's inspector in the browser
  tailrace config init           write a configuration file to edit
  tailrace token create --help   let programs in by token

  curl -X PUT  http://127.0.0.1:4437/v1/stream/notes -H 'Content-Type: text/plain'
  curl -X POST http://127.0.0.1:4437/v1/stream/notes -H 'Content-Type: text/plain' -d hello
  curl        "http://127.0.0.1:4437/v1/stream/notes?offset=-1"

Settings come from flags, then environment variables, then the configuration file,
then defaults. "tailrace serve --help" lists every flag with its variable, such as
--data-dir and TAILRACE_DATA_DIR.`

// tokens collects the values of a flag that may be repeated.
type tokens string

// Decode implements kong.MapperValue.
func (t *tokens) Decode(ctx *kong.DecodeContext) error {
	var text string
	if err := ctx.Scan.PopValueInto("token", &text); err != nil {
		return err
	}
	*t = tokens(strings.TrimSpace(string(*t) + " " + text))
	return nil
}

// parse reads the command line. It returns nil and no error when help was asked
// for and has been printed.
func (inv *invocation) parse(args []string) (runner, error) {
	switch { // as people ask other programs
	case len(args) == 1 && args[0] == "--version":
		args = []string{"version"}
	case len(args) > 0 && args[0] == "help":
		args = append(slices.Clone(args[1:]), "--help")
	}
	// To kong, what stands behind -- would be one with what stands before.
	if i := slices.Index(args, "--"); i > 0 && args[0] == "serve" {
		args, inv.beside = args[:i], args[i+1:]
		if len(inv.beside) == 0 {
			return nil, errors.New("there is no command behind --")
		}
	}
	helped := false
	parser, err := newParser(inv.env, kong.Writers(inv.stdout, inv.stderr), kong.Exit(func(int) { helped = true }))
	if err != nil {
		return nil, fmt.Errorf("command line: %w", err)
	}
	parsed, err := parser.Parse(args)
	if helped {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}

	inv.flags = map[string]string{}
	for _, k := range config.Keys() {
		for _, flag := range parsed.Flags() {
			if "--"+flag.Name == k.Flag() && flag.Set {
				inv.flags[k.Name] = flag.Target.String()
			}
		}
	}
	command, ok := parsed.Selected().Target.Addr().Interface().(runner)
	if !ok {
		return nil, fmt.Errorf("%q needs a subcommand: run %q for what there is",
			parsed.Command(), helpCommand(parsed))
	}
	return command, nil
}

// CommandLine is the command line as it is described: for a manual page, and for
// shells that complete it.
func CommandLine() (*kong.Application, error) {
	parser, err := newParser(os.Getenv)
	if err != nil {
		return nil, fmt.Errorf("command line: %w", err)
	}
	return parser.Model, nil
}

func newParser(env func(string) string, options ...kong.Option) (*kong.Kong, error) {
	vars := kong.Vars{"config_file": config.DefaultFile(env)}
	defaults := config.Default()
	for _, k := range config.Keys() {
		// Kong would read "$x" and "${x}" in a help text as variables.
		vars[k.Name] = strings.ReplaceAll(k.Help+" ("+defaultText(k, defaults)+k.Env()+").", "$", "$$")
	}
	return kong.New(&grammar{}, append(options,
		kong.Name("tailrace"),
		kong.Description(description),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100, NoAppDescFormat: true}),
		kong.ExplicitGroups([]kong.Group{
			{Key: config.GroupServer, Title: config.GroupServer},
			{Key: config.GroupAccess, Title: config.GroupAccess},
			{Key: config.GroupReads, Title: config.GroupReads},
			{Key: config.GroupLimits, Title: config.GroupLimits},
			{Key: config.GroupKeep, Title: config.GroupKeep},
			{Key: config.GroupMirror, Title: config.GroupMirror},
			{Key: config.GroupLog, Title: config.GroupLog},
		}),
		vars,
	)...)
}

func defaultText(k config.Key, defaults config.Config) string {
	if text := k.Text(defaults); text != "" {
		return "default " + text + "; "
	}
	return ""
}

// helpCommand is how to ask for help where the command line went wrong.
func helpCommand(ctx *kong.Context) string {
	if node := ctx.Selected(); node != nil && node.Name != "window" {
		return "tailrace " + node.Path() + " --help"
	}
	return "tailrace --help"
}
