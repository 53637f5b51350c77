package bench_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"tailrace/backend"
	"tailrace/backend/access"
	"tailrace/backend/config"
	"tailrace/bench"
)

// startTailrace runs a backend on free ports and returns its data URL.
func startTailrace(t *testing.T, change func(*config.Config)) string {
	t.Helper()
	c := config.Default()
	c.Listen, c.Inspect, c.DataDir = "127.0.0.1:0", "127.0.0.1:0", t.TempDir()
	if change != nil {
		change(&c)
	}
	b, err := backend.Open(backend.Options{Config: c, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return b.DataURL()
}

// startNoOp runs the reference server in this process.
func startNoOp(t *testing.T) string {
	t.Helper()
	alive, end := io.Pipe()
	out, address := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- bench.ServeNoOp(alive, address) }()
	t.Cleanup(func() {
		end.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	line := make([]byte, 100)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(line[:n]))
}

func short(servers ...bench.Server) bench.Options {
	return bench.Options{
		Servers: servers, Rounds: 1, Warmup: 10 * time.Millisecond, Duration: 100 * time.Millisecond,
		CatchupBytes: 1 << 20, IdleReaders: 20, Patience: time.Minute,
	}
}

func TestEveryScenario(t *testing.T) {
	url := startTailrace(t, nil)
	var progress []string
	o := short(bench.Server{Name: "one", URL: url}, bench.Server{Name: "two", URL: url + "/v1/stream"})
	o.NoOp, o.DiskDir = startNoOp(t), t.TempDir()
	o.Progress = func(line string) { progress = append(progress, line) }
	report, err := bench.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Scenarios) != len(bench.Scenarios()) {
		t.Errorf("%d scenarios of %d", len(report.Scenarios), len(bench.Scenarios()))
	}
	for _, m := range report.Scenarios {
		for _, server := range []string{"one", "two"} {
			r := m.Result(server)
			switch {
			case r == nil || len(r.Rounds) == 0:
				t.Errorf("%s: nothing measured on %s", m.Name, server)
			case r.Operations == 0 || r.Rate <= 0:
				t.Errorf("%s on %s: %+v", m.Name, server, r.Sample)
			case m.Name == "idle-readers": // its figure is another process's memory
			case r.P50 <= 0 || r.P99 < r.P50:
				t.Errorf("%s on %s: %+v", m.Name, server, r.Sample)
			case (r.Ratio == nil) != (server == "one"):
				t.Errorf("%s on %s: ratio %v", m.Name, server, r.Ratio)
			}
		}
	}
	if len(progress) < 2*len(report.Scenarios) {
		t.Errorf("progress: %q", progress)
	}
	var text strings.Builder
	if err := report.WriteTables(&text); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"| append-64 ", "| one", "| no-op", "| disk", "appends/s", "Against the machine"} {
		if !strings.Contains(text.String(), part) {
			t.Errorf("the tables do not hold %q:\n%s", part, &text)
		}
	}

	res, err := http.Get(url + "/v1/stream/__registry__")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	events, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	made, deleted := strings.Count(string(events), `"insert"`), strings.Count(string(events), `"delete"`)
	if made == 0 || made != deleted {
		t.Errorf("%d streams were made and %d deleted", made, deleted)
	}
}

func TestToken(t *testing.T) {
	url := startTailrace(t, func(c *config.Config) {
		c.Tokens = []access.Token{{Name: "bench", Level: access.Full, Hash: access.HashOf("secret")}}
	})
	o := short(bench.Server{URL: url, Token: "secret"})
	o.Scenarios = []string{"append-seq"}
	if _, err := bench.Run(t.Context(), o); err != nil {
		t.Error(err)
	}
	o.Servers[0].Token = ""
	if _, err := bench.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("without its token: %v", err)
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	for name, change := range map[string]func(*bench.Options){
		"no server":        func(o *bench.Options) { o.Servers = nil },
		"no URL":           func(o *bench.Options) { o.Servers[0].URL = "localhost:4437" },
		"name twice":       func(o *bench.Options) { o.Servers = append(o.Servers, o.Servers[0]) },
		"reserved name":    func(o *bench.Options) { o.Servers[0].Name = "disk" },
		"unknown scenario": func(o *bench.Options) { o.Scenarios = []string{"append-64", "append-65"} },
		"no round":         func(o *bench.Options) { o.Rounds = 0 },
		"no duration":      func(o *bench.Options) { o.Duration = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			o := short(bench.Server{Name: "x", URL: "http://127.0.0.1:1"})
			change(&o)
			var wrong *bench.OptionError
			if _, err := bench.Run(t.Context(), o); !errors.As(err, &wrong) {
				t.Errorf("got %v, want an OptionError", err)
			}
		})
	}
}
