package protocol

import (
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseProducer(t *testing.T) {
	one := func(s string) []string { return []string{s} }
	for _, tt := range []struct {
		name           string
		id, epoch, seq []string
		want           *Producer
		field          string // of the error; empty: none
	}{
		{"none", nil, nil, nil, nil, ""},
		{"zeros", one("p"), one("0"), one("0"), &Producer{"p", 0, 0}, ""},
		{"greatest safe integers", one("p"), one("9007199254740991"), one("9007199254740991"), &Producer{"p", 1<<53 - 1, 1<<53 - 1}, ""},
		{"leading zeros are digits", one("p"), one("007"), one("0"), &Producer{"p", 7, 0}, ""},
		{"id is opaque", one("a b/ü;,"), one("1"), one("2"), &Producer{"a b/ü;,", 1, 2}, ""},
		{"id missing", nil, one("0"), one("0"), nil, HeaderProducerID},
		{"epoch missing", one("p"), nil, one("0"), nil, HeaderProducerEpoch},
		{"seq missing", one("p"), one("0"), nil, nil, HeaderProducerSeq},
		{"only seq", nil, nil, one("0"), nil, HeaderProducerID},
		{"id twice", []string{"p", "q"}, one("0"), one("0"), nil, HeaderProducerID},
		{"epoch twice", one("p"), []string{"0", "0"}, one("0"), nil, HeaderProducerEpoch},
		{"seq twice", one("p"), one("0"), []string{"0", "1"}, nil, HeaderProducerSeq},
		{"id empty", one(""), one("0"), one("0"), nil, HeaderProducerID},
		{"epoch empty", one("p"), one(""), one("0"), nil, HeaderProducerEpoch},
		{"seq empty", one("p"), one("0"), one(""), nil, HeaderProducerSeq},
		{"epoch above 2^53-1", one("p"), one("9007199254740992"), one("0"), nil, HeaderProducerEpoch},
		{"seq above 2^53-1", one("p"), one("0"), one("9007199254740992"), nil, HeaderProducerSeq},
		{"seq beyond int64", one("p"), one("0"), one("99999999999999999999"), nil, HeaderProducerSeq},
		{"negative", one("p"), one("-1"), one("0"), nil, HeaderProducerEpoch},
		{"plus", one("p"), one("+1"), one("0"), nil, HeaderProducerEpoch},
		{"digits and letters", one("p"), one("1abc"), one("0"), nil, HeaderProducerEpoch},
		{"hexadecimal", one("p"), one("0"), one("0xyz"), nil, HeaderProducerSeq},
		{"exponent", one("p"), one("0"), one("1e3"), nil, HeaderProducerSeq},
		{"fraction", one("p"), one("0"), one("1.0"), nil, HeaderProducerSeq},
		{"space", one("p"), one("0"), one(" 1"), nil, HeaderProducerSeq},
		{"underscore", one("p"), one("0"), one("1_0"), nil, HeaderProducerSeq},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseProducer(tt.id, tt.epoch, tt.seq)
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

func FuzzParseProducer(f *testing.F) {
	f.Add("p", "0", "0")
	f.Add("", "1", "2")
	f.Add("p", "9007199254740992", "1e3")
	f.Fuzz(func(t *testing.T, id, epoch, seq string) {
		p, err := ParseProducer([]string{id}, []string{epoch}, []string{seq})
		e, eErr := strconv.ParseUint(epoch, 10, 64)
		s, sErr := strconv.ParseUint(seq, 10, 64)
		ok := id != "" && eErr == nil && sErr == nil && e <= maxSafeInteger && s <= maxSafeInteger
		if ok != (err == nil) {
			t.Fatalf("(%q, %q, %q): error %v, want acceptance %v", id, epoch, seq, err, ok)
		}
		if ok && (*p != Producer{id, int64(e), int64(s)}) {
			t.Fatalf("got %+v", p)
		}
	})
}
