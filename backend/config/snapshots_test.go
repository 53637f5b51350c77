package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tailrace/backend/snapshot/bucket"
)

func TestSnapshotTargets(t *testing.T) {
	dir := t.TempDir()
	c := Config{
		Targets: []string{
			"here=" + dir,
			"there=s3://bucket/some/prefix?endpoint=http://127.0.0.1:9000&region=eu-west-1&path_style=true&keyring=entry",
		},
		SnapshotOnClose: []string{"orders/**=here", "a=b=there"},
	}
	got, err := c.SnapshotTargets()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bucket.Target{
		"here": {Location: dir},
		"there": {
			Location: "s3://bucket/some/prefix", Endpoint: "http://127.0.0.1:9000", Region: "eu-west-1", PathStyle: true, Keyring: "entry",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][2]string{{"orders/**", "here"}, {"a=b", "there"}}, c.OnClose()); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if err := checkOnClose(c); err != nil {
		t.Error(err)
	}
}

func TestWrongSnapshotSettings(t *testing.T) {
	dir := t.TempDir()
	for name, tt := range map[string]struct {
		config Config
		says   string
	}{
		"no name":          {Config{Targets: []string{dir}}, "NAME=PLACE"},
		"relative folder":  {Config{Targets: []string{"a=b/c"}}, "absolute"},
		"no bucket":        {Config{Targets: []string{"a=s3:///p"}}, "s3://bucket/prefix"},
		"unknown setting":  {Config{Targets: []string{"a=s3://b?secret=x"}}, "known: endpoint"},
		"name given twice": {Config{Targets: []string{"a=" + dir, "a=" + dir}}, "name of its own"},
		"no rule":          {Config{SnapshotOnClose: []string{"orders"}}, "GLOB=TARGET"},
		"unknown target":   {Config{SnapshotOnClose: []string{"orders=nowhere"}}, `no "nowhere"`},
	} {
		t.Run(name, func(t *testing.T) {
			err := checkTargets(tt.config)
			if err == nil {
				err = checkOnClose(tt.config)
			}
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want an error with %q", err, tt.says)
			}
		})
	}
}
