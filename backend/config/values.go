package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"tailrace/backend/access"
)

// errKind says that a value is of a kind the setting does not take; the caller
// adds which one was expected.
var errKind = errors.New("wrong kind of value")

// expectation says in words what the field behind p takes.
func expectation(p any) string {
	switch p.(type) {
	case *string:
		return "a text"
	case *[]string:
		return "a list of texts"
	case *time.Duration:
		return "a duration such as 20s or 1m30s"
	case *int64:
		return "a size such as 64MiB, or a number of bytes"
	case *int:
		return "a whole number"
	case *bool:
		return "true or false"
	case *[]access.Token:
		return "tokens: [[tokens]] tables in a file, name:access:paths:secret separated by spaces elsewhere"
	default:
		panic(fmt.Sprintf("config: no rule for a field of type %T", p))
	}
}

// setTOML stores a value decoded from TOML in the field behind p.
func setTOML(p, v any) error {
	switch p := p.(type) {
	case *string:
		s, ok := v.(string)
		if !ok {
			return errKind
		}
		*p = s
		return nil
	case *[]string:
		items, ok := v.([]any)
		if !ok {
			return errKind
		}
		list := make([]string, len(items))
		for i, item := range items {
			if list[i], ok = item.(string); !ok {
				return errKind
			}
		}
		*p = list
		return nil
	case *time.Duration:
		s, ok := v.(string)
		if !ok {
			return errKind
		}
		return setText(p, s)
	case *int64:
		if n, ok := v.(int64); ok {
			*p = n
			return nil
		}
		s, ok := v.(string)
		if !ok {
			return errKind
		}
		return setText(p, s)
	case *int:
		n, ok := v.(int64)
		if !ok || n != int64(int(n)) {
			return errKind
		}
		*p = int(n)
		return nil
	case *bool:
		b, ok := v.(bool)
		if !ok {
			return errKind
		}
		*p = b
		return nil
	case *[]access.Token:
		return setTokens(p, v)
	default:
		return errKind
	}
}

// setText stores the value of a flag or environment variable in the field
// behind p. Lists are separated by commas, tokens by spaces; an empty text is the
// empty list.
func setText(p any, s string) (err error) {
	switch p := p.(type) {
	case *string:
		*p = s
	case *[]string:
		*p = nil
		for item := range strings.SplitSeq(s, ",") {
			if item = strings.TrimSpace(item); item != "" {
				*p = append(*p, item)
			}
		}
	case *time.Duration:
		*p, err = time.ParseDuration(s)
	case *int64:
		*p, err = ParseSize(s)
	case *int:
		*p, err = strconv.Atoi(s)
	case *bool:
		switch s {
		case "true":
			*p = true
		case "false":
			*p = false
		default:
			return errKind
		}
	case *[]access.Token:
		return setCompactTokens(p, s)
	default:
		return errKind
	}
	return err
}

func formatText(p any) string {
	switch p := p.(type) {
	case *string:
		return *p
	case *[]string:
		return strings.Join(*p, ",")
	case *time.Duration:
		return formatDuration(*p)
	case *int64:
		return formatSize(*p)
	case *int:
		return strconv.Itoa(*p)
	case *bool:
		return strconv.FormatBool(*p)
	case *[]access.Token:
		return formatCompactTokens(*p)
	default:
		return fmt.Sprint(p)
	}
}

func formatTOML(p any) string {
	switch p := p.(type) {
	case *[]string:
		return formatTOMLList(*p)
	case *int:
		return strconv.Itoa(*p)
	case *bool:
		return strconv.FormatBool(*p)
	case *[]access.Token:
		return formatTokens(*p)
	default:
		return quoteTOML(formatText(p))
	}
}

func formatTOMLList(list []string) string {
	items := make([]string, len(list))
	for i, item := range list {
		items[i] = quoteTOML(item)
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// quoteTOML writes a TOML string: literal when it can be, so that Windows paths
// stay readable, else basic with the escapes TOML knows.
func quoteTOML(s string) string {
	control := strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
	if strings.Contains(s, `\`) && !strings.Contains(s, "'") && !control {
		return "'" + s + "'"
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// formatDuration drops the zero parts that time.Duration prints: 1m0s is 1m.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// unit is a suffix of a size and what it multiplies by.
type unit struct {
	name string
	size int64
}

// units lists the suffixes; those that end another one come after it.
func units() []unit {
	return []unit{
		{"TiB", 1 << 40},
		{"GiB", 1 << 30},
		{"MiB", 1 << 20},
		{"KiB", 1 << 10},
		{"TB", 1e12},
		{"GB", 1e9},
		{"MB", 1e6},
		{"KB", 1e3},
		{"B", 1},
	}
}

// ParseSize reads "64MiB", "1.5 GB", "4096B" or "4096". Units are the binary
// KiB, MiB, GiB, TiB and the decimal KB, MB, GB, TB, in any case. The result is
// a whole, non-negative number of bytes.
func ParseSize(s string) (int64, error) {
	number := strings.TrimSpace(s)
	size := int64(1)
	for _, u := range units() {
		if n := len(number) - len(u.name); n >= 0 && strings.EqualFold(number[n:], u.name) {
			number, size = strings.TrimSpace(number[:n]), u.size
			break
		}
	}
	if strings.Trim(number, "0123456789.") != "" {
		return 0, fmt.Errorf("size %q: expected digits and a unit", s)
	}
	if n, err := strconv.ParseInt(number, 10, 64); err == nil {
		if n > math.MaxInt64/size {
			return 0, fmt.Errorf("size %q: too large", s)
		}
		return n * size, nil
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, fmt.Errorf("size %q: expected digits and a unit", s)
	}
	bytes := f * float64(size)
	if bytes >= 1<<53 {
		return 0, fmt.Errorf("size %q: too large", s)
	}
	if bytes != math.Trunc(bytes) {
		return 0, fmt.Errorf("size %q: not a whole number of bytes", s)
	}
	return int64(bytes), nil
}

// formatSize writes n exactly, in the unit that needs the smallest number.
func formatSize(n int64) string {
	best := unit{"B", 1}
	for _, u := range units() {
		if n != 0 && n%u.size == 0 && u.size > best.size {
			best = u
		}
	}
	return strconv.FormatInt(n/best.size, 10) + best.name
}
