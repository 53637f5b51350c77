package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Edit changes settings in the text of a configuration file and leaves the rest
// as it is, comments above all. A change is a value as a flag would spell it;
// nil takes the setting out, so that its default holds again.
func Edit(text []byte, changes map[string]*string) ([]byte, error) {
	for _, k := range Keys() { // in the order of the file
		value, ok := changes[k.Name]
		if !ok {
			continue
		}
		var line string
		if value != nil {
			var c Config
			if err := setText(k.field(&c), *value); err != nil {
				return nil, refusal(k, err, *value, "the change")
			}
			line = k.Name + " = " + k.Value(c)
		}
		text = setLine(text, k.Name, line)
	}
	for name := range changes {
		if !slices.ContainsFunc(Keys(), func(k Key) bool { return k.Name == name }) {
			return nil, fmt.Errorf("unknown key %q (known: %s)", name, keyNames())
		}
	}
	return text, nil
}

// setLine puts "key = value" where the key stands, where the template has it as a
// comment, or before the first table; an empty line comments the key out.
func setLine(text []byte, key, line string) []byte {
	lines := strings.SplitAfter(string(text), "\n")
	if i := slices.IndexFunc(keyLines(text), func(l keyLine) bool { return l.key == key }); i >= 0 {
		at := keyLines(text)[i].line - 1
		end := statementEnd(lines, at)
		if line == "" {
			for j := at; j < end; j++ {
				lines[j] = "# " + lines[j]
			}
			return []byte(strings.Join(lines, ""))
		}
		comment := trailingComment(lines[end-1])
		return []byte(strings.Join(slices.Replace(lines, at, end, line+comment+"\n"), ""))
	}
	if line == "" {
		return text
	}
	tables := len(lines)
	for i, l := range lines {
		switch l = strings.TrimSpace(l); {
		case strings.HasPrefix(l, "["):
			tables = min(tables, i)
		case i < tables && strings.HasPrefix(l, "# "+key+" = "):
			return []byte(strings.Join(slices.Replace(lines, i, i+1, line+"\n"), ""))
		}
	}
	before := strings.Join(lines[:tables], "")
	if before != "" && !strings.HasSuffix(before, "\n") {
		before += "\n"
	}
	return []byte(before + line + "\n" + strings.Join(lines[tables:], ""))
}

// statementEnd is the line behind the statement that begins at a line: a list may
// take several.
func statementEnd(lines []string, at int) int {
	for end := at + 1; end < len(lines); end++ {
		if isTOML(strings.Join(lines[at:end], "")) {
			return end
		}
	}
	return len(lines)
}

func isTOML(text string) bool {
	var v map[string]any
	return toml.Unmarshal([]byte(text), &v) == nil
}

// trailingComment is the comment at the end of a line, with the space before it.
func trailingComment(line string) string {
	line = strings.TrimRight(line, "\r\n")
	for i := range len(line) {
		if line[i] == '#' && (isTOML(line[:i]) || isTOML("x = ["+line[:i])) {
			return line[len(strings.TrimRight(line[:i], " \t")):]
		}
	}
	return ""
}

// Write replaces the configuration file, which appears whole and keeps its
// permissions. Its folder is made if need be.
func Write(path string, text []byte) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // the file, not the link to it, is replaced
	}
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("create configuration folder: %w", err)
	}
	return replaceFile(path, text)
}
