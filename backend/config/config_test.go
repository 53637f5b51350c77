package config

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tailrace/backend/access"
)

func TestDefault(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	if err := Default().Validate(); err != nil {
		t.Fatalf("the defaults do not validate: %v", err)
	}
}

func TestValidate(t *testing.T) {
	abs := t.TempDir()
	tests := map[string]struct {
		change func(*Config)
		want   []string // every part appears in the error; none: valid
	}{
		"ipv4 loopback":           {func(c *Config) { c.Listen = "127.8.9.1:80" }, nil},
		"ipv6 loopback":           {func(c *Config) { c.Listen = "[::1]:0" }, nil},
		"localhost":               {func(c *Config) { c.Inspect = "localhost:0" }, nil},
		"two free ports":          {func(c *Config) { c.Listen, c.Inspect = "127.0.0.1:0", "127.0.0.1:0" }, nil},
		"all ipv4 interfaces":     {func(c *Config) { c.Listen = "0.0.0.0:4437" }, []string{"listen", "0.0.0.0:4437", "at least one token"}},
		"all interfaces":          {func(c *Config) { c.Listen = ":4437" }, []string{"listen", "at least one token"}},
		"all ipv6 interfaces":     {func(c *Config) { c.Inspect = "[::]:4438" }, []string{"inspect", "this machine alone"}},
		"lan address":             {func(c *Config) { c.Inspect = "192.168.1.7:4438" }, []string{"inspect", "192.168.1.7:4438", "this machine alone"}},
		"mapped lan address":      {func(c *Config) { c.Listen = "[::ffff:192.168.1.7]:1" }, []string{"listen", "at least one token"}},
		"host name":               {func(c *Config) { c.Listen = "example.com:80" }, []string{"listen", "loopback"}},
		"wide with a token":       {func(c *Config) { c.Listen, c.Tokens = "0.0.0.0:4437", someTokens() }, nil},
		"named with a token":      {func(c *Config) { c.Listen, c.Tokens = "box.lan:4437", someTokens() }, nil},
		"every interface, token":  {func(c *Config) { c.Listen, c.Tokens = ":4437", someTokens() }, nil},
		"inspector with a token":  {func(c *Config) { c.Inspect, c.Tokens = "0.0.0.0:4438", someTokens() }, []string{"inspect", "this machine alone"}},
		"odd host name":           {func(c *Config) { c.Listen, c.Tokens = "a b:4437", someTokens() }, []string{"listen", "name of this machine"}},
		"one name for two tokens": {func(c *Config) { c.Tokens = append(someTokens(), someTokens()...) }, []string{"tokens", "two tokens are named"}},
		"no port":                 {func(c *Config) { c.Listen = "127.0.0.1" }, []string{"listen", "host:port"}},
		"port out of range":       {func(c *Config) { c.Listen = "127.0.0.1:65536" }, []string{"listen", "0 to 65535"}},
		"named port":              {func(c *Config) { c.Listen = "127.0.0.1:http" }, []string{"listen", "0 to 65535"}},
		"same address twice":      {func(c *Config) { c.Inspect = c.Listen }, []string{"inspect", "another port"}},
		"no data folder":          {func(c *Config) { c.DataDir = "" }, []string{"data_dir", "a folder"}},
		"relative data folder":    {func(c *Config) { c.DataDir = "data" }, []string{"data_dir", "absolute"}},
		"origins":                 {func(c *Config) { c.CORSOrigins = []string{"http://app.test:5173", "tauri://localhost", "*"} }, nil},
		"origin with a path":      {func(c *Config) { c.CORSOrigins = []string{"http://app.test/"} }, []string{"cors_origins", "http://app.test/"}},
		"origin without a scheme": {func(c *Config) { c.CORSOrigins = []string{"app.test"} }, []string{"cors_origins", "app.test"}},
		"hosts":                   {func(c *Config) { c.Hosts = []string{"streams.test", "192.168.1.7", "[fe80::1]"} }, nil},
		"host with a port":        {func(c *Config) { c.Hosts = []string{"streams.test:80"} }, []string{"hosts", "streams.test:80"}},
		"host with half a pair":   {func(c *Config) { c.Hosts = []string{"[fe80::1"} }, []string{"hosts", "[fe80::1"}},
		"empty host":              {func(c *Config) { c.Hosts = []string{""} }, []string{"hosts"}},
		"header injection":        {func(c *Config) { c.CacheControl = "no-store\r\nX: y" }, []string{"cache_control"}},
		"empty cache control":     {func(c *Config) { c.CacheControl = "" }, []string{"cache_control"}},
		"zero long-poll":          {func(c *Config) { c.LongPollTimeout = 0 }, []string{"long_poll_timeout", "1ms to 24h"}},
		"negative sse age":        {func(c *Config) { c.SSEMaxAge = -time.Second }, []string{"sse_max_age"}},
		"no body":                 {func(c *Config) { c.MaxBodyBytes = 0 }, []string{"max_body_bytes", "1B to 1GiB"}},
		"huge body":               {func(c *Config) { c.MaxBodyBytes = 2 << 30 }, []string{"max_body_bytes", "2GiB"}},
		"no path":                 {func(c *Config) { c.MaxPathBytes = 0 }, []string{"max_path_bytes", "1 to 8192"}},
		"short headers":           {func(c *Config) { c.MaxHeaderValueBytes = 1 }, []string{"max_header_value_bytes"}},
		"no messages":             {func(c *Config) { c.MaxMessagesPerAppend = 0 }, []string{"max_messages_per_append"}},
		"too deep":                {func(c *Config) { c.MaxJSONDepth = 10001 }, []string{"max_json_depth"}},
		"update by plain HTTP":    {func(c *Config) { c.UpdateURL = "http://example.com/x" }, []string{"update_url", "https"}},
		"update with a password":  {func(c *Config) { c.UpdateURL = "https://a:b@example.com/x" }, []string{"update_url", "password"}},
		"log level":               {func(c *Config) { c.LogLevel = "INFO" }, []string{"log_level", "INFO", "debug, info, warn or error"}},
		"every error is reported": {func(c *Config) { c.LogLevel = "x"; c.MaxJSONDepth = 0 }, []string{"log_level", "max_json_depth"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := Default()
			c.DataDir = abs
			tt.change(&c)
			wantError(t, c.Validate(), tt.want)
		})
	}
}

func someTokens() []access.Token {
	return []access.Token{{Name: "ci", Level: access.Read, Hash: access.HashOf("x")}}
}

// wantError checks that err mentions every part, or is nil when there are none.
func wantError(t *testing.T, err error, parts []string) {
	t.Helper()
	if len(parts) == 0 {
		if err != nil {
			t.Fatalf("unexpected error: %v", err)
		}
		return
	}
	if err == nil {
		t.Fatalf("no error, want one that mentions %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not mention %q", err, part)
		}
	}
}

func TestPlatformFolders(t *testing.T) {
	tests := map[string]struct {
		goos       string
		env        map[string]string
		data, file string
	}{
		"linux": {
			"linux",
			map[string]string{"HOME": "/home/u"},
			"/home/u/.local/share/tailrace", "/home/u/.config/tailrace/config.toml",
		},
		"linux with XDG": {
			"linux",
			map[string]string{"HOME": "/home/u", "XDG_DATA_HOME": "/d", "XDG_CONFIG_HOME": "/c"},
			"/d/tailrace", "/c/tailrace/config.toml",
		},
		"a relative XDG folder is ignored": {
			"linux",
			map[string]string{"HOME": "/home/u", "XDG_DATA_HOME": "d", "XDG_CONFIG_HOME": "c"},
			"/home/u/.local/share/tailrace", "/home/u/.config/tailrace/config.toml",
		},
		"macOS": {
			"darwin",
			map[string]string{"HOME": "/Users/u"},
			"/Users/u/Library/Application Support/Tailrace",
			"/Users/u/Library/Application Support/tailrace/config.toml",
		},
		"windows": {
			"windows",
			map[string]string{"LOCALAPPDATA": "/u/Local", "APPDATA": "/u/Roaming"},
			"/u/Local/Tailrace", "/u/Roaming/tailrace/config.toml",
		},
		"no home":            {"linux", nil, "", ""},
		"no home on macOS":   {"darwin", nil, "", ""},
		"no home on windows": {"windows", nil, "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := platform{goos: tt.goos, getenv: func(k string) string { return tt.env[k] }}
			if got := p.dataDir(); got != filepath.FromSlash(tt.data) {
				t.Errorf("data folder %q, want %q", got, tt.data)
			}
			if got := p.configFile(); got != filepath.FromSlash(tt.file) {
				t.Errorf("configuration file %q, want %q", got, tt.file)
			}
		})
	}
}
