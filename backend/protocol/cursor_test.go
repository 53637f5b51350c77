package protocol

import (
	"strconv"
	"testing"
	"time"
)

func TestNextCursor(t *testing.T) {
	epoch := time.Date(2024, 10, 9, 0, 0, 0, 0, time.UTC)
	at := func(intervals int) time.Time { return epoch.Add(time.Duration(intervals) * 20 * time.Second) }
	for _, tt := range []struct {
		name   string
		now    time.Time
		client string
		jitter int
		want   string
	}{
		{"absent", at(1000), "", 1, "1000"},
		{"the interval has 20 seconds", at(1000).Add(19999 * time.Millisecond), "", 1, "1000"},
		{"behind", at(1000), "999", 1, "1000"},
		{"far behind", at(1000), "0", 3600, "1000"},
		{"current, least jitter", at(1000), "1000", 1, "1001"},
		{"current, 20 s", at(1000), "1000", 20, "1001"},
		{"current, 21 s", at(1000), "1000", 21, "1002"},
		{"current, most jitter", at(1000), "1000", 3600, "1180"},
		{"ahead", at(1000), "5000", 1, "5001"},
		{"leading zeros", at(1000), "0001000", 1, "1001"},
		{"jitter below its range", at(1000), "1000", -5, "1001"},
		{"jitter above its range", at(1000), "1000", 1 << 30, "1180"},
		{"not a number", at(1000), "abc", 1, "1000"},
		{"negative", at(1000), "-5", 1, "1000"},
		{"int64 maximum is clamped", at(1000), "9223372036854775807", 1, "4611686018427387904"},
		{"beyond int64 is clamped", at(1000), "99999999999999999999999999", 1, "4611686018427387904"},
		{"the clock stands before the epoch", time.Unix(0, 0), "", 1, "0"},
		{"the clock stands before the epoch, client ahead", time.Unix(0, 0), "7", 1, "8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := NextCursor(tt.now, tt.client, tt.jitter); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func FuzzNextCursor(f *testing.F) {
	f.Add(int64(1728432000), "", 1)
	f.Add(int64(0), "12", 3600)
	f.Add(int64(1<<40), "9223372036854775807", -1)
	f.Fuzz(func(t *testing.T, unix int64, client string, jitter int) {
		unix %= 1 << 40
		got := NextCursor(time.Unix(unix, 0), client, jitter)
		n, err := strconv.ParseInt(got, 10, 64)
		if err != nil || !isDigits(got) {
			t.Fatalf("%q is no cursor", got)
		}
		if c, err := strconv.ParseInt(client, 10, 64); err == nil && isDigits(client) && c < maxCursor && n <= c {
			t.Fatalf("cursor %d does not move past the client's %d", n, c)
		}
	})
}
