package config

import (
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"
)

func TestParseSize(t *testing.T) {
	good := map[string]int64{
		"0": 0, "4096": 4096, "4096B": 4096, "1KiB": 1024, "64MiB": 64 << 20, "64mib": 64 << 20,
		" 2 GiB ": 2 << 30, "1TiB": 1 << 40, "1KB": 1000, "1.5MB": 1_500_000, "0.5KiB": 512, "2GB": 2e9, "1TB": 1e12,
		"9223372036854775807": 1<<63 - 1,
	}
	for text, want := range good {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
	bad := []string{
		"", "MiB", "-1", "+1", "1e3", "0x10", "1_000", "64M", "64 parsecs", "1.2.3", ".", "NaN", "Inf", "1.5B", "0.3KiB",
		"9223372036854775808", "9999999TiB", "1MiBMiB", "1 2",
	}
	for _, text := range bad {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %d, want an error", text, got)
		}
	}
}

func TestFormatSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0B", 1: "1B", 1000: "1KB", 1024: "1KiB", 1025: "1025B", 64 << 20: "64MiB", 3 << 30: "3GiB", 5e12: "5TB",
	} {
		if got := formatSize(n); got != want {
			t.Errorf("formatSize(%d) = %s, want %s", n, got, want)
		}
	}
}

func FuzzSize(f *testing.F) {
	for _, seed := range []string{"64MiB", "1.5GB", "0", "B", "1e9", "9223372036854775807", "0.3KiB", " 7 kb"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseSize(text)
		if err != nil {
			return
		}
		if n < 0 {
			t.Fatalf("ParseSize(%q) = %d, which is negative", text, n)
		}
		if again, err := ParseSize(formatSize(n)); err != nil || again != n {
			t.Fatalf("ParseSize(%q) = %d, written as %s, is read as %d, %v", text, n, formatSize(n), again, err)
		}
	})
}

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		20 * time.Second: "20s", time.Minute: "1m", 90 * time.Second: "1m30s", 24 * time.Hour: "24h",
		10 * time.Minute: "10m", 100 * time.Millisecond: "100ms", time.Hour + time.Second: "1h0m1s",
	} {
		got := formatDuration(d)
		if got != want {
			t.Errorf("formatDuration(%v) = %s, want %s", d, got, want)
		}
		if back, err := time.ParseDuration(got); err != nil || back != d {
			t.Errorf("%s is read back as %v, %v", got, back, err)
		}
	}
}

func FuzzTOMLString(f *testing.F) {
	for _, seed := range []string{"", "a", `C:\Users\me`, `it's \ "quoted"`, "tab\tnewline\n", "\x7f", "ü"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = string([]rune(text)) // TOML is UTF-8: what is not becomes U+FFFD
		var got struct{ V string }
		if err := toml.Unmarshal([]byte("v = "+quoteTOML(text)), &got); err != nil || got.V != text {
			t.Fatalf("%q, written as %s, is read as %q, %v", text, quoteTOML(text), got.V, err)
		}
	})
}
