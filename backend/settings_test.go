package backend

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tailrace/backend/config"
)

// openWithFile opens a backend that follows a configuration file.
func openWithFile(t *testing.T, text string) (b *Backend, file string) {
	t.Helper()
	dir := t.TempDir()
	file = filepath.Join(dir, "config.toml")
	if text != "" {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	flags := map[string]string{"listen": "127.0.0.1:0", "inspect": "127.0.0.1:0", "data_dir": filepath.Join(dir, "data")}
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
	b, err = Open(Options{Config: loaded.Config, Reload: load, ConfigFile: file, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return b, file
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
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
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
