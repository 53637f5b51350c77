package config

import (
	"fmt"
	"path/filepath"
	"strings"

	"tailrace/backend/snapshot/bucket"
)

// SnapshotTargets are the targets by name.
func (c *Config) SnapshotTargets() (map[string]bucket.Target, error) {
	targets := make(map[string]bucket.Target, len(c.Targets))
	for _, item := range c.Targets {
		name, place, ok := strings.Cut(item, "=")
		if !ok || name == "" || strings.ContainsAny(name, "/: ") || targets[name] != (bucket.Target{}) {
			return nil, wrong("targets", item, "NAME=PLACE, with a name of its own without /, : and spaces")
		}
		t, err := bucket.ParseTarget(place)
		if err != nil {
			return nil, wrong("targets", item, "NAME=PLACE (%v)", err)
		}
		if !bucket.IsS3(place) && !filepath.IsAbs(place) {
			return nil, wrong("targets", item, "an absolute folder or s3://bucket/prefix behind the name")
		}
		targets[name] = t
	}
	return targets, nil
}

// OnClose are the globs of streams and the targets of their snapshots.
func (c *Config) OnClose() (rules [][2]string) {
	for _, item := range c.SnapshotOnClose {
		if i := strings.LastIndex(item, "="); i > 0 {
			rules = append(rules, [2]string{item[:i], item[i+1:]})
		}
	}
	return rules
}

func checkTargets(c Config) error {
	_, err := c.SnapshotTargets()
	return err
}

func checkOnClose(c Config) error {
	targets, err := c.SnapshotTargets()
	if err != nil {
		return nil // it is reported under its own key
	}
	for i, item := range c.SnapshotOnClose {
		rules := c.OnClose()
		if len(rules) != len(c.SnapshotOnClose) {
			return wrong("snapshot_on_close", item, "GLOB=TARGET, such as orders/**=backups")
		}
		if name := rules[i][1]; targets[name] == (bucket.Target{}) {
			return wrong("snapshot_on_close", item, "%s", fmt.Sprintf("a target of the key targets behind the =, but there is no %q", name))
		}
	}
	return nil
}
