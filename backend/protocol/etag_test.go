package protocol

import "testing"

func TestETag(t *testing.T) {
	if got := ETag(7, 36, 0, 42, false); got != `"7.10.0.42"` {
		t.Errorf("open: %s", got)
	}
	if got := ETag(7, 36, 0, 42, true); got != `"7.10.0.42.c"` {
		t.Errorf("closed: %s", got)
	}
}

func TestMatchETag(t *testing.T) {
	const tag = `"7.0.42"`
	for in, want := range map[string]bool{
		tag:                         true,
		"W/" + tag:                  true,
		"*":                         true,
		" * ":                       true,
		`"a", "7.0.42"`:             true,
		`"a",W/"7.0.42" ,"b"`:       true,
		"\t" + tag + "\t":           true,
		"":                          false,
		"7.0.42":                    false,
		`"7.0.42.c"`:                false,
		`"7.0.4"`:                   false,
		`"17.0.42"`:                 false,
		`w/"7.0.42"`:                false,
		`W/W/"7.0.42"`:              false,
		`"a", "b"`:                  false,
		`"*"`:                       false,
		`"7.0.42`:                   false,
		`,,,`:                       false,
		`"x` + tag:                  false,
		`"a","7.0.42`:               false,
		`"7.0.42" "7.0.42" garbage`: false,
	} {
		if got := MatchETag(in, tag); got != want {
			t.Errorf("%s: got %v", in, got)
		}
	}
}

func FuzzMatchETag(f *testing.F) {
	f.Add(`W/"1.0.5", "1.0.5.c"`, int64(1), int64(5), true)
	f.Add(`*`, int64(1), int64(5), false)
	f.Fuzz(func(t *testing.T, header string, stream, to int64, closed bool) {
		tag := ETag(stream, 1, 0, to, closed)
		MatchETag(header, tag) // must not panic
		for _, h := range []string{tag, "W/" + tag, header + "," + tag, tag + "," + header} {
			if !MatchETag(h, tag) {
				t.Fatalf("%q does not match %q", h, tag)
			}
		}
		if other := ETag(stream, 1, 0, to, !closed); MatchETag(other, tag) {
			t.Fatalf("%q matches %q", other, tag)
		}
	})
}
