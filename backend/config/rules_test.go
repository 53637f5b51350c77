package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRules(t *testing.T) {
	c := Config{
		Targets:       []string{"here=" + t.TempDir()},
		Compact:       []string{"logs/**=here", "a=b=here?older=7d&larger=2MB"},
		SnapshotEvery: []string{"orders/**=here?every=1h30m&bytes=64MiB"},
		SnapshotKeep:  []string{"orders/**?last=10&days=30", "**?last=3&target=here"},
	}
	for name, tt := range map[string]struct {
		read func() ([]Rule, error)
		want []Rule
	}{
		"compact": {c.CompactRules, []Rule{
			{Glob: "logs/**", Target: "here", Older: 24 * time.Hour, Larger: 1 << 20},
			{Glob: "a=b", Target: "here", Older: 7 * 24 * time.Hour, Larger: 2_000_000},
		}},
		"schedule": {c.ScheduleRules, []Rule{{Glob: "orders/**", Target: "here", Every: 90 * time.Minute, Bytes: 64 << 20}}},
		"keep": {c.KeepRules, []Rule{
			{Glob: "orders/**", KeepLast: 10, KeepFor: 30 * 24 * time.Hour},
			{Glob: "**", KeepLast: 3, Target: "here"},
		}},
	} {
		got, err := tt.read()
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestWrongRules(t *testing.T) {
	for name, tt := range map[string]struct {
		config Config
		says   string
	}{
		"no target":              {Config{Compact: []string{"logs/**"}}, "no =TARGET"},
		"unknown target":         {Config{Compact: []string{"logs/**=nowhere"}}, `no "nowhere"`},
		"unknown setting":        {Config{Compact: []string{"logs/**=here?every=1h"}}, "known are older, larger"},
		"no age":                 {Config{Compact: []string{"logs/**=here?older=long"}}, `older is "long"`},
		"neither time nor bytes": {Config{SnapshotEvery: []string{"logs/**=here"}}, "it needs every"},
		"too often":              {Config{SnapshotEvery: []string{"logs/**=here?every=1s"}}, "it needs every"},
		"nothing kept":           {Config{SnapshotKeep: []string{"logs/**?days=3"}}, "last must be 1 or more"},
		"negative":               {Config{SnapshotKeep: []string{"logs/**?last=1&days=-3"}}, "negative"},
		"kept nowhere":           {Config{SnapshotKeep: []string{"logs/**?last=1&target=x"}}, `no "x"`},
	} {
		t.Run(name, func(t *testing.T) {
			c := tt.config
			c.Targets = []string{"here=" + t.TempDir()}
			var err error
			for _, read := range []func() ([]Rule, error){c.CompactRules, c.ScheduleRules, c.KeepRules} {
				if _, failed := read(); failed != nil {
					err = failed
				}
			}
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want an error with %q", err, tt.says)
			}
		})
	}
}
