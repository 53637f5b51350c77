package app

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"tailrace/backend/access"
	"tailrace/bench"
)

// dataURL is where a started server takes requests.
func (s *started) dataURL(t *testing.T) string {
	t.Helper()
	var ready struct {
		DataURL string `json:"data_url"`
	}
	data, err := os.ReadFile(s.ready)
	if err != nil || json.Unmarshal(data, &ready) != nil {
		t.Fatalf("ready file %q, %v", data, err)
	}
	return ready.DataURL
}

func TestBench(t *testing.T) {
	url := start(t, Program{}).dataURL(t)
	args := []string{
		"bench", "here=" + url, url, "--rounds", "2", "--duration", "50ms", "--warmup", "0s",
		"--scenario", "append-seq", "--scenario=append-hot", "--ceiling", "--disk", t.TempDir(),
	}

	t.Run("tables", func(t *testing.T) {
		status, stdout, stderr := run(t, Program{}, args...)
		if status != exitOK {
			t.Fatalf("status %d: %s", status, stderr)
		}
		want(t, "standard output", stdout, "| scenario ", "| here ", "| "+strings.TrimPrefix(url, "http://"), "| no-op", "| disk",
			"| append-seq", "| append-hot", "appends/s (", "Against the machine")
		want(t, "standard error", stderr, "round 1/2  append-seq", "round 2/2  append-hot")
	})

	t.Run("JSON", func(t *testing.T) {
		status, stdout, stderr := run(t, Program{}, append(args, "--json")...)
		if status != exitOK {
			t.Fatalf("status %d: %s", status, stderr)
		}
		var report map[string]json.RawMessage
		var typed bench.Report
		for _, into := range []any{&report, &typed} {
			if err := json.Unmarshal([]byte(stdout), into); err != nil {
				t.Fatal(err)
			}
		}
		keys := []string{"duration_seconds", "machine", "rounds", "run", "scenarios", "servers", "started", "warmup_seconds"}
		if got := slices.Sorted(maps.Keys(report)); !slices.Equal(got, keys) {
			t.Errorf("keys %q, want %q", got, keys)
		}
		want(t, "the JSON", stdout, `"operations"`, `"rate"`, `"p50_us"`, `"p99_us"`, `"ratio"`, `"figure": "rate"`)
		if len(typed.Servers) != 3 || len(typed.Scenarios) != 2 {
			t.Fatalf("%d servers, %d scenarios", len(typed.Servers), len(typed.Scenarios))
		}
		for _, column := range []string{"here", bench.NoOpName, bench.DiskName} {
			r := typed.Scenarios[0].Result(column)
			if r == nil || len(r.Rounds) != 2 || r.P50 <= 0 || (column != "here") != (r.Ratio != nil) {
				t.Errorf("%s: %+v", column, r)
			}
		}
	})
}

func TestBenchFails(t *testing.T) {
	secret := access.NewSecret()
	url := start(t, Program{}, "--token", "all:full:"+secret).dataURL(t)
	args := []string{"bench", url, "--scenario", "append-seq", "--duration", "10ms"}
	env := append(environment(t), "TAILRACE_BENCH_TOKEN="+secret)
	if status, _, stderr := runIn(t, Program{}, env, append(args, "--rounds", "1")...); status != exitOK {
		t.Errorf("with the token: status %d: %s", status, stderr)
	}
	for name, test := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"no token":           {args, exitFailed, "401"},
		"a wrong token":      {append(args, "--token", "wrong"), exitFailed, "401"},
		"nobody listens":     {[]string{"bench", "http://127.0.0.1:1", "--scenario", "create"}, exitFailed, "refused"},
		"no URL":             {[]string{"bench"}, exitUsage, "<url>"},
		"a wrong URL":        {[]string{"bench", "ftp://127.0.0.1"}, exitUsage, "http://host:port"},
		"a name twice":       {[]string{"bench", "a=" + url, "a=" + url}, exitUsage, "NAME=URL"},
		"a wrong scenario":   {[]string{"bench", url, "--scenario", "append-65"}, exitUsage, "append-65"},
		"no rounds":          {append(args, "--rounds", "0"), exitUsage, "round"},
		"a missing folder":   {append(args, "--disk", "/absent/folder"), exitUsage, "/absent/folder"},
		"negative warm-up":   {append(args, "--warmup=-1s"), exitUsage, "warm-up"},
		"no stream to read":  {append(args, "--catchup-mib", "0"), exitUsage, "catch-up"},
		"no readers to open": {append(args, "--idle-readers", "0"), exitUsage, "reader"},
	} {
		t.Run(name, func(t *testing.T) {
			status, stdout, stderr := run(t, Program{}, test.args...)
			if status != test.status || stdout != "" {
				t.Errorf("status %d: %s", status, stdout)
			}
			want(t, "standard error", stderr, test.want)
		})
	}
}
