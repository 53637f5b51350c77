package config

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tailrace/backend/snapshot/bucket"
)

// Rule says what is done with the streams that a glob matches, as
// GLOB=TARGET?setting=value&setting=value.
type Rule struct {
	Glob     string
	Target   string        // place of snapshots
	Older    time.Duration // only what was written so long ago
	Larger   int64         // only where so much is freed
	Every    time.Duration // how often
	Bytes    int64         // or after so much that is new
	KeepLast int           // newest snapshots of a stream that stay
	KeepFor  time.Duration // younger ones stay as well; 0: no matter
}

// ruleSettings reads the settings of rules, by name.
var ruleSettings = map[string]func(*Rule, string) error{
	"target": func(r *Rule, v string) error { r.Target = v; return nil },
	"older":  func(r *Rule, v string) (err error) { r.Older, err = ParseAge(v); return err },
	"larger": func(r *Rule, v string) (err error) { r.Larger, err = ParseSize(v); return err },
	"every":  func(r *Rule, v string) (err error) { r.Every, err = ParseAge(v); return err },
	"bytes":  func(r *Rule, v string) (err error) { r.Bytes, err = ParseSize(v); return err },
	"last":   func(r *Rule, v string) (err error) { r.KeepLast, err = strconv.Atoi(v); return err },
	"days": func(r *Rule, v string) error {
		n, err := strconv.Atoi(v)
		r.KeepFor = time.Duration(n) * 24 * time.Hour
		return err
	},
}

// ParseAge reads a duration, in days as well: 7d.
func ParseAge(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(s)
}

// parseRule reads a rule on top of its defaults. Without a target it begins with
// the glob alone.
func parseRule(item string, r Rule, withTarget bool, known ...string) (Rule, error) {
	head, query, _ := strings.Cut(item, "?")
	if r.Glob = head; withTarget {
		i := strings.LastIndex(head, "=")
		if i <= 0 {
			return r, fmt.Errorf("it has no =TARGET")
		}
		r.Glob, r.Target = head[:i], head[i+1:]
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return r, err
	}
	for name := range values {
		if !slices.Contains(known, name) {
			return r, fmt.Errorf("unknown setting %q, known are %s", name, strings.Join(known, ", "))
		}
		if err := ruleSettings[name](&r, values.Get(name)); err != nil {
			return r, fmt.Errorf("%s is %q", name, values.Get(name))
		}
	}
	if r.Glob == "" || r.Older < 0 || r.Larger < 0 || r.Every < 0 || r.Bytes < 0 || r.KeepLast < 0 || r.KeepFor < 0 {
		return r, fmt.Errorf("nothing in it may be empty or negative")
	}
	return r, nil
}

// CompactRules say which streams are compacted by themselves.
func (c *Config) CompactRules() ([]Rule, error) {
	return rules(c, "compact", c.Compact, "GLOB=TARGET?older=7d&larger=1MiB", func(item string) (Rule, error) {
		return parseRule(item, Rule{Older: 24 * time.Hour, Larger: 1 << 20}, true, "older", "larger")
	})
}

// ScheduleRules say of which open streams snapshots are taken by themselves.
func (c *Config) ScheduleRules() ([]Rule, error) {
	return rules(c, "snapshot_every", c.SnapshotEvery, "GLOB=TARGET?every=1h&bytes=64MiB", func(item string) (Rule, error) {
		r, err := parseRule(item, Rule{}, true, "every", "bytes")
		if err == nil && r.Every < time.Minute && r.Bytes < 1<<20 {
			err = fmt.Errorf("it needs every, from 1m on, or bytes, from 1MiB on")
		}
		return r, err
	})
}

// KeepRules say which recorded snapshots stay; the first that matches counts.
func (c *Config) KeepRules() ([]Rule, error) {
	return rules(c, "snapshot_keep", c.SnapshotKeep, "GLOB?last=3&days=30&target=NAME", func(item string) (Rule, error) {
		r, err := parseRule(item, Rule{}, false, "last", "days", "target")
		if err == nil && r.KeepLast < 1 {
			err = fmt.Errorf("last must be 1 or more")
		}
		return r, err
	})
}

// rules reads the rules of one key and looks whether their targets are there.
func rules(c *Config, key string, items []string, want string, parse func(string) (Rule, error)) (out []Rule, _ error) {
	targets, err := c.SnapshotTargets()
	if err != nil {
		return nil, nil // it is reported under its own key
	}
	for _, item := range items {
		r, err := parse(item)
		if err != nil {
			return nil, wrong(key, item, "%s (%v)", want, err)
		}
		if r.Target != "" && targets[r.Target] == (bucket.Target{}) {
			return nil, wrong(key, item, "a target of the key targets, but there is no %q", r.Target)
		}
		out = append(out, r)
	}
	return out, nil
}
