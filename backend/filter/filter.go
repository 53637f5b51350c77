package filter

import (
	"bytes"
	"fmt"
	"regexp"
)

// The ways to filter.
const (
	Text  = "text"  // a substring, byte by byte
	Regex = "regex" // a regular expression (RE2)
	Path  = "path"  // path op value over JSON
)

// maxPattern bounds what a filter may be made from.
const maxPattern = 4096

// Filter says whether it wants a message.
type Filter struct {
	matches func(message []byte) bool
}

// Matches reports whether the filter wants a message.
func (f *Filter) Matches(message []byte) bool { return f.matches(message) }

// SyntaxError says what is wrong with a pattern, in words.
type SyntaxError struct{ Reason string }

func (e *SyntaxError) Error() string { return e.Reason }

func wrong(format string, args ...any) error { return &SyntaxError{fmt.Sprintf(format, args...)} }

// Parse makes a filter of one of the ways above.
func Parse(way, pattern string) (*Filter, error) {
	switch {
	case pattern == "":
		return nil, wrong("the filter is empty")
	case len(pattern) > maxPattern:
		return nil, wrong("the filter is longer than %d bytes", maxPattern)
	}
	switch way {
	case Text:
		want := []byte(pattern)
		return &Filter{func(m []byte) bool { return bytes.Contains(m, want) }}, nil
	case Regex:
		re, err := regexp.Compile(pattern)
		if err != nil {
			return nil, wrong("not a regular expression: %v", err)
		}
		return &Filter{re.Match}, nil
	case Path:
		c, err := parseCondition(pattern)
		if err != nil {
			return nil, err
		}
		return &Filter{c.matches}, nil
	default:
		return nil, wrong("there is no way to filter by %q; use text, regex or path", way)
	}
}
