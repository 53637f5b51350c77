package protocol

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wantBadRequest fails unless err is a *BadRequestError about field.
func wantBadRequest(t *testing.T, err error, field string) {
	t.Helper()
	var bad *BadRequestError
	if !errors.As(err, &bad) {
		t.Fatalf("got %v (%T), want a *BadRequestError about %q", err, err, field)
	}
	if bad.Field != field || bad.Reason == "" {
		t.Errorf("got field %q, reason %q; want field %q and a reason", bad.Field, bad.Reason, field)
	}
}

func TestOffsetString(t *testing.T) {
	for want, o := range map[string]Offset{
		"0000000000000000_0000000000000000": {},
		"0000000000000000_0000000000000001": {0, 1},
		"0000000000000007_0000000000012345": {7, 12345},
		"9999999999999999_9999999999999999": {maxOffsetPart, maxOffsetPart},
	} {
		if got := o.String(); got != want {
			t.Errorf("%+v: got %q, want %q", o, got, want)
		}
		if got := string(o.Append([]byte("x="))); got != "x="+want {
			t.Errorf("%+v: Append gave %q", o, got)
		}
	}
}

func TestOffsetTokensSortInStreamOrder(t *testing.T) {
	ordered := []Offset{{0, 0}, {0, 1}, {0, 9}, {0, 10}, {0, 99_999}, {0, maxOffsetPart}, {1, 0}, {1, 5}, {9, 0}, {10, 0}}
	for i := 1; i < len(ordered); i++ {
		if a, b := ordered[i-1].String(), ordered[i].String(); a >= b {
			t.Errorf("%s does not sort before %s", a, b)
		}
	}
}

func TestParseOffset(t *testing.T) {
	zero := strings.Repeat("0", 16)
	for _, tt := range []struct {
		in   string
		want OffsetQuery
	}{
		{"-1", OffsetQuery{Start: true}},
		{"now", OffsetQuery{Now: true}},
		{zero + "_" + zero, OffsetQuery{Start: true}},
		{"0_0", OffsetQuery{Start: true}},
		{"0000000000000003_0000000000000042", OffsetQuery{Offset: Offset{3, 42}}},
		{"1_0", OffsetQuery{Offset: Offset{1, 0}}},
		{"9999999999999999_9999999999999999", OffsetQuery{Offset: Offset{maxOffsetPart, maxOffsetPart}}},
	} {
		got, err := ParseOffset(tt.in)
		if err != nil {
			t.Errorf("%q: %v", tt.in, err)
		} else if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.in, diff)
		}
	}
}

func TestParseOffsetRefuses(t *testing.T) {
	for _, in := range []string{
		"", " ", "_", "1", "1_", "_1", "-2", "+1_0", "-1_0", "0_-1", "1_2_3", "1__2", " 1_2", "1_2 ", "NOW", "Now", "-1 ", "-01",
		"0,0_0", "0_0/", "a_b", "0x1_0", "1e3_0", "1.0_0", "0_0\x00", "0_0\r\n", "..", "٠_٠", "1_２",
		"10000000000000000_0", "0_10000000000000000", "0_9223372036854775808", "0_99999999999999999999999999",
		strings.Repeat("x", 5000),
	} {
		t.Run(in[:min(len(in), 20)], func(t *testing.T) {
			_, err := ParseOffset(in)
			wantBadRequest(t, err, QueryOffset)
			if len(err.Error()) > 300 {
				t.Errorf("the message has %d bytes: input must be shortened", len(err.Error()))
			}
		})
	}
}

func TestParseOffsetTokenRefusesSentinels(t *testing.T) {
	for _, in := range []string{"-1", "now"} {
		_, err := ParseOffsetToken(in)
		wantBadRequest(t, err, QueryOffset)
	}
}

func FuzzParseOffset(f *testing.F) {
	for _, s := range []string{"-1", "now", "0_0", "0000000000000000_0000000000000000", "9999999999999999_9999999999999999", "1_", "_", "1_2_3", "+1_0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := ParseOffset(s)
		if err != nil {
			wantBadRequest(t, err, QueryOffset)
			return
		}
		if q.Start || q.Now {
			return
		}
		again, err := ParseOffset(q.Offset.String())
		if err != nil || again != q {
			t.Fatalf("%q parsed to %+v, its token to %+v, %v", s, q, again, err)
		}
		if token := q.Offset.String(); len(token) != 33 || strings.ContainsAny(token, ",&=?/") {
			t.Fatalf("bad token %q", token)
		}
	})
}
