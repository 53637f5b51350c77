package config

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tailrace/backend/access"
)

const (
	secret = "a-secret-nobody-guesses"
	hash   = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

func TestLoadTokens(t *testing.T) {
	file := "[[tokens]]\nname = \"a\"\naccess = \"read\"\npaths = \"a/**\"\nsha256 = \"" + hash + "\"\n" +
		"[[tokens]]\nname = \"b\"\naccess = \"full\"\ntoken = \"" + secret + "\"\n"
	parsed, err := access.ParseHash(hash)
	if err != nil {
		t.Fatal(err)
	}
	a := access.Token{Name: "a", Level: access.Read, Paths: []string{"a/**"}, Hash: parsed}
	b := access.Token{Name: "b", Level: access.Full, Hash: access.HashOf(secret)}
	c := access.Token{Name: "c", Level: access.Append, Paths: []string{"x", "y/*"}, Hash: access.HashOf(secret)}
	variable := map[string]string{"TAILRACE_TOKENS": "c:append:x,y/*:" + secret + "\n  a:read:a/**:sha256=" + hash}
	tests := map[string]struct {
		sources Sources
		want    []access.Token
		from    string // suffix
	}{
		"none":               {sources(t, "", nil, nil), nil, "default"},
		"tables":             {sources(t, "log_level = \"warn\"\n"+file, nil, nil), []access.Token{a, b}, "given.toml:2"},
		"variable over file": {sources(t, file, variable, nil), []access.Token{c, a}, "TAILRACE_TOKENS"},
		"flag over variable": {sources(t, file, variable, map[string]string{"tokens": "b:full:" + secret}), []access.Token{b}, "--token"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l, err := Load(tt.sources)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, l.Config.Tokens); diff != "" {
				t.Errorf("tokens differ (-want +got):\n%s", diff)
			}
			if !strings.HasSuffix(l.From["tokens"], tt.from) {
				t.Errorf("tokens come from %q, want %q", l.From["tokens"], tt.from)
			}
		})
	}
}

// TestTokenErrors also checks that no error repeats a secret.
func TestTokenErrors(t *testing.T) {
	table := func(lines string) Sources {
		return sources(t, "log_level = \"warn\"\n[[tokens]]\n"+lines+"\ntoken = \""+secret+"\"\n", nil, nil)
	}
	tests := map[string]struct {
		sources Sources
		want    []string
	}{
		"no name":           {table(`access = "read"`), []string{"given.toml:2", "token 1", "name is"}},
		"no access":         {table(`name = "a"`), []string{"access is missing"}},
		"wrong access":      {table("name = \"a\"\naccess = \"admin\""), []string{`"admin"`, "read, append or full"}},
		"number for a name": {table("name = 1\naccess = \"read\""), []string{"name is not a text"}},
		"both secrets":      {table("name = \"a\"\naccess = \"read\"\nsha256 = \"" + hash + "\""), []string{"both sha256 and token"}},
		"no globs":          {table("name = \"a\"\naccess = \"read\"\npaths = []"), []string{"paths"}},
		"number for a glob": {table("name = \"a\"\naccess = \"read\"\npaths = [1]"), []string{"paths"}},
		"a wrong glob":      {table("name = \"a\"\naccess = \"read\"\npaths = \"/v1/stream/a\""), []string{"paths", "glob"}},
		"a setting below":   {table("name = \"a\"\naccess = \"read\"\nlisten = \"127.0.0.1:1\""), []string{`"listen"`, "above the first [[tokens]]"}},
		"one bracket":       {sources(t, "[tokens]\nname = \"a\"\ntoken = \""+secret+"\"\n", nil, nil), []string{"two brackets"}},
		"a list of texts":   {sources(t, "tokens = [\""+secret+"\"]\n", nil, nil), []string{"expected a table"}},
		"a text":            {sources(t, "tokens = \""+secret+"\"\n", nil, nil), []string{"[[tokens]]"}},
		"no secret":         {sources(t, "[[tokens]]\nname = \"a\"\naccess = \"read\"\n", nil, nil), []string{"secret is missing"}},
		"variable": {
			sources(t, "", map[string]string{"TAILRACE_TOKENS": "a:read:" + secret + " b:own:" + secret}, nil),
			[]string{"TAILRACE_TOKENS", "token 2", `"own"`},
		},
		"flag":         {sources(t, "", nil, map[string]string{"tokens": secret}), []string{"--token", "name:access"}},
		"same twice":   {sources(t, "", nil, map[string]string{"tokens": "a:read:" + secret + " b:read:" + secret}), []string{"same secret"}},
		"short secret": {sources(t, "", nil, map[string]string{"tokens": "a:read:secret-1"}), []string{"too short"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Load(tt.sources)
			wantError(t, err, tt.want)
			if err != nil && strings.Contains(err.Error(), secret[:8]) {
				t.Errorf("the error repeats a secret: %v", err)
			}
		})
	}
}

func TestTokensAreWrittenWithoutSecrets(t *testing.T) {
	l, err := Load(sources(t, "", map[string]string{"TAILRACE_TOKENS": "a:read:a/**:" + secret}, nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range Keys() {
		for _, text := range []string{k.Value(l.Config), k.Text(l.Config)} {
			if strings.Contains(text, secret) {
				t.Errorf("%s is written with the secret: %s", k.Name, text)
			}
		}
	}
}

func TestAddToken(t *testing.T) {
	token := access.Token{Name: "new", Level: access.Append, Paths: []string{"a/**"}, Hash: access.HashOf(secret)}
	tests := map[string]struct {
		file string // "-": there is none
		want []string
		fail string
	}{
		"no file":        {"-", []string{"new"}, ""},
		"empty":          {"", []string{"new"}, ""},
		"comments":       {"# mine\nlog_level = \"warn\" # loud\n\n\n", []string{"new"}, ""},
		"no last line":   {"log_level = \"warn\"", []string{"new"}, ""},
		"another token":  {"[[tokens]]\nname = \"old\"\naccess = \"full\"\ntoken = \"" + secret + "2\"\n# end", []string{"old", "new"}, ""},
		"the same name":  {"[[tokens]]\nname = \"new\"\naccess = \"full\"\ntoken = \"" + secret + "2\"\n", nil, "two tokens are named new"},
		"an inline list": {"tokens = []\n", nil, "add this one there"},
		"a broken file":  {"listen =\n", nil, ":1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sub", "config.toml")
			if tt.file != "-" {
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(tt.file), 0o640); err != nil {
					t.Fatal(err)
				}
			}
			err := AddToken(path, token)
			got, readErr := os.ReadFile(path)
			if readErr != nil {
				t.Fatal(readErr)
			}
			if tt.fail != "" {
				wantError(t, err, []string{tt.fail})
				if string(got) != tt.file {
					t.Errorf("the file has changed to:\n%s", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if tt.file != "-" && !strings.HasPrefix(string(got), strings.TrimRight(tt.file, "\n")) {
				t.Errorf("what stood in the file has changed:\n%s", got)
			}
			wantMode := os.FileMode(0o640)
			if tt.file == "-" {
				wantMode = 0o600
			}
			if info, err := os.Stat(path); err != nil || (runtime.GOOS != "windows" && info.Mode().Perm() != wantMode) {
				t.Errorf("the file has mode %v, want %v (%v)", info.Mode(), wantMode, err)
			}
			s := sources(t, "", nil, nil)
			s.File = path
			l, err := Load(s)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, token := range l.Config.Tokens {
				names = append(names, token.Name)
			}
			if diff := cmp.Diff(tt.want, names); diff != "" {
				t.Errorf("tokens differ (-want +got):\n%s", diff)
			}
			if last := l.Config.Tokens[len(names)-1]; !cmp.Equal(last, token) {
				t.Errorf("the token is read back as %v", last)
			}
		})
	}
}

func TestListenHost(t *testing.T) {
	for listen, want := range map[string]struct {
		host string
		any  bool
	}{
		"127.0.0.1:1":     {"", false},
		"localhost:1":     {"", false},
		"[::1]:1":         {"", false},
		":1":              {"", true},
		"0.0.0.0:1":       {"", true},
		"[::]:1":          {"", true},
		"192.168.1.7:1":   {"192.168.1.7", false},
		"[2001:db8::1]:1": {"2001:db8::1", false},
		"box.lan:1":       {"box.lan", false},
	} {
		c := Config{Listen: listen}
		if host, anyAddress := c.ListenHost(); host != want.host || anyAddress != want.any {
			t.Errorf("%s is named %q, %v; want %q, %v", listen, host, anyAddress, want.host, want.any)
		}
	}
}

// TestWithoutSecrets also checks that the file lets the same programs in.
func TestWithoutSecrets(t *testing.T) {
	for name, text := range map[string]string{
		"no tokens":     "log_level = \"warn\" # token = nothing\n",
		"tables":        "# mine\n[[tokens]]\nname = \"b\"\naccess = \"full\"\ntoken = \"" + secret + "\" # by hand\n",
		"inline":        "tokens = [{ name = 'b', access = 'full', token = '" + secret + "' }]\n",
		"a quoted key":  "[[tokens]]\nname = \"b\"\naccess = \"full\"\n\"token\"=\"" + secret + "\"\n",
		"a hash":        "[[tokens]]\nname = \"b\"\naccess = \"full\"\nsha256 = \"" + hash + "\"\n",
		"a mark before": "\ufefflog_level = \"warn\"\n",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := WithoutSecrets([]byte(text))
			if err != nil || strings.Contains(string(got), secret) {
				t.Fatalf("%s, %v", got, err)
			}
			want, err := Load(sources(t, text, nil, nil))
			if err != nil {
				t.Fatal(err)
			}
			have, err := Load(sources(t, string(got), nil, nil))
			if err != nil {
				t.Fatalf("%v\n%s", err, got)
			}
			if diff := cmp.Diff(want.Config.Tokens, have.Config.Tokens); diff != "" || want.Config.LogLevel != have.Config.LogLevel {
				t.Errorf("the settings differ (-want +got):\n%s", diff)
			}
		})
	}
	escaped := "[[tokens]]\nname = \"b\"\naccess = \"full\"\ntoken = \"\\u0061" + secret[1:] + "\"\n"
	if got, err := WithoutSecrets([]byte(escaped)); err == nil {
		t.Errorf("a secret that is escaped: %s", got)
	}
	twice := "# a note: " + secret + "\n[[tokens]]\nname = \"b\"\naccess = \"full\"\ntoken = \"" + secret + "\"\n"
	if got, err := WithoutSecrets([]byte(twice)); err == nil {
		t.Errorf("a secret in a comment: %s", got)
	}
}
