package access

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const secret = "0123456789abcdef"

func TestParse(t *testing.T) {
	hash := HashOf(secret)
	tests := map[string]struct {
		text string
		want Token
		fail string // part of the error
	}{
		"every stream":       {"ci:append:" + secret, Token{Name: "ci", Level: Append, Hash: hash}, ""},
		"globs":              {"ci:read:a/**,b/*:" + secret, Token{Name: "ci", Level: Read, Paths: []string{"a/**", "b/*"}, Hash: hash}, ""},
		"a colon in a glob":  {"ci:full:urn:x/*:" + secret, Token{Name: "ci", Level: Full, Paths: []string{"urn:x/*"}, Hash: hash}, ""},
		"a hash":             {"ci:full:sha256=" + hash.String(), Token{Name: "ci", Level: Full, Hash: hash}, ""},
		"a padded secret":    {"ci:full:" + secret + "==", Token{Name: "ci", Level: Full, Hash: HashOf(secret + "==")}, ""},
		"nothing":            {"", Token{}, "name:access"},
		"a secret alone":     {secret, Token{}, "name:access"},
		"no access":          {"ci:" + secret, Token{}, "name:access"},
		"a wrong access":     {"ci:write:" + secret, Token{}, `"write", expected read, append or full`},
		"access in capitals": {"ci:READ:" + secret, Token{}, "expected read"},
		"no name":            {":read:" + secret, Token{}, "name is"},
		"a name with spaces": {"c i:read:" + secret, Token{}, "name is"},
		"a long name":        {strings.Repeat("n", 65) + ":read:" + secret, Token{}, "name is"},
		"a short secret":     {"ci:read:0123456789abcde", Token{}, "too short"},
		"no secret":          {"ci:read:", Token{}, "too short"},
		"an odd secret":      {"ci:read:0123456789abcde!", Token{}, "character"},
		"= in the middle":    {"ci:read:01234567=89abcdef", Token{}, "character"},
		"only =":             {"ci:read:" + strings.Repeat("=", 20), Token{}, "character"},
		"a short hash":       {"ci:read:sha256=abcdef", Token{}, "64 hexadecimal"},
		"an empty glob":      {"ci:read::" + secret, Token{}, "glob"},
		"a leading slash":    {"ci:read:/orders/**:" + secret, Token{}, "glob"},
		"a glob with dots":   {"ci:read:a/../b:" + secret, Token{}, "glob"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(tt.text)
			if tt.fail != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fail) {
					t.Fatalf("error %v, want one that mentions %q", err, tt.fail)
				}
				if strings.Contains(err.Error(), "0123456789") {
					t.Errorf("the error %q repeats the secret", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("token differs (-want +got):\n%s", diff)
			}
			if again, err := Parse(got.Compact()); err != nil || !cmp.Equal(again, got) {
				t.Errorf("%s is read as %v, %v", got.Compact(), again, err)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("ci:append:orders/**:" + secret)
	f.Add("ci:read:sha256=" + HashOf(secret).String())
	f.Add("a:full:x:y:z:" + secret)
	f.Fuzz(func(t *testing.T, text string) {
		token, err := Parse(text)
		if err != nil {
			return
		}
		if again, err := Parse(token.Compact()); err != nil || !cmp.Equal(again, token) {
			t.Fatalf("%q is read as %v, written as %q, and that is read as %v, %v", text, token, token.Compact(), again, err)
		}
	})
}

func TestCovers(t *testing.T) {
	tests := map[string]struct {
		paths   []string
		yes, no []string
	}{
		"no globs":      {nil, []string{"a", "a/b", "__registry__"}, nil},
		"everything":    {[]string{"**"}, []string{"a", "a/b", "__registry__"}, nil},
		"one segment":   {[]string{"*"}, []string{"a"}, []string{"a/b", "__registry__"}},
		"below a path":  {[]string{"orders/**"}, []string{"orders/eu", "orders/eu/1", "orders"}, []string{"order", "ordersx/eu", "x/orders/eu"}},
		"one path":      {[]string{"orders"}, []string{"orders"}, []string{"orders/eu", "Orders"}},
		"several":       {[]string{"a/*", "b"}, []string{"a/1", "b"}, []string{"a", "b/1", "c"}},
		"the registry":  {[]string{"__registry__"}, nil, []string{"__registry__"}},
		"almost all":    {[]string{"**/x"}, []string{"x", "a/x"}, []string{"a", "__registry__"}},
		"part of a one": {[]string{"log-*"}, []string{"log-1", "log-"}, []string{"log", "log-1/2"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			token := Token{Paths: tt.paths}
			for _, path := range tt.yes {
				if !token.Covers(path) {
					t.Errorf("%q does not cover %s", tt.paths, path)
				}
			}
			for _, path := range tt.no {
				if token.Covers(path) {
					t.Errorf("%q covers %s", tt.paths, path)
				}
			}
		})
	}
}

func TestFind(t *testing.T) {
	tokens := []Token{
		{Name: "a", Hash: HashOf("secret-a")}, {Name: "b", Hash: HashOf("secret-b")},
	}
	for secret, want := range map[string]string{"secret-a": "a", "secret-b": "b"} {
		if got := Find(tokens, secret); got == nil || got.Name != want {
			t.Errorf("%s finds %v, want %s", secret, got, want)
		}
	}
	for _, secret := range []string{"", "secret", "secret-a ", HashOf("secret-a").String()} {
		if got := Find(tokens, secret); got != nil {
			t.Errorf("%q finds %s", secret, got.Name)
		}
	}
}

func TestCheckAll(t *testing.T) {
	a := Token{Name: "a", Level: Read, Hash: HashOf("a")}
	b := Token{Name: "b", Level: Read, Hash: HashOf("b")}
	if err := CheckAll([]Token{a, b}); err != nil {
		t.Errorf("two good tokens: %v", err)
	}
	for part, tokens := range map[string][]Token{
		"are named a":     {a, {Name: "a", Level: Full, Hash: b.Hash}},
		"same secret":     {a, {Name: "c", Level: Full, Hash: a.Hash}},
		"secret is missi": {{Name: "a", Level: Read}},
		"access is missi": {{Name: "a", Hash: a.Hash}},
	} {
		if err := CheckAll(tokens); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v, want one that mentions %q", err, part)
		}
	}
}

func TestNewSecret(t *testing.T) {
	one, two := NewSecret(), NewSecret()
	if one == two {
		t.Error("two secrets are the same")
	}
	if _, err := ParseSecret(one); err != nil || strings.Contains(one, ":") {
		t.Errorf("%s is not accepted: %v", one, err)
	}
}
