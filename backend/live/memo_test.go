package live

import "testing"

func TestMemo(t *testing.T) {
	var m Memo[string, int]
	made := 0
	get := func(key string, keep bool) int {
		return m.Get(key, func() (int, bool) { made++; return made, keep })
	}
	for _, tt := range []struct {
		key  string
		keep bool
		want int
	}{
		{"a", true, 1},
		{"a", true, 1}, // made once
		{"b", false, 2},
		{"b", false, 3}, // not kept
		{"a", true, 1},
		{"b", true, 4},
		{"b", true, 4},
		{"a", true, 5}, // only the last one is kept
	} {
		if got := get(tt.key, tt.keep); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.key, got, tt.want)
		}
	}
}
