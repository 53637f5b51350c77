package protocol

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseExpiry(t *testing.T) {
	at := time.Date(2030, 1, 31, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name  string
		ttl   *string
		at    *string
		want  Expiry
		field string
	}{
		{"never", nil, nil, Expiry{}, ""},
		{"zero", ptr("0"), nil, Expiry{HasTTL: true}, ""},
		{"hour", ptr("3600"), nil, Expiry{HasTTL: true, TTL: 3600}, ""},
		{"greatest", ptr("10000000000"), nil, Expiry{HasTTL: true, TTL: maxTTL}, ""},
		{"too great", ptr("10000000001"), nil, Expiry{}, HeaderStreamTTL},
		{"overflow", ptr("9223372036854775808"), nil, Expiry{}, HeaderStreamTTL},
		{"empty", ptr(""), nil, Expiry{}, HeaderStreamTTL},
		{"leading zeros", ptr("00060"), nil, Expiry{}, HeaderStreamTTL},
		{"two zeros", ptr("00"), nil, Expiry{}, HeaderStreamTTL},
		{"plus", ptr("+60"), nil, Expiry{}, HeaderStreamTTL},
		{"minus", ptr("-1"), nil, Expiry{}, HeaderStreamTTL},
		{"fraction", ptr("60.5"), nil, Expiry{}, HeaderStreamTTL},
		{"exponent", ptr("1e3"), nil, Expiry{}, HeaderStreamTTL},
		{"word", ptr("abc"), nil, Expiry{}, HeaderStreamTTL},
		{"spaces", ptr(" 60"), nil, Expiry{}, HeaderStreamTTL},
		{"both", ptr("60"), ptr("2030-01-31T12:00:00Z"), Expiry{}, HeaderStreamTTL},
		{"both, even when empty", ptr(""), ptr(""), Expiry{}, HeaderStreamTTL},
		{"Z", nil, ptr("2030-01-31T12:00:00Z"), Expiry{At: at, AtRaw: "2030-01-31T12:00:00Z"}, ""},
		{"small letters", nil, ptr("2030-01-31t12:00:00z"), Expiry{At: at, AtRaw: "2030-01-31t12:00:00z"}, ""},
		{"+00:00", nil, ptr("2030-01-31T12:00:00+00:00"), Expiry{At: at, AtRaw: "2030-01-31T12:00:00+00:00"}, ""},
		{"other zone", nil, ptr("2030-01-31T14:30:00+02:30"), Expiry{At: at, AtRaw: "2030-01-31T14:30:00+02:30"}, ""},
		{"milliseconds", nil, ptr("2030-01-31T12:00:00.250Z"), Expiry{At: at.Add(250 * time.Millisecond), AtRaw: "2030-01-31T12:00:00.250Z"}, ""},
		{"empty instant", nil, ptr(""), Expiry{}, HeaderStreamExpiresAt},
		{"date only", nil, ptr("2030-01-31"), Expiry{}, HeaderStreamExpiresAt},
		{"no zone", nil, ptr("2030-01-31T12:00:00"), Expiry{}, HeaderStreamExpiresAt},
		{"unix", nil, ptr("1900000000"), Expiry{}, HeaderStreamExpiresAt},
		{"impossible day", nil, ptr("2030-02-30T12:00:00Z"), Expiry{}, HeaderStreamExpiresAt},
		{"one-digit hour", nil, ptr("2030-01-31T5:00:00Z"), Expiry{}, HeaderStreamExpiresAt},
		{"comma", nil, ptr("2030-01-31T12:00:00,5Z"), Expiry{}, HeaderStreamExpiresAt},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseExpiry(deref(tt.ttl), tt.ttl != nil, deref(tt.at), tt.at != nil)
			if tt.field != "" {
				wantBadRequest(t, err, tt.field)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func ptr(s string) *string { return &s }

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func TestExpiryEqual(t *testing.T) {
	mustAt := func(s string) Expiry {
		e, err := ParseExpiry("", false, s, true)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	never, zero, hour := Expiry{}, Expiry{HasTTL: true}, Expiry{HasTTL: true, TTL: 3600}
	utc, other, later := mustAt("2030-01-31T12:00:00Z"), mustAt("2030-01-31T13:00:00+01:00"), mustAt("2030-01-31T12:00:00.001Z")
	for _, tt := range []struct {
		name string
		a, b Expiry
		want bool
	}{
		{"never and never", never, never, true},
		{"never and a TTL of 0", never, zero, false},
		{"same TTL", hour, hour, true},
		{"other TTL", hour, zero, false},
		{"TTL and instant", hour, utc, false},
		{"never and instant", never, utc, false},
		{"same instant, other zone", utc, other, true},
		{"a millisecond apart", utc, later, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.a.Equal(tt.b) != tt.want || tt.b.Equal(tt.a) != tt.want {
				t.Errorf("Equal is not %v both ways", tt.want)
			}
		})
	}
}

func FuzzParseExpiry(f *testing.F) {
	f.Add("60", true, "", false)
	f.Add("", false, "2030-01-31T12:00:00.250+01:00", true)
	f.Add("1", true, "2030-01-31T12:00:00Z", true)
	f.Fuzz(func(t *testing.T, ttl string, hasTTL bool, at string, hasAt bool) {
		e, err := ParseExpiry(ttl, hasTTL, at, hasAt)
		if err != nil {
			field := HeaderStreamTTL
			if !hasTTL {
				field = HeaderStreamExpiresAt
			}
			wantBadRequest(t, err, field)
			return
		}
		if hasTTL && (e.TTL < 0 || e.TTL > maxTTL) {
			t.Fatalf("TTL %d", e.TTL)
		}
		if hasAt && e.AtRaw != at {
			t.Fatalf("echo %q, sent %q", e.AtRaw, at)
		}
	})
}
