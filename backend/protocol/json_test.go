package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func payload(messages ...string) Payload {
	p := Payload{Data: []byte(strings.Join(messages, ","))}
	for _, m := range messages {
		p.Sizes = append(p.Sizes, len(m))
	}
	return p
}

func TestFrameJSON(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     Payload
	}{
		{"object", `{"a":1}`, payload(`{"a":1}`)},
		{"scalar values", `true`, payload(`true`)},
		{"null", `null`, payload(`null`)},
		{"string", `"x"`, payload(`"x"`)},
		{"zero", `-0`, payload(`-0`)},
		{"white space around", " \t\r\n{\"a\":1}\n ", payload(`{"a":1}`)},
		{"array is flattened", `[{"a":1},{"b":2}]`, payload(`{"a":1}`, `{"b":2}`)},
		{"exactly one level is flattened", `[[1,2],[3,4]]`, payload(`[1,2]`, `[3,4]`)},
		{"nested three deep", `[[[1,2,3]]]`, payload(`[[1,2,3]]`)},
		{"array of an empty array", `[[]]`, payload(`[]`)},
		{"white space between elements goes, inside stays", "[ 1 ,\n{ \"a\" : 2 } , 3\t]", payload(`1`, `{ "a" : 2 }`, `3`)},
		{"white space before the first only", `[ 1,2]`, payload(`1`, `2`)},
		{"white space before a comma only", `[1 ,2]`, payload(`1`, `2`)},
		{"white space before the end only", `[1,2 ]`, payload(`1`, `2`)},
		{
			"number texts are kept", `[1.0,1e2,1E+2,-0.0,18446744073709551616,0.1000000000000000055511151231257827]`,
			payload(`1.0`, `1e2`, `1E+2`, `-0.0`, `18446744073709551616`, `0.1000000000000000055511151231257827`),
		},
		{"numbers beyond float64", `[1e999,-1e-999]`, payload(`1e999`, `-1e-999`)},
		{"duplicate keys are kept", `{"a":1,"a":2}`, payload(`{"a":1,"a":2}`)},
		{"escapes are kept", `["\u0041\/\"\\\b\f\n\r\t","\ud83d\ude00","\ud800"]`, payload(`"\u0041\/\"\\\b\f\n\r\t"`, `"\ud83d\ude00"`, `"\ud800"`)},
		{"brackets in strings", `["[","]",",","{\"}"]`, payload(`"["`, `"]"`, `","`, `"{\"}"`)},
		{"non-ASCII and DEL", "[\"你😀\x7f\u2028\"]", payload("\"你😀\x7f\u2028\"")},
		{"BOM inside a string", "\"\ufeff\"", payload("\"\ufeff\"")},
		{"NUL escaped", `"\u0000"`, payload(`"\u0000"`)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := FramePayload(KindJSON, []byte(tt.in), false, DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if n := got.Length(KindJSON); n != int64(got.Messages()) {
				t.Errorf("length %d, messages %d", n, got.Messages())
			}
		})
	}
}

func TestFrameJSONRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"white space only":          " \n",
		"BOM":                       "\xef\xbb\xbf{}",
		"BOM after white space":     " \xef\xbb\xbf{}",
		"invalid UTF-8 in a string": "\"\xff\"",
		"invalid UTF-8 after":       "{}\xff",
		"overlong":                  "\"\xc0\x80\"",
		"UTF-8 surrogate":           "\"\xed\xa0\x80\"",
		"two values":                `{} {}`,
		"garbage behind":            `[1]x`,
		"comma behind":              `1,`,
		"leading comma":             `[,1]`,
		"trailing comma":            `[1,]`,
		"double comma":              `[1,,2]`,
		"trailing comma in object":  `{"a":1,}`,
		"unclosed array":            `[1`,
		"unclosed array, comma":     `[1,`,
		"open array":                `[`,
		"only a closing bracket":    `]`,
		"unclosed object":           `{"a":1`,
		"unclosed string":           `"abc`,
		"string ends in backslash":  `"abc\`,
		"mismatched":                `[}`,
		"single quotes":             `{'a':1}`,
		"bare key":                  `{a:1}`,
		"no colon":                  `{"a" 1}`,
		"no value":                  `{"a":}`,
		"comment":                   `/*x*/1`,
		"NaN":                       `NaN`,
		"Infinity":                  `-Infinity`,
		"True":                      `True`,
		"tru":                       `tru`,
		"nul with NUL":              "nul\x00",
		"plus":                      `+1`,
		"minus":                     `-`,
		"leading zero":              `01`,
		"minus leading zero":        `-01`,
		"point without digits":      `1.`,
		"point first":               `.5`,
		"exponent without digits":   `1e`,
		"exponent sign only":        `1e+`,
		"hexadecimal":               `0x10`,
		"raw LF in a string":        "\"a\nb\"",
		"raw tab in a string":       "\"a\tb\"",
		"NUL in a string":           "\"\x00\"",
		"NUL":                       "\x00",
		"NUL in an array":           "[\x00]",
		"bad escape":                `"\x41"`,
		"short \\u":                 `"\u12"`,
		"bad \\u":                   `"\u12g4"`,
		"vertical tab":              "\v1",
		"non-breaking space":        "\u00a01",
	} {
		t.Run(name, func(t *testing.T) {
			if json.Valid([]byte(in)) && utf8.ValidString(in) {
				t.Fatal("the case is valid JSON")
			}
			_, err := FramePayload(KindJSON, []byte(in), true, DefaultLimits())
			wantBadRequest(t, err, "body")
		})
	}
}

func TestFrameJSONEmptyArray(t *testing.T) {
	for _, in := range []string{"[]", " [ ] \n"} {
		if p, err := FramePayload(KindJSON, []byte(in), true, DefaultLimits()); err != nil || p.Messages() != 0 || len(p.Data) != 0 {
			t.Errorf("%q, allowed: got %+v, %v", in, p, err)
		}
		_, err := FramePayload(KindJSON, []byte(in), false, DefaultLimits())
		wantBadRequest(t, err, "body")
	}
	_, err := FramePayload(KindJSON, []byte("[]]"), true, DefaultLimits())
	wantBadRequest(t, err, "body")
}

func TestFrameJSONLimits(t *testing.T) {
	l := DefaultLimits()
	l.JSONDepth, l.MessagesPerAppend = 3, 2
	for _, tt := range []struct {
		name, in, limit string
		status          int
	}{
		{"depth reached", `[[[1]]]`, "", 0},
		{"depth reached in an object", `{"a":{"b":{}}}`, "", 0},
		{"siblings do not add up", `[[[1],[2]],{"a":[3]}]`, "", 0},
		{"arrays too deep", `[[[[1]]]]`, "max_json_depth", 400},
		{"objects too deep", `{"a":{"b":{"c":{}}}}`, "max_json_depth", 400},
		{"too deep and unclosed", strings.Repeat("[", 1<<20), "max_json_depth", 400},
		{"batch full", `[1,2]`, "", 0},
		{"batch too large", `[1,2,3]`, "max_messages_per_append", 413},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := FramePayload(KindJSON, []byte(tt.in), false, l)
			var limit *LimitError
			switch {
			case tt.limit == "":
				if err != nil {
					t.Error(err)
				}
			case !errors.As(err, &limit) || limit.Limit != tt.limit || limit.Status != tt.status:
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestFramePayloadIsVerbatimForOtherKinds(t *testing.T) {
	for _, k := range []Kind{KindText, KindBytes} {
		body := []byte("\xef\xbb\xbf[1,\xff\x00\r\n")
		got, err := FramePayload(k, body, false, DefaultLimits())
		if err != nil || !bytes.Equal(got.Data, body) || !cmp.Equal(got.Sizes, []int{len(body)}) || got.Length(k) != int64(len(body)) {
			t.Errorf("%v: got %+v, %v", k, got, err)
		}
		if empty, err := FramePayload(k, nil, false, DefaultLimits()); err != nil || empty.Messages() != 0 || empty.Length(k) != 0 {
			t.Errorf("%v: empty body gave %+v, %v", k, empty, err)
		}
	}
}

// What means something in a string is found wherever it stands.
func TestFrameJSONLooksAtEveryByteOfAString(t *testing.T) {
	for _, special := range []string{"\x00", "\n", "\x1f", " ", "!", "#", "[", "]", "\x7f", "\u0080", "é", "\U0010ffff", `"`, `\`, `\"`, `\\`, `\u00e9`} {
		for before := range 40 {
			for after := range 20 {
				in := `"` + strings.Repeat("a", before) + special + strings.Repeat("n", after) + `"`
				got, err := FramePayload(KindJSON, []byte(in), true, DefaultLimits())
				if valid := json.Valid([]byte(in)); valid != (err == nil) {
					t.Fatalf("%q: encoding/json says valid=%v, we say %v", in, valid, err)
				}
				if err == nil && string(got.Data) != in {
					t.Fatalf("%q became %q", in, got.Data)
				}
			}
		}
	}
}

func FuzzFrameJSON(f *testing.F) {
	for _, s := range []string{`[1, {"a":[]}]`, `{"a":1,"a":2}`, `[]`, "\xef\xbb\xbf1", "\"\xff\"", `"\u12g4"`, `-0.0e+1`, `[1,]`, "[\x00]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		l := DefaultLimits()
		l.JSONDepth = 10000 // as encoding/json
		got, err := FramePayload(KindJSON, body, true, l)
		valid := json.Valid(body) && utf8.Valid(body)
		var limit *LimitError
		if len(body) == 0 || errors.As(err, &limit) {
			return
		}
		if valid != (err == nil) {
			t.Fatalf("%q: encoding/json says valid=%v, we say %v", body, valid, err)
		}
		if !valid {
			return
		}
		want := []json.RawMessage{bytes.TrimSpace(body)}
		if trimmed := bytes.TrimSpace(body); trimmed[0] == '[' {
			want = nil
			if err := json.Unmarshal(body, &want); err != nil {
				t.Fatal(err)
			}
		}
		if got.Messages() != len(want) {
			t.Fatalf("%q: %d messages, want %d", body, got.Messages(), len(want))
		}
		at := 0
		for i, n := range got.Sizes {
			if i > 0 {
				if got.Data[at] != ',' {
					t.Fatalf("%q: no comma at %d of %q", body, at, got.Data)
				}
				at++
			}
			if m := got.Data[at : at+n]; !bytes.Equal(m, want[i]) {
				t.Fatalf("%q: message %d is %q, want %q", body, i, m, want[i])
			}
			at += n
		}
		if at != len(got.Data) {
			t.Fatalf("%q: %d bytes behind the messages", body, len(got.Data)-at)
		}
	})
}

// BenchmarkFramePayload cuts batches of 100 messages, beside what only checks them.
func BenchmarkFramePayload(b *testing.B) {
	for name, message := range map[string]string{
		"short strings": `{"id":12345,"kind":"insert","row":{"name":"Ada","tags":["a","b"],"ok":true}}`,
		"long strings":  `{"delta":"` + strings.Repeat("All that is gold does not glitter. ", 3) + `"}`,
	} {
		body := []byte("[" + strings.Repeat(message+",", 99) + message + "]")
		b.Run(name+"/here", func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := FramePayload(KindJSON, body, false, DefaultLimits()); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/encoding/json", func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if !json.Valid(body) {
					b.Fatal("not valid")
				}
			}
		})
	}
}
