package filter

import (
	"errors"
	"math/big"
	"strconv"
	"testing"
)

func TestMatches(t *testing.T) {
	const doc = `{"kind":"turn.end","n":9007199254740993,"ratio":1.0,"ok":true,"none":null,` +
		`"user":{"name":"Zoë","tags":["admin","b\"c"]},"hits":[{"doc":"a","score":0.5},{"doc":"b","score":12}],"odd key.x":1,"e\u0073c":2}`
	for _, tt := range []struct {
		way, pattern, message string
		want                  bool
	}{
		{Text, "turn", doc, true},
		{Text, "Turn", doc, false},
		{Text, "\xff", "a\xffb", true},
		{Regex, `"n":\d{16},`, doc, true},
		{Regex, `^\{"kind":"turn\.st`, doc, false},
		{Regex, `(?i)TURN`, doc, true},

		{Path, `$.kind = "turn.end"`, doc, true},
		{Path, `kind = turn.end`, doc, true},
		{Path, `$.kind == turn.start`, doc, false},
		{Path, `$.kind != "delta"`, doc, true},
		{Path, `$.kind != "turn.end"`, doc, false},
		{Path, `$.missing != 1`, doc, true},
		{Path, `$.missing != 1`, "no json", false},
		{Path, `$.missing = 1`, doc, false},
		{Path, `$.kind *= "turn"`, doc, true},
		{Path, `$.kind ~ ^turn\.`, doc, true},
		{Path, `$.kind ~ "^turn\\.e"`, doc, true},
		{Path, `$.kind > "turn"`, doc, true},
		{Path, `$.user`, doc, true},
		{Path, `$.user.nick`, doc, false},
		{Path, `$.none`, doc, true},
		{Path, `$.none = null`, doc, true},
		{Path, `$.ok = true`, doc, true},
		{Path, `$.ok = "true"`, doc, false},
		{Path, `$.user.name = Zoë`, doc, true},
		{Path, `$.user.tags[0] = admin`, doc, true},
		{Path, `$.user.tags[1] = "b\"c"`, doc, true},
		{Path, `$.user.tags[2]`, doc, false},
		{Path, `$.user.tags[*] = admin`, doc, true},
		{Path, `$.user.tags[*] != admin`, doc, false},
		{Path, `$.hits[*].score > 10`, doc, true},
		{Path, `$.hits[0].score > 10`, doc, false},
		{Path, `$.hits.*.doc = b`, doc, true},
		{Path, `$.*.name = Zoë`, doc, true},
		{Path, `$["odd key.x"] = 1`, doc, true},
		{Path, `["odd key.x"] = 1`, doc, true},
		{Path, `$.esc = 2`, doc, true},
		{Path, `$.a = 2`, `{"a":1,"a":2}`, true},
		{Path, `$[1] = 2`, `[1, 2]`, true},
		{Path, `$ = 2`, `2`, true},
		{Path, `$ > 1`, ` 2 `, true},

		{Path, `$.n = 9007199254740993`, doc, true},
		{Path, `$.n = 9007199254740992`, doc, false},
		{Path, `$.n > 9007199254740992`, doc, true},
		{Path, `$.ratio = 1`, doc, true},
		{Path, `$.ratio >= 1e0`, doc, true},
		{Path, `$.ratio < 10.0`, doc, true},
		{Path, `$.kind < 5`, doc, false},

		{Path, `$.a = 1`, `{"a":1`, true},
		{Path, `$.a`, `{"a":`, false},
		{Path, `$.a`, `{"a"`, false},
		{Path, `$.a`, `{"a`, false},
		{Path, `$.a`, ``, false},
		{Path, `$[5]`, `[[[[`, false},
	} {
		f, err := Parse(tt.way, tt.pattern)
		if err != nil {
			t.Errorf("%s %s: %v", tt.way, tt.pattern, err)
			continue
		}
		if got := f.Matches([]byte(tt.message)); got != tt.want {
			t.Errorf("%s %s on %.60s: %v", tt.way, tt.pattern, tt.message, got)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range [][2]string{
		{Text, ""},
		{"sql", "a"},
		{Regex, "("},
		{Path, "="},
		{Path, "$."},
		{Path, "$.a ="},
		{Path, "$.a ? 1"},
		{Path, "$.a[x]"},
		{Path, "$.a[-1]"},
		{Path, "$.a[0"},
		{Path, `$["a`},
		{Path, `$.a = "open`},
		{Path, `$.a ~ (`},
		{Text, string(make([]byte, maxPattern+1))},
	} {
		var syntax *SyntaxError
		if _, err := Parse(tt[0], tt[1]); !errors.As(err, &syntax) {
			t.Errorf("%s %.20q: %v, want a SyntaxError", tt[0], tt[1], err)
		}
	}
}

func TestHugeExponents(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"1e999999999", "1e999999998", 1},
		{"-1e999999999", "1", -1},
		{"1e-99999999999999999999", "0", 1},
		{"0e5", "-0", 0},
		{"1000", "1e3", 0},
		{"0.001", "1E-3", 0},
	} {
		if got := compareNumbers(tt.a, tt.b); got != tt.want {
			t.Errorf("%s against %s: %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

// FuzzNumbers compares with exact arithmetic.
func FuzzNumbers(f *testing.F) {
	f.Add(int64(10), uint8(1), int64(100), uint8(2))
	f.Add(int64(-5), uint8(0), int64(5), uint8(9))
	f.Fuzz(func(t *testing.T, a int64, aScale uint8, b int64, bScale uint8) {
		write := func(n int64, scale uint8) (string, *big.Rat) {
			s := strconv.FormatInt(n, 10) + "e-" + strconv.Itoa(int(scale))
			r, ok := new(big.Rat).SetString(s)
			if !ok {
				t.Fatal(s)
			}
			return s, r
		}
		as, ar := write(a, aScale)
		bs, br := write(b, bScale)
		if got, want := compareNumbers(as, bs), ar.Cmp(br); got != want {
			t.Errorf("%s against %s: %d, want %d", as, bs, got, want)
		}
	})
}

// FuzzMatches gives filters anything: they may be wrong about text that is no
// JSON, but must come to an end.
func FuzzMatches(f *testing.F) {
	f.Add(`$.a[*].b != "x"`, []byte(`{"a":[{"b":"x"}]}`))
	f.Add(`$["a"] ~ b`, []byte(`{"a":"\u0062`))
	f.Add(`a.*[3]>1e5`, []byte(`{"a":{"q":[1,2,3,4e9`))
	f.Add(`$<0`, []byte(`,`))
	f.Fuzz(func(_ *testing.T, pattern string, message []byte) {
		if c, err := Parse(Path, pattern); err == nil {
			c.Matches(message)
		}
	})
}
