package config

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func text(s string) *string { return &s }

func TestEdit(t *testing.T) {
	for name, tt := range map[string]struct {
		file    string
		changes map[string]*string
		want    string
	}{
		"a value is replaced, its comment stays": {
			"# mine\nlisten = \"127.0.0.1:1\" # why\nlog_level = \"info\"\n",
			map[string]*string{"listen": text("127.0.0.1:2")},
			"# mine\nlisten = \"127.0.0.1:2\" # why\nlog_level = \"info\"\n",
		},
		"a hash in a string is no comment": {
			"cache_control = \"a # b\"   # c\n",
			map[string]*string{"cache_control": text("d")},
			"cache_control = \"d\"   # c\n",
		},
		"a list over several lines": {
			"cors_origins = [\n  \"http://a.test\", # first\n]\nhosts = []\n",
			map[string]*string{"cors_origins": text("http://b.test,http://c.test")},
			"cors_origins = [\"http://b.test\", \"http://c.test\"]\nhosts = []\n",
		},
		"the template's comment becomes the setting": {
			"# Help.\n# max_path_bytes = 1024\n",
			map[string]*string{"max_path_bytes": text("99")},
			"# Help.\nmax_path_bytes = 99\n",
		},
		"a new key goes before the tables": {
			"tls = true\n\n[[tokens]]\nname = \"a\"\n",
			map[string]*string{"log_level": text("debug")},
			"tls = true\n\nlog_level = \"debug\"\n[[tokens]]\nname = \"a\"\n",
		},
		"a key that is taken out is kept as a comment": {
			"hosts = [\n\"a\",\n]\ntls = false\n",
			map[string]*string{"hosts": nil},
			"# hosts = [\n# \"a\",\n# ]\ntls = false\n",
		},
		"a file without a last line break": {
			"tls = true",
			map[string]*string{"log_level": text("debug")},
			"tls = true\nlog_level = \"debug\"\n",
		},
		"nothing to take out": {"tls = true\n", map[string]*string{"hosts": nil}, "tls = true\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Edit([]byte(tt.file), tt.changes)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, bad := range []map[string]*string{{"nope": text("1")}, {"tls": text("perhaps")}, {"max_path_bytes": text("many")}} {
		if got, err := Edit(nil, bad); err == nil {
			t.Errorf("%v made %q", bad, got)
		}
	}
}

// Every setting can be written into the template and is read back.
func TestEditEveryKey(t *testing.T) {
	file := Template()
	for _, k := range Keys() {
		if k.Name == "tokens" {
			continue
		}
		value := k.Text(Default())
		edited, err := Edit(file, map[string]*string{k.Name: &value})
		if err != nil {
			t.Fatal(err)
		}
		if len(strings.Split(string(edited), "\n")) != len(strings.Split(string(file), "\n")) {
			t.Errorf("%s was not written where the template has it", k.Name)
		}
		path := filepath.Join(t.TempDir(), "config.toml")
		if err := Write(path, edited); err != nil {
			t.Fatal(err)
		}
		loaded, err := Load(Sources{File: path, Env: func(string) string { return "" }, Flags: map[string]string{"data_dir": t.TempDir()}})
		if err != nil {
			t.Fatal(err)
		}
		if got := k.Text(loaded.Config); got != value && k.Name != "data_dir" {
			t.Errorf("%s is %q, want %q", k.Name, got, value)
		}
	}
}
