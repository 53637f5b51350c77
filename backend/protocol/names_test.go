package protocol

import (
	"fmt"
	"strings"
	"testing"
)

func TestIsTrue(t *testing.T) {
	for in, want := range map[string]bool{
		"true": true, "TRUE": true, "tRuE": true,
		"": false, "false": false, "yes": false, "1": false, "true ": false, " true": false, "truee": false, "tru": false, "\x54rue": true, "\x14rue": false,
	} {
		if got := IsTrue(in); got != want {
			t.Errorf("%q: got %v", in, got)
		}
	}
}

func TestErrorsNameWhatWasExpected(t *testing.T) {
	long := strings.Repeat("z", 10_000)
	for _, tt := range []struct {
		err  error
		want []string
	}{
		{&StaleEpochError{Epoch: 1, Current: 3}, []string{"1", "3", "Producer-Epoch"}},
		{&SeqGapError{Expected: 4, Received: 9}, []string{"4", "9", "Producer-Seq"}},
		{&StreamSeqError{Last: "b", Received: "a"}, []string{`"a"`, `"b"`, "Stream-Seq"}},
		{&StreamSeqError{Last: "b", Received: long}, []string{"Stream-Seq"}},
		{&ClosedError{Tail: Offset{0, 7}}, []string{"closed", "0000000000000000_0000000000000007"}},
		{&ConflictError{Field: "Content-Type", Have: "text/plain", Want: "application/json"}, []string{"Content-Type", "text/plain", "application/json"}},
		{&LimitError{Limit: "max_body_bytes", Max: 5}, []string{"max_body_bytes", "5"}},
	} {
		t.Run(fmt.Sprintf("%T", tt.err), func(t *testing.T) {
			msg := tt.err.Error()
			if len(msg) > 400 {
				t.Errorf("%d bytes", len(msg))
			}
			for _, w := range tt.want {
				if !strings.Contains(msg, w) {
					t.Errorf("%q does not name %q", msg, w)
				}
			}
		})
	}
}
