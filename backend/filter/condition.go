package filter

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
)

// condition is a path, an operator and what to compare with:
//
//	$.kind != "delta"
//	user.tags[*] = admin
//	$["odd key"][0] >= 9007199254740993
//	error                         (is there such a value?)
//
// Operators are = != < <= > >=, *= (contains the text) and ~ (matches the regular
// expression). A value is a JSON string, number, true, false or null; anything
// else is taken as a string as it stands.
type condition struct {
	path []step
	op   string
	want []byte         // a JSON value
	text string         // want as a string, where it is one
	re   *regexp.Regexp // of ~
}

// step goes from a value to one or all of those inside it.
type step struct {
	key   string
	index int  // of an array, where isKey is false
	isKey bool // an object's member
	all   bool // every member or element
}

// operators, longer ones before those that they begin with.
var operators = []string{"==", "!=", "<=", ">=", "*=", "=", "<", ">", "~"}

func parseCondition(s string) (*condition, error) {
	p := pathParser{s: strings.TrimSpace(s)}
	c := &condition{}
	var err error
	if c.path, err = p.path(); err != nil {
		return nil, err
	}
	rest := strings.TrimSpace(p.s[p.i:])
	if rest == "" {
		return c, nil
	}
	for _, op := range operators {
		if after, ok := strings.CutPrefix(rest, op); ok {
			c.op, rest = op, strings.TrimSpace(after)
			break
		}
	}
	switch {
	case c.op == "":
		return nil, wrong("behind the path, at %q, one of = != < <= > >= *= ~ is expected", rest)
	case rest == "":
		return nil, wrong("behind %s a value is missing", c.op)
	case c.op == "==":
		c.op = "="
	}
	return c, c.compareWith(rest)
}

// compareWith sets the value: JSON if it is some, else the text as it stands.
func (c *condition) compareWith(value string) error {
	c.want = []byte(value)
	if !json.Valid(c.want) || value[0] == '{' || value[0] == '[' {
		if value[0] == '"' {
			return wrong("the string %s does not end, or has an escape that JSON does not know", value)
		}
		c.text = value
		c.want = strconv.AppendQuote(nil, value)
	} else if value[0] == '"' {
		c.text, _ = unquote(c.want)
	} else {
		c.text = value
	}
	if c.op != "~" {
		return nil
	}
	var err error
	if c.re, err = regexp.Compile(c.text); err != nil {
		return wrong("not a regular expression: %v", err)
	}
	return nil
}

func (c *condition) matches(message []byte) bool {
	if c.op == "!=" {
		// No value there equals it; that holds where there is none, as long as it is JSON.
		i := skipSpace(message, 0)
		return i < len(message) && (message[i] == '{' || message[i] == '[') && !find(message, c.path, c.equal)
	}
	return find(message, c.path, c.holds)
}

func (c *condition) holds(value []byte) bool {
	switch c.op {
	case "":
		return true
	case "=":
		return c.equal(value)
	case "*=":
		return strings.Contains(plain(value), c.text)
	case "~":
		return c.re.MatchString(plain(value))
	}
	order, comparable := c.compare(value)
	if !comparable {
		return false
	}
	switch c.op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	default:
		return order >= 0
	}
}

func (c *condition) equal(value []byte) bool {
	if order, comparable := c.compare(value); comparable {
		return order == 0
	}
	return bytes.Equal(value, c.want)
}

// compare orders two numbers or two strings; nothing else has an order.
func (c *condition) compare(value []byte) (order int, comparable bool) {
	switch {
	case isNumber(value) && isNumber(c.want):
		return compareNumbers(string(value), string(c.want)), true
	case value[0] == '"' && c.want[0] == '"':
		text, ok := unquote(value)
		return strings.Compare(text, c.text), ok
	default:
		return 0, false
	}
}

// plain is a string's text, or any other value as it was written.
func plain(value []byte) string {
	if text, ok := unquote(value); ok {
		return text
	}
	return string(value)
}

// pathParser reads the path at the beginning of a condition.
type pathParser struct {
	s string
	i int
}

func (p *pathParser) path() ([]step, error) {
	var path []step
	root := strings.HasPrefix(p.s, "$")
	if root {
		p.i = 1
	}
	for first := !root; ; first = false {
		switch c := p.peek(); {
		case c == '.' && !first:
			p.i++
			s, err := p.name()
			if err != nil {
				return nil, err
			}
			path = append(path, s)
		case c == '[':
			s, err := p.bracket()
			if err != nil {
				return nil, err
			}
			path = append(path, s)
		case first:
			s, err := p.name()
			if err != nil {
				return nil, err
			}
			path = append(path, s)
		default:
			return path, nil
		}
	}
}

func (p *pathParser) peek() byte {
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

// name reads a key up to what a path or an operator goes on with.
func (p *pathParser) name() (step, error) {
	n := strings.IndexAny(p.s[p.i:], ".[]=!<>*~ \t\"")
	if n < 0 {
		n = len(p.s) - p.i
	}
	if n == 0 {
		if p.peek() == '*' && !strings.HasPrefix(p.s[p.i:], "*=") {
			p.i++
			return step{all: true}, nil
		}
		return step{}, wrong("at %q a key is expected, as in $.user.name, or [\"a key\"]", p.s[p.i:])
	}
	key := p.s[p.i : p.i+n]
	p.i += n
	return step{key: key, isKey: true}, nil
}

// bracket reads ["key"], [0] or [*].
func (p *pathParser) bracket() (step, error) {
	rest := p.s[p.i+1:]
	if strings.HasPrefix(rest, `"`) {
		end := skipString([]byte(rest), 0)
		key, ok := unquote([]byte(rest[:end]))
		if !ok || end >= len(rest) || rest[end] != ']' {
			return step{}, wrong("the key in brackets at %q does not end", p.s[p.i:])
		}
		p.i += end + 2
		return step{key: key, isKey: true}, nil
	}
	inside, _, ok := strings.Cut(rest, "]")
	if !ok {
		return step{}, wrong("the bracket at %q is not closed", p.s[p.i:])
	}
	p.i += len(inside) + 2
	if inside == "*" {
		return step{all: true}, nil
	}
	index, err := strconv.Atoi(inside)
	if err != nil || index < 0 {
		return step{}, wrong("in brackets an index, * or a key in quotes is expected, not %q", inside)
	}
	return step{index: index}, nil
}
