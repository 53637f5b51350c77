package mirror

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
)

// credentials are the headers that a remote wants to see. They are read when they
// are needed, so that a new token counts at once, and never stored or shown.
type credentials struct {
	token string // a bearer token that was given for as long as the program runs
	env   string // variable with one
	file  string // file with headers
	get   func(string) string
}

// errNoToken: the variable is not set.
type errNoToken struct{ env string }

func (e *errNoToken) Error() string {
	return "the variable " + e.env + ", which holds the token of the remote, is not set here"
}

// read returns the headers.
func (c *credentials) read() (http.Header, error) {
	h := http.Header{}
	if c.file != "" {
		text, err := os.ReadFile(c.file)
		if err != nil {
			return nil, fmt.Errorf("read the header file: %w", err)
		}
		for n, line := range strings.Split(string(text), "\n") {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			name, value, ok := strings.Cut(line, ":")
			if value = strings.TrimSpace(value); !ok || !isFree(name) || !isValue(value) {
				return nil, fmt.Errorf("line %d of the header file %s is not a header such as Authorization: Bearer …", n+1, c.file)
			}
			h.Add(name, value)
		}
	}
	token := c.token
	if token == "" && c.env != "" {
		if token = c.get(c.env); token == "" {
			return nil, &errNoToken{c.env}
		}
	}
	if token != "" {
		if !isValue(token) {
			return nil, errors.New("the token of the remote holds characters that no header may have")
		}
		h.Set("Authorization", "Bearer "+token)
	}
	return h, nil
}

// isFree reports whether a header is one that the protocol leaves to others.
func isFree(name string) bool {
	lower := strings.ToLower(name)
	for _, taken := range []string{"host", "content-", "stream-", "producer-", "connection", "transfer-encoding"} {
		if strings.HasPrefix(lower, taken) {
			return false
		}
	}
	return name != "" && strings.Trim(lower, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// isValue reports whether a header may have a value.
func isValue(v string) bool {
	return v != "" && !strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f })
}

func (c *credentials) add(to http.Header) error {
	h, err := c.read()
	if err != nil {
		return err
	}
	for name, values := range h {
		to[name] = values
	}
	return nil
}

// redact takes the values out of a text.
func (c *credentials) redact(text string) string {
	h, err := c.read()
	if err != nil {
		return ""
	}
	for _, values := range h {
		for _, v := range values {
			for _, part := range append(strings.Fields(v), v) {
				if len(part) >= 6 && part != "Bearer" && part != "Basic" {
					text = strings.ReplaceAll(text, part, "…")
				}
			}
		}
	}
	return text
}
