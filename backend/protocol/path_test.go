package protocol

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParsePath(t *testing.T) {
	for in, want := range map[string]string{
		"a":                          "a",
		"a/b/c":                      "a/b/c",
		"a%2Fb":                      "a/b",
		"a%2fb":                      "a/b",
		"%E4%BD%A0":                  "你",
		"a%20b":                      "a b",
		"a+b":                        "a+b",
		"100%25":                     "100%",
		"a%252Fb":                    "a%2Fb",
		"docs/.index":                "docs/.index",
		".updates":                   ".updates",
		"...":                        "...",
		"a;b=c":                      "a;b=c",
		"__registry__":               "__registry__",
		"x/__ds":                     "x/__ds",
		strings.Repeat("x", 1024):    strings.Repeat("x", 1024),
		strings.Repeat("%41", 1024):  strings.Repeat("A", 1024),
		"q%3Fx%23y":                  "q?x#y",
		"%C2%A0":                     "\u00a0",
		"a%5Cb":                      `a\b`,
		"emoji-%F0%9F%98%80/%22%27x": "emoji-😀/\"'x",
	} {
		got, err := ParsePath(in, DefaultLimits())
		if err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestParsePathRefuses(t *testing.T) {
	for _, in := range []string{
		"", "/", "a/", "/a", "a//b", ".", "..", "a/.", "a/..", "../a", "a/../b", "%2e", "%2E%2e", "a/%2e%2e/b", "a%2F", "%2Fa", "a%2F%2Fb",
		"%00", "a%0Ab", "a%0d", "%7F", "%C2%80", "%1b[31m", "%FF", "%C3", "%ED%A0%80", "%C0%AF", "%", "%4", "%zz",
	} {
		t.Run(in, func(t *testing.T) {
			_, err := ParsePath(in, DefaultLimits())
			wantBadRequest(t, err, "path")
		})
	}
}

func TestParsePathLimit(t *testing.T) {
	l := DefaultLimits()
	l.PathBytes = 4
	if _, err := ParsePath("%E4%BD%A0x", l); err != nil {
		t.Errorf("4 bytes: %v", err)
	}
	_, err := ParsePath("%E4%BD%A0xy", l)
	var limit *LimitError
	if !errors.As(err, &limit) || limit.Status != 414 || limit.Max != 4 || limit.Limit != "max_path_bytes" {
		t.Errorf("5 bytes: got %v", err)
	}
}

func TestIsControlPath(t *testing.T) {
	for in, want := range map[string]bool{
		"__ds": true, "__ds/": true, "__ds/subscriptions/x": true,
		"__dsx": false, "x/__ds": false, "__DS": false, "__registry__": false,
	} {
		if got := IsControlPath(in); got != want {
			t.Errorf("%q: %v", in, got)
		}
	}
}

func TestMatchGlob(t *testing.T) {
	for _, tt := range []struct {
		glob, path string
		want       bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"a", "a/b", false},
		{"*", "a", true},
		{"*", "a/b", false},
		{"events/*", "events/abc", true},
		{"events/*", "events", false},
		{"events/*", "events/a/b", false},
		{"events/*/x", "events/a/x", true},
		{"**", "a", true},
		{"**", "a/b/c", true},
		{"a/**", "a", true},
		{"a/**", "a/b/c", true},
		{"a/**", "ab", false},
		{"**/c", "c", true},
		{"**/c", "a/b/c", true},
		{"**/c", "a/b/cd", false},
		{"a/**/z", "a/z", true},
		{"a/**/z", "a/b/c/z", true},
		{"a/**/b/**/c", "a/x/b/y/b/z/c", true},
		{"a/**/b/**/c", "a/x/y/z/c", false},
		{"**/**", "a", true},
		{"**/a/*/b", "a/a/x/b", true},
		{"user-*", "user-7", true},
		{"user-*", "user-", true},
		{"*-*", "a-b", true},
		{"*ab*ab", "abab", true},
		{"*ab*ab", "ab", false},
		{"a*a", "a", false},
		{"a**b", "axxb", true},
		{"a**b", "a/b", false},
		{"", "a", false},
		{"?", "a", false},
		{"[a]", "a", false},
	} {
		t.Run(tt.glob+" "+tt.path, func(t *testing.T) {
			if got := MatchGlob(tt.glob, tt.path); got != tt.want {
				t.Errorf("got %v", got)
			}
			if model := globModel(strings.Split(tt.glob, "/"), strings.Split(tt.path, "/")); model != tt.want {
				t.Errorf("the model says %v", model)
			}
		})
	}
}

func TestMatchGlobIsNotExponential(t *testing.T) {
	glob := strings.Repeat("**/a*a*a*b/", 200) + "x"
	path := strings.Repeat(strings.Repeat("a", 20)+"/", 400) + "y"
	if MatchGlob(glob, path) { // would not come back
		t.Error("matched")
	}
}

// globModel is the definition of a glob, tried out in every way.
func globModel(glob, path []string) bool {
	switch {
	case len(glob) == 0:
		return len(path) == 0
	case glob[0] == "**":
		return globModel(glob[1:], path) || (len(path) > 0 && globModel(glob, path[1:]))
	default:
		return len(path) > 0 && segmentModel(glob[0], path[0]) && globModel(glob[1:], path[1:])
	}
}

func segmentModel(p, s string) bool {
	switch {
	case p == "":
		return s == ""
	case p[0] == '*':
		return segmentModel(p[1:], s) || (s != "" && segmentModel(p, s[1:]))
	default:
		return s != "" && p[0] == s[0] && segmentModel(p[1:], s[1:])
	}
}

func FuzzMatchGlob(f *testing.F) {
	f.Add("a/**/b", "a/x/b")
	f.Add("**/a/*/b", "a/a/x/b")
	f.Add("*ab*ab", "abab")
	f.Fuzz(func(t *testing.T, glob, path string) {
		if len(glob) > 12 || len(path) > 12 {
			return // the model takes exponential time
		}
		got, want := MatchGlob(glob, path), globModel(strings.Split(glob, "/"), strings.Split(path, "/"))
		if got != want {
			t.Fatalf("glob %q, path %q: got %v, want %v", glob, path, got, want)
		}
	})
}

func FuzzParsePath(f *testing.F) {
	for _, s := range []string{"a/b", "a%2Fb", "%2e%2e/x", "%00", "%FF", "a//b", "%E4%BD%A0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePath(s, DefaultLimits())
		if err != nil {
			var limit *LimitError
			if !errors.As(err, &limit) {
				wantBadRequest(t, err, "path")
			}
			return
		}
		if !utf8.ValidString(p) || strings.ContainsAny(p, "\x00\r\n\x7f") || strings.Contains("/"+p+"/", "/../") ||
			strings.Contains("/"+p+"/", "//") || len(p) > 1024 {
			t.Fatalf("accepted %q", p)
		}
		if again, err := ParsePath(url.PathEscape(p), DefaultLimits()); err != nil || again != p {
			t.Fatalf("%q does not survive escaping: %q, %v", p, again, err)
		}
	})
}
