package app

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tailrace/backend/access"
)

func TestTokenCreate(t *testing.T) {
	env := environment(t)
	status, stdout, stderr := runIn(t, Program{}, env, "token", "create", "--name", "ci", "--access", "append", "--paths", "orders/**,logs")
	secret := strings.TrimSpace(stdout)
	if status != 0 || len(secret) < 40 || strings.Count(stdout, "\n") != 1 {
		t.Fatalf("status %d, printed %q\n%s", status, stdout, stderr)
	}
	hash := access.HashOf(secret).String()
	want(t, "standard error", stderr, "[[tokens]]", `name = "ci"`, `access = "append"`, `paths = ["orders/**", "logs"]`, `sha256 = "`+hash+`"`,
		"TAILRACE_TOKENS='ci:append:orders/**,logs:sha256="+hash+"'")
	if strings.Contains(stderr, secret) {
		t.Error("the secret is printed twice")
	}
	if _, again, _ := runIn(t, Program{}, env, "token", "create", "--name", "ci", "--access", "append"); again == stdout {
		t.Error("two tokens have the same secret")
	}
}

func TestTokenCreateWrite(t *testing.T) {
	env := environment(t)
	file := filepath.Join(t.TempDir(), "c.toml")
	if err := os.WriteFile(file, []byte("# keep me\nlog_level = \"warn\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	create := []string{"token", "create", "--name", "ci", "--access", "read", "--config", file, "--write"}
	status, secret, stderr := runIn(t, Program{}, env, create...)
	if status != 0 {
		t.Fatal(stderr)
	}
	status, shown, _ := runIn(t, Program{}, env, "config", "show", "--config", file)
	if status != 0 {
		t.Fatal("the file does not load any more")
	}
	want(t, "config show", shown, `name = "ci"`, access.HashOf(strings.TrimSpace(secret)).String(), file+":4", "log_level = \"warn\"")
	if got, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(got), "# keep me\n") || strings.Contains(string(got), strings.TrimSpace(secret)) {
		t.Errorf("the file holds the secret or lost its comment: %v\n%s", err, got)
	}
	if status, _, stderr := runIn(t, Program{}, env, create...); status != exitFailed || !strings.Contains(stderr, "two tokens are named ci") {
		t.Errorf("a second token of the name: status %d, %s", status, stderr)
	}
}

func TestTokenCreateErrors(t *testing.T) {
	for part, args := range map[string][]string{
		"--name":                   {"--access", "read"},
		"--access":                 {"--name", "a"},
		"read, append or full":     {"--name", "a", "--access", "write"},
		"letters, digits":          {"--name", "a b", "--access", "read"},
		"a glob is missing":        {"--name", "a", "--access", "read", "--paths", ""},
		`"a,": a glob is missing`:  {"--name", "a", "--access", "read", "--paths", "a,"},
		"expected a glob of strea": {"--name", "a", "--access", "read", "--paths", "/orders"},
	} {
		status, stdout, stderr := run(t, Program{}, append([]string{"token", "create"}, args...)...)
		if status != exitUsage || stdout != "" || !strings.Contains(stderr, part) {
			t.Errorf("%v: status %d, %q, %q", args, status, stdout, stderr)
		}
	}
}

func TestConfigShowKeepsSecrets(t *testing.T) {
	const secret = "a-secret-nobody-guesses"
	env := append(environment(t), "TAILRACE_TOKENS=a:read:"+secret)
	for _, args := range [][]string{{"config", "show"}, {"config", "show", "--token", "b:full:" + secret, "--token", "c:read:x/*:" + secret + "2"}} {
		status, stdout, stderr := runIn(t, Program{}, env, args...)
		if status != 0 || strings.Contains(stdout+stderr, secret) {
			t.Errorf("%v: status %d\n%s%s", args, status, stdout, stderr)
		}
		// What is shown is a configuration file that means the same.
		file := filepath.Join(t.TempDir(), "shown.toml")
		if err := os.WriteFile(file, []byte(stdout), 0o600); err != nil {
			t.Fatal(err)
		}
		_, again, stderr := runIn(t, Program{}, environment(t), "config", "show", "--config", file)
		want(t, "what was shown and read again", again+stderr, access.HashOf(secret).String())
	}
}

func TestServeWithToken(t *testing.T) {
	const secret = "a-secret-nobody-guesses"
	s := start(t, Program{}, "--token", "ci:full:a/**:"+secret)
	url := dataURL(t, s) + "/v1/stream/"
	for _, tt := range []struct {
		path, token string
		status      int
	}{
		{"a/1", "", http.StatusUnauthorized},
		{"a/1", secret, http.StatusCreated},
		{"b", secret, http.StatusForbidden},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tt.token != "" {
			req.Header.Set("Authorization", "Bearer "+tt.token)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
		if res.StatusCode != tt.status {
			t.Errorf("PUT %s with token %q: %d, want %d", tt.path, tt.token, res.StatusCode, tt.status)
		}
	}
}

// dataURL is where a started program serves streams.
func dataURL(t *testing.T, s *started) string {
	t.Helper()
	var ready struct {
		DataURL string `json:"data_url"`
	}
	data, err := os.ReadFile(s.ready)
	if err == nil {
		err = json.Unmarshal(data, &ready)
	}
	if err != nil {
		t.Fatal(err)
	}
	return ready.DataURL
}
