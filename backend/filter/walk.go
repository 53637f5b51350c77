package filter

import (
	"bytes"
	"encoding/json"
)

// find calls fn with the values at a path until it answers true, and reports
// whether it did. A key that is written twice counts as often; indexes count from
// 0. Text that is no JSON may give anything, but never more than it holds.
func find(doc []byte, path []step, fn func(value []byte) bool) bool {
	i := skipSpace(doc, 0)
	if i >= len(doc) {
		return false
	}
	if len(path) == 0 {
		end := skipValue(doc, i)
		return end > i && fn(doc[i:end]) // text that is no JSON may hold no value
	}
	s, rest := path[0], path[1:]
	switch doc[i] {
	case '{':
		return findMember(doc, i, s, rest, fn)
	case '[':
		return findElement(doc, i, s, rest, fn)
	default:
		return false
	}
}

func findMember(doc []byte, i int, s step, rest []step, fn func([]byte) bool) bool {
	if !s.isKey && !s.all {
		return false
	}
	for i = skipSpace(doc, i+1); i < len(doc) && doc[i] == '"'; i = next(doc, i) {
		end := skipString(doc, i)
		wanted := s.all || isKey(doc[i:end], s.key)
		if i = skipSpace(doc, end); i >= len(doc) || doc[i] != ':' {
			return false
		}
		i = skipSpace(doc, i+1)
		end = skipValue(doc, i)
		if end == i {
			return false
		}
		if wanted && find(doc[i:end], rest, fn) {
			return true
		}
		i = end
	}
	return false
}

func findElement(doc []byte, i int, s step, rest []step, fn func([]byte) bool) bool {
	if s.isKey {
		return false
	}
	n := 0
	for i = skipSpace(doc, i+1); i < len(doc) && doc[i] != ']'; i = next(doc, i) {
		end := skipValue(doc, i)
		if end == i {
			return false
		}
		if s.all || n == s.index {
			if find(doc[i:end], rest, fn) {
				return true
			}
			if !s.all {
				return false
			}
		}
		n++
		i = end
	}
	return false
}

// next goes over the comma behind a member or an element.
func next(doc []byte, i int) int {
	if i = skipSpace(doc, i); i < len(doc) && doc[i] == ',' {
		return skipSpace(doc, i+1)
	}
	return len(doc)
}

func isKey(quoted []byte, key string) bool {
	if len(quoted) >= 2 && bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1:len(quoted)-1]) == key
	}
	text, ok := unquote(quoted)
	return ok && text == key
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// skipString returns where the string at b[i] ends.
func skipString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

// skipValue returns where the value at b[i] ends; i when there is none. It does
// not recurse: nesting costs no stack.
func skipValue(b []byte, i int) int {
	if i >= len(b) {
		return i
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		depth := 0
		for ; i < len(b); i++ {
			switch b[i] {
			case '"':
				i = skipString(b, i) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
		return len(b)
	}
	for i < len(b) && bytes.IndexByte([]byte(",:{}[]\" \n\r\t"), b[i]) < 0 {
		i++
	}
	return i
}

// unquote decodes a JSON string.
func unquote(quoted []byte) (text string, ok bool) {
	if len(quoted) < 2 || quoted[0] != '"' {
		return "", false
	}
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1]), quoted[len(quoted)-1] == '"'
	}
	return text, json.Unmarshal(quoted, &text) == nil
}
