package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"tailrace/backend/access"
)

// tokenError is a token that cannot be used. It stands in for [ValueError],
// which would repeat a secret.
type tokenError struct {
	number int // counted from 1
	err    error
}

func (e *tokenError) Error() string { return fmt.Sprintf("token %d: %v", e.number, e.err) }
func (e *tokenError) Unwrap() error { return e.err }

// setTokens stores tables decoded from TOML.
func setTokens(p *[]access.Token, v any) error {
	items, ok := v.([]any)
	if !ok {
		return &tokenError{1, errors.New("expected [[tokens]] tables, with two brackets")}
	}
	var tokens []access.Token
	for i, item := range items {
		table, ok := item.(map[string]any)
		if !ok {
			return &tokenError{i + 1, errors.New("expected a table with name, access, paths and sha256")}
		}
		t, err := tokenOf(table)
		if err != nil {
			return &tokenError{i + 1, err}
		}
		tokens = append(tokens, t)
	}
	*p = tokens
	return nil
}

// tokenOf reads one [[tokens]] table.
func tokenOf(table map[string]any) (access.Token, error) {
	var t access.Token
	fields := []struct {
		key string
		set func(string) error
	}{
		{"name", func(s string) error { t.Name = s; return nil }},
		{"access", func(s string) (err error) { t.Level, err = access.ParseLevel(s); return err }},
		{"sha256", func(s string) (err error) { t.Hash, err = access.ParseHash(s); return err }},
		{"token", func(s string) (err error) { t.Hash, err = access.ParseSecret(s); return err }},
	}
	for _, f := range fields {
		v, ok := table[f.key]
		if !ok {
			continue
		}
		s, ok := v.(string)
		if !ok {
			return t, fmt.Errorf("%s is not a text", f.key)
		}
		if err := f.set(s); err != nil {
			return t, err
		}
	}
	if table["sha256"] != nil && table["token"] != nil {
		return t, errors.New("both sha256 and token are given, expected one of them")
	}
	if paths, ok := table["paths"]; ok {
		if t.Paths, ok = listOf(paths); !ok || len(t.Paths) == 0 {
			return t, errors.New("paths is no glob, expected a text such as \"orders/**\", or a list of them; leave it out for every stream")
		}
	}
	for key := range table {
		if !slices.Contains([]string{"name", "access", "paths", "sha256", "token"}, key) {
			return t, fmt.Errorf("unknown key %q (known: name, access, paths, sha256, token); settings of other kinds stand above the first [[tokens]]", key)
		}
	}
	return t, t.Check()
}

// listOf reads a text or a list of texts.
func listOf(v any) ([]string, bool) {
	if s, ok := v.(string); ok {
		return []string{s}, true
	}
	var list []string
	err := setTOML(&list, v)
	return list, err == nil
}

// setCompactTokens stores tokens in the form of flags and variables.
func setCompactTokens(p *[]access.Token, text string) error {
	var tokens []access.Token
	for i, field := range strings.Fields(text) {
		t, err := access.Parse(field)
		if err != nil {
			return &tokenError{i + 1, err}
		}
		tokens = append(tokens, t)
	}
	*p = tokens
	return nil
}

func formatCompactTokens(tokens []access.Token) string {
	items := make([]string, len(tokens))
	for i := range tokens {
		items[i] = tokens[i].Compact()
	}
	return strings.Join(items, " ")
}

// formatTokens writes the value of the key tokens, one line for each. It has no
// secrets to give away.
func formatTokens(tokens []access.Token) string {
	if len(tokens) == 0 {
		return "[]"
	}
	var b strings.Builder
	b.WriteString("[\n")
	for _, t := range tokens {
		fields := tokenFields(&t)
		pairs := make([]string, len(fields))
		for i, f := range fields {
			pairs[i] = f[0] + " = " + f[1]
		}
		fmt.Fprintf(&b, "  { %s },\n", strings.Join(pairs, ", "))
	}
	b.WriteString("]")
	return b.String()
}

// TokenTable returns a token as a table of the configuration file.
func TokenTable(t access.Token) string {
	var b strings.Builder
	b.WriteString("[[tokens]]\n")
	for _, f := range tokenFields(&t) {
		fmt.Fprintf(&b, "%s = %s\n", f[0], f[1])
	}
	return b.String()
}

func tokenFields(t *access.Token) [][2]string {
	fields := [][2]string{{"name", quoteTOML(t.Name)}, {"access", quoteTOML(t.Level.String())}}
	if len(t.Paths) > 0 {
		fields = append(fields, [2]string{"paths", formatTOMLList(t.Paths)})
	}
	return append(fields, [2]string{"sha256", quoteTOML(t.Hash.String())})
}

// ListenHost tells how requests may name the data listener when it is bound
// beyond loopback: by the host it is bound to, or, bound to every interface, by
// any address. Addresses are safe: DNS rebinding needs a name.
func (c *Config) ListenHost() (host string, anyAddress bool) {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil || isLocal(host) {
		return "", false
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		return "", true
	}
	return host, false
}
