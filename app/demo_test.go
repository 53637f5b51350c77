package app

import "testing"

func TestDemoCommand(t *testing.T) {
	p := Program{Version: "1.2.3"}
	s := start(t, p)
	for _, tt := range []struct {
		args   []string
		status int
		print  string
	}{
		{[]string{"--for", "1h"}, exitOK, "Demo traffic for 1h0m0s"},
		{[]string{"--stop"}, exitOK, "has ended"},
		{[]string{"--for", "1h", "--json"}, exitOK, `"until": 1`},
		{[]string{"--remove"}, exitOK, "streams of the demo traffic"},
		{[]string{"--remove", "--json"}, exitOK, `"removed": 0`},
		{[]string{"--stop", "--remove"}, exitUsage, "give one of the two"},
		{[]string{"--for", "48h"}, exitUsage, "one day"},
	} {
		status, stdout, stderr := run(t, p, append([]string{"demo", "--data-dir", s.dir}, tt.args...)...)
		if status != tt.status {
			t.Errorf("demo %v: status %d, %s", tt.args, status, stderr)
		}
		want(t, "what is printed", stdout+stderr, tt.print)
	}
	if status, _, stderr := run(t, p, "demo", "--data-dir", t.TempDir()); status != exitFailed {
		t.Errorf("without a server: status %d, %s", status, stderr)
	}
}
