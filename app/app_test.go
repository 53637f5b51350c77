package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"tailrace/backend"
	"tailrace/backend/config"
)

// Other programs are asked in these ways, too.
func TestWhatPeopleTry(t *testing.T) {
	p, env := Program{Version: "1.2.3"}, environment(t)
	for asked, same := range map[string]string{
		"--version":          "version",
		"help":               "--help",
		"help serve":         "serve --help",
		"help snapshot list": "snapshot list --help",
	} {
		_, want, _ := runIn(t, p, env, strings.Fields(same)...)
		status, have, stderr := runIn(t, p, env, strings.Fields(asked)...)
		if status != exitOK || have != want || want == "" {
			t.Errorf("%s: status %d, printed %q and %q", asked, status, have, stderr)
		}
	}
	if status, _, _ := run(t, Program{}, "help", "bogus"); status != exitUsage {
		t.Errorf("help for a command that is not there: status %d", status)
	}
}

func TestServe(t *testing.T) {
	p := Program{Version: "1.2.3", Assets: fstest.MapFS{"index.html": {Data: []byte("<p>inspector</p>")}}}
	s := start(t, p)

	var ready struct {
		DataURL      string `json:"data_url"`
		DataTLSURL   string `json:"data_tls_url"`
		InspectorURL string `json:"inspector_url"`
		PID          int    `json:"pid"`
	}
	data, err := os.ReadFile(s.ready)
	if err != nil || json.Unmarshal(data, &ready) != nil || ready.PID != os.Getpid() {
		t.Fatalf("ready file %q, %v", data, err)
	}
	want(t, "standard output", s.stdout.String(), "Tailrace 1.2.3", ready.DataURL, ready.DataTLSURL+"/v1/stream/", ready.InspectorURL+"/#code=", s.dir, "tailrace open")
	for _, url := range []string{ready.DataURL, ready.InspectorURL} {
		res, err := http.Get(url)
		if err != nil {
			t.Fatalf("not listening, though the ready file is there: %v", err)
		}
		res.Body.Close()
	}

	t.Run("open prints a link that works", func(t *testing.T) {
		status, stdout, stderr := run(t, p, "open", "--print", "--data-dir", s.dir)
		link := strings.TrimSpace(stdout)
		url, code, ok := strings.Cut(link, "/#code=")
		if status != exitOK || !ok || url != ready.InspectorURL {
			t.Fatalf("status %d, link %q, %s", status, link, stderr)
		}
		res, err := http.Post(url+"/api/session", "application/json", strings.NewReader(fmt.Sprintf(`{"code":%q}`, code)))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if body, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(`"token"`)) {
			t.Errorf("the link's code gets %d %s", res.StatusCode, body)
		}
	})

	t.Run("open opens the browser", func(t *testing.T) {
		var opened string
		p := p
		p.OpenBrowser = func(url string) error { opened = url; return nil }
		status, _, stderr := run(t, p, "open", "--data-dir", s.dir)
		if status != exitOK || !strings.HasPrefix(opened, ready.InspectorURL+"/#code=") {
			t.Errorf("status %d, opened %q, %s", status, opened, stderr)
		}
		p.OpenBrowser = func(string) error { return errors.New("no browser here") }
		status, _, stderr = run(t, p, "open", "--data-dir", s.dir)
		if status != exitFailed {
			t.Errorf("status %d without a browser", status)
		}
		want(t, "standard error", stderr, "no browser here", ready.InspectorURL+"/#code=")
	})

	t.Run("a second server on the folder is refused", func(t *testing.T) {
		status, _, stderr := run(t, p, "serve", "--listen", "127.0.0.1:0", "--inspect", "127.0.0.1:0", "--data-dir", s.dir)
		if status != exitFailed {
			t.Errorf("status %d", status)
		}
		want(t, "standard error", stderr, s.dir, fmt.Sprint(os.Getpid()), ready.DataURL, ready.InspectorURL, "tailrace open")
	})

	t.Run("it has no window to show", func(t *testing.T) {
		runFile, err := backend.ReadRunFile(s.dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := askWindow(t.Context(), runFile); !errors.Is(err, errHeadless) {
			t.Errorf("got %v, want errHeadless", err)
		}
		runFile.Token = "wrong"
		var refused *refusedError
		if err := askWindow(t.Context(), runFile); !errors.As(err, &refused) || refused.status != http.StatusUnauthorized {
			t.Errorf("with a wrong token: %v, want 401", err)
		}
	})

	if status := s.stop(); status != exitOK {
		t.Errorf("exit status %d after the end of the context: %s", status, s.stderr)
	}
	for _, left := range []string{s.ready, filepath.Join(s.dir, "run.json")} {
		if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", left, err)
		}
	}
	entries, _ := os.ReadDir(filepath.Dir(s.ready))
	if len(entries) != 0 {
		t.Errorf("files left where the ready file was: %v", entries)
	}
	status, _, stderr := run(t, p, "open", "--print", "--data-dir", s.dir)
	if status != exitFailed {
		t.Errorf("open without a server: status %d", status)
	}
	want(t, "standard error", stderr, "no server runs", s.dir, "tailrace serve")
}

func TestServeOpensTheBrowser(t *testing.T) {
	opened := make(chan string, 1)
	p := Program{OpenBrowser: func(url string) error { opened <- url; return nil }}
	s := start(t, p, "--open")
	link := <-opened
	want(t, "standard output", s.stdout.String(), link, "no inspector page")

	p.OpenBrowser = func(string) error { return errors.New("no browser here") }
	start(t, p, "--open").stderr.waitFor(t, "no browser here")
}

func TestServeWithoutABrowserOrAFlag(t *testing.T) {
	p := Program{OpenBrowser: func(url string) error { t.Errorf("opened %s", url); return nil }}
	if status := start(t, p).stop(); status != exitOK {
		t.Errorf("status %d", status)
	}
}

// Neither build has a window to open here: the environment names no display.
func TestWithoutADisplayItServes(t *testing.T) {
	for name, command := range map[string][]string{"no command": nil, "window": {"window"}} {
		t.Run(name, func(t *testing.T) {
			s := startCommand(t, Program{}, command)
			if _, err := os.Stat(s.ready); err != nil {
				t.Error(err)
			}
			want(t, "standard error", s.stderr.String(), "without", "tailrace serve")
			if status := s.stop(); status != exitOK {
				t.Errorf("status %d", status)
			}
		})
	}
}

func TestServePortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, flags := range [][]string{
		{"--listen", l.Addr().String(), "--inspect", "127.0.0.1:0"},
		{"--listen", "127.0.0.1:0", "--inspect", l.Addr().String()},
	} {
		status, _, stderr := run(t, Program{}, append([]string{"serve", "--data-dir", t.TempDir()}, flags...)...)
		if status != exitFailed {
			t.Errorf("%v: status %d", flags, status)
		}
		want(t, "standard error", stderr, "port "+port+" is taken", "sport = :"+port, "--listen", "--inspect")
	}
}

// The default port of the inspector moves when it is taken, also when that is the
// address somebody has asked for: then it is refused.
func TestInspectorPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", config.DefaultInspect)
	if err != nil {
		t.Logf("another program has the port: %v", err)
	} else {
		defer l.Close()
	}
	c := config.Default()
	c.Listen, c.DataDir = "127.0.0.1:0", t.TempDir()
	b, err := backend.Open(backend.Options{Config: c, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := closeBackend(b); err != nil {
		t.Error(err)
	}
	status, _, stderr := run(t, Program{}, "serve", "--data-dir", t.TempDir(), "--listen", "127.0.0.1:0", "--inspect", config.DefaultInspect)
	if status != exitFailed {
		t.Errorf("status %d", status)
	}
	want(t, "standard error", stderr, "port 4438 is taken")
}

func TestServeOnAFolderThatIsNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		status, _, stderr := run(t, Program{}, "serve", "--listen", "127.0.0.1:0", "--inspect", "127.0.0.1:0", "--data-dir", dir)
		if status != exitFailed {
			t.Errorf("status %d", status)
		}
		want(t, "standard error", stderr, "the data folder "+dir, "is a file", "--data-dir")
	}
}

func TestServeReadyFileInAMissingFolder(t *testing.T) {
	dir := t.TempDir()
	status, _, stderr := run(t, Program{}, "serve", "--listen", "127.0.0.1:0", "--inspect", "127.0.0.1:0",
		"--data-dir", dir, "--ready-file", filepath.Join(dir, "absent", "ready.json"))
	if status != exitFailed {
		t.Errorf("status %d", status)
	}
	want(t, "standard error", stderr, "write ready file", "absent")
	if _, err := backend.ReadRunFile(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the server was left running: %v", err)
	}
}

func TestOpenAfterACrash(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // nobody answers there
	data, _ := json.Marshal(backend.RunFile{PID: 4711, DataURL: "http://x", InspectorURL: "http://" + l.Addr().String(), Token: "t"})
	if err := os.WriteFile(filepath.Join(dir, "run.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	status, _, stderr := run(t, Program{}, "open", "--print", "--data-dir", dir)
	if status != exitFailed {
		t.Errorf("status %d", status)
	}
	want(t, "standard error", stderr, "4711", "does not answer", dir)
}

func TestUsage(t *testing.T) {
	for line, parts := range map[string][]string{
		"bogus":                          {"bogus", "tailrace --help"},
		"serve --bogus":                  {"--bogus", "tailrace serve --help"},
		"serve extra":                    {"extra", "tailrace serve --help"},
		"config":                         {"init", "tailrace config --help"},
		"serve --listen":                 {"--listen"},
		"serve --listen 0.0.0.0:4437":    {"listen", "0.0.0.0:4437", "at least one token", "--listen"},
		"serve --inspect 192.168.0.1:80": {"inspect", "this machine alone"},
		"serve --sse-max-age 60":         {"sse_max_age", `"60"`, "20s", "--sse-max-age"},
		"serve --config /absent.toml":    {"/absent.toml", "does not exist"},
		"open --config /absent.toml":     {"/absent.toml", "does not exist"},
		"config show --log-level loud":   {"log_level", "loud", "debug, info, warn or error"},
	} {
		t.Run(line, func(t *testing.T) {
			status, stdout, stderr := run(t, Program{}, strings.Fields(line)...)
			if status != exitUsage || stdout != "" {
				t.Errorf("status %d, standard output %q", status, stdout)
			}
			want(t, "standard error", stderr, parts...)
		})
	}
}

func TestHelp(t *testing.T) {
	for line, parts := range map[string][]string{
		"--help":               {"Examples:", "tailrace serve", "window", "open", "config init", "config path", "config show", "version", "TAILRACE_"},
		"serve --help":         {"Examples:", "--ready-file", "--open", "--config", "TAILRACE_CONFIG", config.GroupLimits},
		"window --help":        {"Examples:", "--ready-file", "--config"},
		"open --help":          {"Examples:", "--print", "--data-dir"},
		"config --help":        {"init", "path", "show"},
		"config init --help":   {"--force"},
		"version --help":       {"version"},
		"trust --help":         {"install", "remove", "status"},
		"trust install --help": {"Examples:", "--hosts", "*.localhost"},
		"token --help":         {"create"},
		"token create --help":  {"Examples:", "--write", "--paths"},
	} {
		t.Run(line, func(t *testing.T) {
			status, stdout, stderr := run(t, Program{}, strings.Fields(line)...)
			if status != exitOK || stderr != "" {
				t.Errorf("status %d, standard error %q", status, stderr)
			}
			want(t, "the help", stdout, parts...)
		})
	}
	for _, command := range []string{"serve", "window", "config show"} {
		t.Run(command+" has every setting", func(t *testing.T) {
			_, stdout, _ := run(t, Program{}, append(strings.Fields(command), "--help")...)
			for _, k := range config.Keys() {
				want(t, "the help", stdout, k.Flag()+"=", k.Env())
			}
		})
	}
}

func TestConfigCommands(t *testing.T) {
	env := environment(t)
	status, stdout, _ := runIn(t, Program{}, env, "config", "path")
	path := strings.TrimSpace(stdout)
	if status != exitOK || path != config.DefaultFile(lookup(env)) {
		t.Fatalf("path: status %d, %q", status, path)
	}
	if status, stdout, stderr := runIn(t, Program{}, env, "config", "init"); status != exitOK || !strings.Contains(stdout, path) {
		t.Fatalf("init: status %d, %s%s", status, stdout, stderr)
	}
	status, _, stderr := runIn(t, Program{}, env, "config", "init")
	if status != exitFailed {
		t.Errorf("a second init: status %d", status)
	}
	want(t, "standard error", stderr, path, "--force")
	if status, _, stderr := runIn(t, Program{}, env, "config", "init", "--force"); status != exitOK {
		t.Errorf("init --force: status %d, %s", status, stderr)
	}

	if err := os.WriteFile(path, []byte("\nmax_path_bytes = 99\nhosts = [\"from.file\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env = append(env, "TAILRACE_SSE_MAX_AGE=5s", "TAILRACE_HOSTS=from.env")
	status, stdout, stderr = runIn(t, Program{}, env, "config", "show", "--log-level", "warn")
	if status != exitOK {
		t.Fatalf("show: status %d, %s", status, stderr)
	}
	for key, parts := range map[string][]string{
		"max_path_bytes": {"= 99", "# " + path + ":2"},
		"hosts":          {`= ["from.env"]`, "# TAILRACE_HOSTS"},
		"sse_max_age":    {`= "5s"`, "# TAILRACE_SSE_MAX_AGE"},
		"log_level":      {`= "warn"`, "# --log-level"},
		"max_json_depth": {"= 512", "# default"},
	} {
		for line := range strings.Lines(stdout) {
			if strings.HasPrefix(line, key+" ") {
				want(t, "the line of "+key, line, parts...)
				parts = nil
			}
		}
		if parts != nil {
			t.Errorf("%s is not shown:\n%s", key, stdout)
		}
	}

	shown := filepath.Join(t.TempDir(), "shown.toml")
	if err := os.WriteFile(shown, []byte(stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, stderr := run(t, Program{}, "config", "show", "--config", shown); status != exitOK {
		t.Errorf("what show prints is not a configuration file: %s", stderr)
	}
	if status, stdout, _ := runIn(t, Program{}, append(env, "TAILRACE_CONFIG="+shown), "config", "path"); status != exitOK || strings.TrimSpace(stdout) != shown {
		t.Errorf("path with TAILRACE_CONFIG: %q", stdout)
	}
}

func TestVersion(t *testing.T) {
	status, stdout, _ := run(t, Program{Version: "1.2.3", Commit: "abc"}, "version")
	if status != exitOK {
		t.Errorf("status %d", status)
	}
	want(t, "standard output", stdout, "tailrace 1.2.3", "commit   abc", "go1.", buildKind)
}

func TestWhoListens(t *testing.T) {
	for goos, part := range map[string]string{"linux": "ss ", "darwin": "lsof ", "windows": "netstat "} {
		if got := whoListens(goos, "4437"); !strings.HasPrefix(got, part) || !strings.Contains(got, "4437") {
			t.Errorf("%s: %q", goos, got)
		}
	}
}
