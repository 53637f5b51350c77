package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tailrace/backend/access"
)

// sources returns sources with an environment of env alone and, when file is not
// empty, a configuration file of that content in a fresh folder.
func sources(t *testing.T, file string, env, flags map[string]string) Sources {
	t.Helper()
	home := t.TempDir()
	s := Sources{
		Flags: flags,
		Env: func(k string) string {
			if v, ok := env[k]; ok {
				return v
			}
			if k == "HOME" || k == "LOCALAPPDATA" || k == "APPDATA" || k == "USERPROFILE" {
				return home
			}
			return ""
		},
	}
	if file != "" {
		s.File = filepath.Join(home, "given.toml")
		if err := os.WriteFile(s.File, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestLoadPrecedence(t *testing.T) {
	file := "log_level = \"warn\"\n"
	env := map[string]string{"TAILRACE_LOG_LEVEL": "error"}
	flags := map[string]string{"log_level": "debug"}
	tests := map[string]struct {
		sources Sources
		want    string
		from    string // suffix
	}{
		"default":            {sources(t, "", nil, nil), "info", "default"},
		"file over default":  {sources(t, file, nil, nil), "warn", "given.toml:1"},
		"variable over file": {sources(t, file, env, nil), "error", "TAILRACE_LOG_LEVEL"},
		"flag over variable": {sources(t, file, env, flags), "debug", "--log-level"},
		"an empty variable is unset": {
			sources(t, file, map[string]string{"TAILRACE_LOG_LEVEL": ""}, nil), "warn", "given.toml:1",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l, err := Load(tt.sources)
			if err != nil {
				t.Fatal(err)
			}
			if l.Config.LogLevel != tt.want || !strings.HasSuffix(l.From["log_level"], tt.from) {
				t.Errorf("got %q from %q, want %q from %q", l.Config.LogLevel, l.From["log_level"], tt.want, tt.from)
			}
		})
	}
}

func TestLoadEverySetting(t *testing.T) {
	dir := t.TempDir()
	want := Config{
		Listen: "127.0.0.1:1", Inspect: "localhost:2", InspectSet: true, DataDir: dir,
		CORSOrigins: []string{"http://a.test", "http://b.test:1"}, Hosts: []string{"a.test", "b.test"},
		CacheControl: "max-age=1", LongPollTimeout: 1500 * time.Millisecond, SSEMaxAge: 90 * time.Second,
		MaxBodyBytes: 3 << 20, MaxPathBytes: 7, MaxHeaderValueBytes: 77, MaxMessagesPerAppend: 777, MaxJSONDepth: 7777,
		Tokens: []access.Token{
			{Name: "ci", Level: access.Append, Paths: []string{"orders/**", "logs/*"}, Hash: access.HashOf("x")},
			{Name: "admin", Level: access.Full, Hash: access.HashOf("y")},
		},
		MaxQueryBytes: 777, BodyTimeout: 7 * time.Second, MaxLiveReaders: 77, MaxLiveReadersPerClient: 7,
		Targets:         []string{"here=" + filepath.Join(dir, "x"), "there=s3://b/p?endpoint=http://127.0.0.1:1&path_style=true"},
		SnapshotOnClose: []string{"a/**=here", "b=there"},
		SnapshotEvery:   []string{"a/**=here?every=1h&bytes=2MiB"},
		SnapshotKeep:    []string{"a/**?last=3&days=7", "**?last=1&target=there"},
		Compact:         []string{"a/**=here?older=7d&larger=2MiB"},
		Remotes:         []string{"prod=https://host/v1/stream/?token_env=PROD"},
		Mirrors:         []string{"chat=push chat/** prod", "orders=pull orders prod"},
		JournalBytes:    77 << 20,
		UpdateURL:       "https://example.com/latest",
		LogLevel:        "error",
	}

	var file bytes.Buffer
	env, flags := map[string]string{}, map[string]string{}
	for _, k := range Keys() {
		fmt.Fprintf(&file, "%s = %s\n", k.Name, k.Value(want))
		env[k.Env()] = k.Text(want)
		flags[k.Name] = k.Text(want)
	}
	for name, s := range map[string]Sources{
		"file": sources(t, file.String(), nil, nil), "environment": sources(t, "", env, nil), "flags": sources(t, "", nil, flags),
	} {
		t.Run(name, func(t *testing.T) {
			l, err := Load(s)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, l.Config); diff != "" {
				t.Errorf("settings differ (-want +got):\n%s", diff)
			}
			for key, from := range l.From {
				if from == "default" {
					t.Errorf("%s is said to be the default", key)
				}
			}
		})
	}
}

func TestLoadFileErrors(t *testing.T) {
	tests := map[string]struct {
		file string
		want []string
	}{
		"unknown key":         {"\n\nlisen = \"x\"\n", []string{"given.toml:3", `"lisen"`, "listen"}},
		"unknown table":       {"log_level = \"warn\"\n[server]\nlisten = \"x\"\n", []string{"given.toml:2", `"server"`}},
		"unknown dotted key":  {"server.listen = \"x\"\n", []string{"given.toml:1", `"server"`}},
		"key inside a table":  {"[listen]\nx = 1\n", []string{"listen", "given.toml:1", "a text"}},
		"two errors":          {"a = 1\nb = 2\n", []string{"given.toml:1", "given.toml:2"}},
		"not TOML":            {"listen = \"x\"\nlisten\n", []string{"given.toml:2"}},
		"key twice":           {"hosts = []\nhosts = []\n", []string{"given.toml:2", "hosts"}},
		"number for a text":   {"listen = 4437\n", []string{"listen", `"4437"`, "a text", "given.toml:1"}},
		"text for a list":     {"hosts = \"a\"\n", []string{"hosts", "a list of texts"}},
		"number in a list":    {"hosts = [\"a\", 1]\n", []string{"hosts", "a list of texts"}},
		"bare duration":       {"sse_max_age = 60\n", []string{"sse_max_age", `"60"`, "a duration such as 20s"}},
		"duration unit":       {"sse_max_age = \"60\"\n", []string{"sse_max_age", `"60"`, "a duration such as 20s"}},
		"size unit":           {"max_body_bytes = \"64 parsecs\"\n", []string{"max_body_bytes", "64 parsecs", "a size such as 64MiB"}},
		"size as a fraction":  {"max_body_bytes = 1.5\n", []string{"max_body_bytes", "1.5", "a size such as 64MiB"}},
		"text for a number":   {"max_json_depth = \"8\"\n", []string{"max_json_depth", "a whole number"}},
		"value out of range":  {"\nmax_json_depth = 0\n", []string{"max_json_depth", `"0"`, "1 to 10000", "given.toml:2"}},
		"wide address":        {"listen = \"0.0.0.0:4437\"\n", []string{"listen", "at least one token", "given.toml:1"}},
		"one of two too wide": {"inspect = \"10.0.0.1:4437\"\nlog_level = \"loud\"", []string{"given.toml:1", "given.toml:2"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Load(sources(t, tt.file, nil, nil))
			wantError(t, err, tt.want)
		})
	}
}

func TestLoadFlagAndVariableErrors(t *testing.T) {
	_, err := Load(sources(t, "", map[string]string{"TAILRACE_SSE_MAX_AGE": "soon"}, map[string]string{"max_body_bytes": "big"}))
	wantError(t, err, []string{
		"sse_max_age", `"soon"`, "TAILRACE_SSE_MAX_AGE",
		"max_body_bytes", `"big"`, "--max-body-bytes",
	})
	_, err = Load(sources(t, "", nil, map[string]string{"listen": "0.0.0.0:1"}))
	wantError(t, err, []string{"listen", "0.0.0.0:1", "at least one token", "--listen"})
}

func TestLoadFindsTheFile(t *testing.T) {
	t.Run("a missing file that was asked for", func(t *testing.T) {
		s := sources(t, "", nil, nil)
		s.File = filepath.Join(t.TempDir(), "absent.toml")
		_, err := Load(s)
		wantError(t, err, []string{s.File, "does not exist"})
	})
	t.Run("the default file", func(t *testing.T) {
		s := sources(t, "", nil, nil)
		path := DefaultFile(s.Env)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("max_path_bytes = 9"), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := Load(s)
		if err != nil {
			t.Fatal(err)
		}
		if l.Config.MaxPathBytes != 9 || l.File != path {
			t.Errorf("max_path_bytes is %d from %q, want 9 from %s", l.Config.MaxPathBytes, l.File, path)
		}
	})
	t.Run("no home folder", func(t *testing.T) {
		_, err := Load(Sources{Env: func(string) string { return "" }})
		wantError(t, err, []string{"data_dir", "home folder"})
	})
	t.Run("an empty folder is not a missing home folder", func(t *testing.T) {
		_, err := Load(sources(t, "", nil, map[string]string{"data_dir": ""}))
		wantError(t, err, []string{"data_dir", "--data-dir"})
		if strings.Contains(err.Error(), "home") {
			t.Errorf("it names another cause: %v", err)
		}
	})
	t.Run("a byte order mark is skipped", func(t *testing.T) {
		l, err := Load(sources(t, "\ufefflog_level = \"debug\"", nil, nil))
		if err != nil || l.Config.LogLevel != "debug" {
			t.Errorf("got %q, %v", l.Config.LogLevel, err)
		}
	})
}

func TestLoadDataDir(t *testing.T) {
	wd := t.TempDir()
	t.Chdir(wd)
	tests := map[string]struct {
		sources Sources
		want    func(Sources) string
	}{
		"from a file, beside the file": {
			sources(t, "data_dir = \"streams\"", nil, nil),
			func(s Sources) string { return filepath.Join(filepath.Dir(s.File), "streams") },
		},
		"from a flag, in the working folder": {
			sources(t, "", nil, map[string]string{"data_dir": "streams"}),
			func(Sources) string { return filepath.Join(wd, "streams") },
		},
		"from a flag, though a file was read": {
			sources(t, "data_dir = \"other\"", nil, map[string]string{"data_dir": "./streams"}),
			func(Sources) string { return filepath.Join(wd, "streams") },
		},
		"under the home folder": {
			sources(t, "data_dir = \"~/streams\"", nil, nil),
			func(s Sources) string { return filepath.Join(s.Env("HOME"), "streams") },
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l, err := Load(tt.sources)
			if err != nil {
				t.Fatal(err)
			}
			if want := tt.want(tt.sources); l.Config.DataDir != want {
				t.Errorf("data folder %s, want %s", l.Config.DataDir, want)
			}
		})
	}
}

func TestTemplate(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	template := string(Template())
	if l, err := Load(sources(t, template, nil, nil)); err != nil || slices.ContainsFunc(Keys(), func(k Key) bool { return l.From[k.Name] != "default" }) {
		t.Errorf("the file as written changes something: %v, %v", l.From, err)
	}

	uncommented := regexp.MustCompile(`(?m)^# (\w+ = )`).ReplaceAllString(template, "$1")
	l, err := Load(sources(t, uncommented, nil, nil))
	if err != nil {
		t.Fatalf("with every key uncommented: %v", err)
	}
	want := Default()
	want.CORSOrigins, want.Hosts, want.InspectSet = []string{}, []string{}, true
	want.Targets, want.SnapshotOnClose = []string{}, []string{}
	want.SnapshotEvery, want.SnapshotKeep, want.Compact = []string{}, []string{}, []string{}
	want.Remotes, want.Mirrors = []string{}, []string{}
	if diff := cmp.Diff(want, l.Config); diff != "" {
		t.Errorf("with every key uncommented the settings are not the defaults (-want +got):\n%s", diff)
	}
	for _, k := range Keys() {
		if !strings.HasPrefix(filepath.Base(l.From[k.Name]), "given.toml:") {
			t.Errorf("%s is missing from the file", k.Name)
		}
	}
}

func TestWriteTemplate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "config.toml")
	if err := WriteTemplate(path, false); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, Template()) {
		t.Fatalf("the file is not the template: %v", err)
	}
	if err := os.WriteFile(path, []byte("# mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantError(t, WriteTemplate(path, false), []string{path, "exists", "--force"})
	if got, _ := os.ReadFile(path); string(got) != "# mine" {
		t.Fatalf("an existing file was overwritten with %q", got)
	}
	if err := WriteTemplate(path, true); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); !bytes.Equal(got, Template()) {
		t.Errorf("--force did not write the template")
	}
}
