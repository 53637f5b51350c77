package backend

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"tailrace/backend/config"
)

// openWithFile opens a backend that follows a configuration file.
func openWithFile(t *testing.T, text string) (b *Backend, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "config.toml")
	if text != "" {
		writeFile(t, file, text)
	}
	return openFollowing(t, file, "127.0.0.1:0"), file
}

// openFollowing opens a backend that follows a file; listen: its address, which the
// file may name instead.
func openFollowing(t *testing.T, file, listen string) *Backend {
	t.Helper()
	flags := map[string]string{"inspect": "127.0.0.1:0", "data_dir": t.TempDir()}
	if listen != "" {
		flags["listen"] = listen
	}
	load := func(data []byte) (config.Loaded, error) {
		s := config.Sources{Env: func(string) string { return "" }, Flags: flags, Data: data}
		if _, err := os.Stat(file); err == nil || data != nil {
			s.File = file
		}
		return config.Load(s)
	}
	loaded, err := load(nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(Options{Config: loaded.Config, Reload: load, ConfigFile: file, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return b
}

func writeFile(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// allows reports whether pages of an origin may use the server.
func allows(t *testing.T, b *Backend, origin string) bool {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, b.DataURL()+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", origin)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode != http.StatusForbidden
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("it never happened: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestConfigurationFileIsFollowed(t *testing.T) {
	b, file := openWithFile(t, "# mine\ntls = true\n")
	const origin = "http://app.test"
	if allows(t, b, origin) {
		t.Fatal("the origin is allowed from the start")
	}
	write := func(text string) {
		t.Helper()
		writeFile(t, file, text)
	}
	write("cors_origins = [\"http://app.test\"]\ntls = false\ntargets = [\"kept=" + filepath.ToSlash(t.TempDir()) + "\"]\ncompact = [\"a/**=kept\"]\n")
	eventually(t, "the origin is allowed", func() bool { return allows(t, b, origin) })
	for _, s := range b.settings.Settings().Settings {
		if want := s.Key == "tls" || s.Key == "targets" || s.Key == "compact"; s.Pending != want {
			t.Errorf("%s waits for a restart: %v", s.Key, s.Pending)
		}
		if want := s.Key == "listen" || s.Key == "inspect" || s.Key == "data_dir"; s.Locked != want {
			t.Errorf("%s is locked: %v (%s)", s.Key, s.Locked, s.From)
		}
	}

	write("cors_origins = [\n")
	eventually(t, "the file is found broken", func() bool { return b.settings.Problem() != "" })
	if !strings.Contains(b.settings.Problem(), "config.toml:") || !allows(t, b, origin) {
		t.Errorf("a broken file changed something: %q", b.settings.Problem())
	}
	write("cors_origins = []\n")
	eventually(t, "the origin is refused", func() bool { return !allows(t, b, origin) })
	if p := b.settings.Problem(); p != "" {
		t.Errorf("a file that is mended is still a problem: %s", p)
	}
}

func TestLinksToTheConfigurationAreFollowed(t *testing.T) {
	const origin, allow, refuse = "http://app.test", "cors_origins = [\"http://app.test\"]\n", "cors_origins = []\n"
	dir := t.TempDir()
	at := func(path string) string { return filepath.Join(dir, filepath.FromSlash(path)) }
	for _, folder := range []string{"conf", "dotfiles", "one", "two"} {
		if err := os.Mkdir(at(folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// link has a path lead to another one, at once.
	link := func(path, to string) {
		t.Helper()
		err := os.Symlink(filepath.FromSlash(to), at(path+".new"))
		if err == nil {
			err = os.Rename(at(path+".new"), at(path))
		}
		if err != nil && runtime.GOOS == "windows" {
			t.Skip("links need a privilege here:", err)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	link("conf/config.toml", "../dotfiles/config.toml")
	link("dotfiles/config.toml", "../current/config.toml")
	link("current", "one")
	writeFile(t, at("one/config.toml"), refuse)
	writeFile(t, at("two/config.toml"), allow)
	b := openFollowing(t, at("conf/config.toml"), "127.0.0.1:0")

	writeFile(t, at("one/config.toml"), allow)
	eventually(t, "the file behind the links is read", func() bool { return allows(t, b, origin) })
	writeFile(t, at("one/new"), refuse)
	if err := os.Rename(at("one/new"), at("one/config.toml")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the file is read that took its place", func() bool { return !allows(t, b, origin) })
	link("dotfiles/config.toml", "../two/config.toml")
	eventually(t, "the file is read that a link leads to now", func() bool { return allows(t, b, origin) })
	writeFile(t, at("two/config.toml"), refuse)
	eventually(t, "its changes are followed", func() bool { return !allows(t, b, origin) })
	writeFile(t, at("two/config.toml"), allow)
	link("dotfiles/config.toml", "../current/config.toml")
	eventually(t, "the file in one is read again", func() bool { return !allows(t, b, origin) })
	link("current", "two")
	eventually(t, "the file is read that a folder leads to now", func() bool { return allows(t, b, origin) })
}

// TestTokensStayWhileTheAddressIsWide takes the tokens out of the file of a server that
// listens beyond this machine.
func TestTokensStayWhileTheAddressIsWide(t *testing.T) {
	const token = "0123456789abcdef0123"
	file := filepath.Join(t.TempDir(), "config.toml")
	writeFile(t, file, "listen = \"0.0.0.0:0\"\n[[tokens]]\nname = \"a\"\naccess = \"full\"\ntoken = \""+token+"\"\n")
	b := openFollowing(t, file, "")
	writeFile(t, file, "")
	eventually(t, "the file is found dangerous", func() bool { return b.settings.Problem() != "" })
	if p := b.settings.Problem(); !strings.Contains(p, "0.0.0.0:0") || !strings.Contains(p, "token") {
		t.Errorf("the problem is %q", p)
	}
	if status, _ := call(t, b, http.MethodPut, "/v1/stream/a", ""); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", status)
	}
	if err := b.settings.Change(map[string]*string{"cors_origins": nil}); err == nil {
		t.Error("the page may write such a file")
	}
}

// TestTheInspectorOutlivesSettings changes a setting while a file is being exported and
// a request is looked at: both are of this start of the server.
func TestTheInspectorOutlivesSettings(t *testing.T) {
	b, file := openWithFile(t, "")
	if status, answer := call(t, b, http.MethodPut, "/v1/stream/a", "x"); status != http.StatusCreated {
		t.Fatalf("create: %d %s", status, answer)
	}
	var requests struct{ Journal int64 }
	var export struct{ ID string }
	askAPI(t, b, http.MethodGet, "/api/requests", nil, &requests)
	if status := askAPI(t, b, http.MethodPost, "/api/exports", map[string]any{"stream": "a", "format": "raw"}, &export); status != http.StatusCreated {
		t.Fatalf("export: %d", status)
	}
	writeFile(t, file, "cors_origins = [\"http://app.test\"]\n")
	eventually(t, "the origin is allowed", func() bool { return allows(t, b, "http://app.test") })
	for _, path := range []string{"/api/exports/" + export.ID, fmt.Sprintf("/api/requests/1?journal=%d", requests.Journal)} {
		if status := askAPI(t, b, http.MethodGet, path, nil, nil); status != http.StatusOK {
			t.Errorf("%s after a setting has changed: %d", path, status)
		}
	}
}

func TestSettingsAreWritten(t *testing.T) {
	b, file := openWithFile(t, "# mine\ncors_origins = [] # none\n")
	change := func(key, value string) error { return b.settings.Change(map[string]*string{key: &value}) }
	if err := change("cors_origins", "http://app.test"); err != nil {
		t.Fatal(err)
	}
	if !allows(t, b, "http://app.test") {
		t.Error("a change is not in force")
	}
	want := "# mine\ncors_origins = [\"http://app.test\"] # none\n"
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("the file holds %q, %v", got, err)
	}
	for key, value := range map[string]string{"cors_origins": "nonsense", "max_path_bytes": "-1", "nope": "1"} {
		if err := change(key, value); err == nil {
			t.Errorf("%s = %s was taken", key, value)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("a refused change is in the file: %q, %v", got, err)
	}
}

func TestSettingsMakeTheFile(t *testing.T) {
	b, file := openWithFile(t, "")
	value := "debug"
	if err := b.settings.Change(map[string]*string{"log_level": &value}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(file); err != nil || !strings.Contains(string(got), "\nlog_level = \"debug\"\n") {
		t.Errorf("%.200q, %v", got, err)
	}
}
