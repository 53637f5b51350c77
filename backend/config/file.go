package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"tailrace/backend/access"
)

// applyFile reads TOML. Keys the program does not know are errors: a misspelt
// limit must not silently be no limit.
func (l *Loaded) applyFile(path string, data []byte) error {
	// Editors of some systems begin a file with a byte order mark, which TOML lacks.
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	var values map[string]any
	if err := toml.Unmarshal(data, &values); err != nil {
		var bad *toml.DecodeError
		if errors.As(err, &bad) {
			line, column := bad.Position()
			return fmt.Errorf("%s:%d:%d: %s", path, line, column, strings.TrimPrefix(bad.Error(), "toml: "))
		}
		return fmt.Errorf("%s: %w", path, err)
	}

	var errs []error
	for _, at := range keyLines(data) {
		i := slices.IndexFunc(Keys(), func(k Key) bool { return k.Name == at.key })
		if i < 0 {
			errs = append(errs, fmt.Errorf("%s:%d: unknown key %q (known: %s)", path, at.line, at.key, keyNames()))
			continue
		}
		k, from := Keys()[i], fmt.Sprintf("%s:%d", path, at.line)
		if err := setTOML(k.field(&l.Config), values[at.key]); err != nil {
			errs = append(errs, refusal(k, err, values[at.key], from))
			continue
		}
		l.From[k.Name] = from
	}
	return errors.Join(errs...)
}

// keyLine is a top-level key of a TOML document and where it stands.
type keyLine struct {
	key  string
	line int
}

// keyLines lists the top-level keys and tables of a document that is known to be
// valid TOML; the decoder itself keeps no positions.
func keyLines(data []byte) []keyLine {
	var lines []keyLine
	var p unstable.Parser
	p.Reset(data)
	inTable := false
	for p.NextExpression() {
		node := p.Expression()
		switch node.Kind {
		case unstable.Table, unstable.ArrayTable:
			inTable = true
		case unstable.KeyValue:
			if inTable {
				continue // part of the table, which is reported as a whole
			}
		default:
			continue
		}
		it := node.Key()
		it.Next()
		first := it.Node()
		key := string(first.Data)
		if slices.ContainsFunc(lines, func(l keyLine) bool { return l.key == key }) {
			continue
		}
		lines = append(lines, keyLine{key: key, line: p.Shape(first.Raw).Start.Line})
	}
	return lines
}

func keyNames() string {
	var names []string
	for _, k := range Keys() {
		names = append(names, k.Name)
	}
	return strings.Join(names, ", ")
}

// AddToken appends a token to the configuration file, which it creates from the
// template when it is missing. What stands in the file stays as it is.
func AddToken(path string, t access.Token) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // the file, not the link to it, is replaced
	}
	old, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fmt.Errorf("create configuration folder: %w", err)
		}
		old = Template()
	} else if err != nil {
		return fmt.Errorf("read configuration file: %w", err)
	}
	before := Loaded{From: map[string]string{}}
	if err := before.applyFile(path, old); err != nil {
		return err
	}
	text := strings.TrimRight(string(old), "\n")
	if text != "" {
		text += "\n\n"
	}
	text += TokenTable(t)
	after := Loaded{From: map[string]string{}}
	if err := after.applyFile(path, []byte(text)); err != nil {
		return fmt.Errorf("%s lists its tokens as tokens = […]; add this one there, or write all as [[tokens]] tables", path)
	}
	if err := access.CheckAll(after.Config.Tokens); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return replaceFile(path, []byte(text))
}

// WithoutSecrets returns a configuration file with the hashes of its tokens in place
// of the tokens themselves. Both let the same programs in.
func WithoutSecrets(text []byte) ([]byte, error) {
	secrets, err := plainTokens(text)
	if err != nil {
		return nil, err
	}
	out := string(text)
	for _, secret := range secrets {
		plain := regexp.MustCompile(`["']?\btoken["']?\s*=\s*["']` + regexp.QuoteMeta(secret) + `["']`)
		out = plain.ReplaceAllString(out, `sha256 = "`+access.HashOf(secret).String()+`"`)
	}
	left, err := plainTokens([]byte(out))
	if err != nil || len(left) > 0 || slices.ContainsFunc(secrets, func(s string) bool { return strings.Contains(out, s) }) {
		return nil, errors.New("a token of the configuration file is written in a way that cannot be replaced with its hash")
	}
	return []byte(out), nil
}

// plainTokens are the secrets that stand in a configuration file.
func plainTokens(text []byte) (secrets []string, _ error) {
	var values struct {
		Tokens []struct {
			Token string `toml:"token"`
		} `toml:"tokens"`
	}
	if toml.Unmarshal(bytes.TrimPrefix(text, []byte("\ufeff")), &values) != nil {
		return nil, errors.New("the configuration file is no TOML") // its own error would repeat the text
	}
	for _, t := range values.Tokens {
		if t.Token != "" {
			secrets = append(secrets, t.Token)
		}
	}
	return secrets, nil
}

// replaceFile writes a file that appears whole and keeps its permissions.
func replaceFile(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // 0600
	if err != nil {
		return fmt.Errorf("write configuration file: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write configuration file: %w", err), os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data)
	if info, statErr := os.Stat(path); err == nil && statErr == nil {
		err = f.Chmod(info.Mode().Perm())
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Template returns a configuration file with every key, its meaning and its
// default, all commented out.
func Template() []byte {
	var b strings.Builder
	b.WriteString("# Tailrace configuration.\n" +
		"#\n" +
		"# Every key stands here with its default, commented out: remove the # to change one.\n" +
		"# A command-line flag or an environment variable wins over this file;\n" +
		"# `tailrace config show` prints what is in force and where each value came from.\n")
	group := ""
	c := Default()
	for _, k := range Keys() {
		if k.Group != group {
			group = k.Group
			fmt.Fprintf(&b, "\n# ---- %s ----\n", group)
		}
		fmt.Fprintf(&b, "\n# %s.\n# %s, %s\n# %s = %s\n", k.Help, k.Flag(), k.Env(), k.Name, k.Value(c))
	}
	return []byte(b.String())
}

// WriteTemplate writes Template to path, and creates the folder it stands in. An
// existing file is kept, and is an error, unless overwrite is set.
func WriteTemplate(path string, overwrite bool) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("create configuration folder: %w", err)
	}
	mode := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if overwrite {
		mode = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(path, mode, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already; --force overwrites it", path)
	}
	if err != nil {
		return fmt.Errorf("write configuration file: %w", err)
	}
	if _, err := f.Write(Template()); err != nil {
		return errors.Join(fmt.Errorf("write configuration file: %w", err), f.Close())
	}
	return f.Close()
}
