package protocol

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// ParsePath decodes the escaped part of a URL behind Root into a stream path:
// percent-decoded once, valid UTF-8, no control characters, no empty, "." or
// ".." segment, at most l.PathBytes long. Errors are *BadRequestError or
// *LimitError.
func ParsePath(escaped string, l Limits) (string, error) {
	p, err := url.PathUnescape(escaped)
	if err != nil {
		return "", &BadRequestError{Field: "path", Reason: "not valid percent-encoding"}
	}
	return p, CheckPath(p, l)
}

// CheckPath applies the rules of ParsePath to a decoded path.
func CheckPath(p string, l Limits) error {
	if len(p) > l.PathBytes {
		return &LimitError{Limit: "max_path_bytes", Max: int64(l.PathBytes), Status: 414}
	}
	if p == "" {
		return &BadRequestError{Field: "path", Reason: "a stream path is missing behind " + Root}
	}
	if !utf8.ValidString(p) {
		return &BadRequestError{Field: "path", Reason: "not valid UTF-8"}
	}
	for _, r := range p {
		if r < 0x20 || (r >= 0x7f && r <= 0x9f) {
			return &BadRequestError{Field: "path", Reason: "control characters are not allowed"}
		}
	}
	for seg := range strings.SplitSeq(p, "/") {
		switch seg {
		case "":
			return &BadRequestError{Field: "path", Reason: "empty segments are not allowed (a double, leading or trailing slash)"}
		case ".", "..":
			return &BadRequestError{Field: "path", Reason: `the segments "." and ".." are not allowed`}
		}
	}
	return nil
}

// IsControlPath reports whether a path belongs to the reserved subscription
// APIs (PROTOCOL §6).
func IsControlPath(p string) bool {
	return p == ControlPrefix || strings.HasPrefix(p, ControlPrefix+"/")
}

// MatchGlob reports whether a path matches a glob: * stands for one segment or
// a part of one, ** for any number of segments (PROTOCOL §6.2).
func MatchGlob(glob, path string) bool {
	return matchSegments(strings.Split(glob, "/"), strings.Split(path, "/"))
}

// matchSegments walks both lists once and, on a mismatch, goes back only to the
// latest ** seen: that one can take over whatever an earlier one could.
func matchSegments(glob, path []string) bool {
	g, p := 0, 0
	star, resume := -1, 0
	for p < len(path) {
		switch {
		case g < len(glob) && glob[g] == "**":
			star, resume = g, p
			g++
		case g < len(glob) && matchSegment(glob[g], path[p]):
			g++
			p++
		case star >= 0:
			resume++
			g, p = star+1, resume
		default:
			return false
		}
	}
	for g < len(glob) && glob[g] == "**" {
		g++
	}
	return g == len(glob)
}

// matchSegment matches one segment against a pattern in which * stands for any
// characters.
func matchSegment(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return strings.HasSuffix(s, last)
}
