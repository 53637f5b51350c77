package fault

import (
	"errors"
	"net/http/httptest"
	"testing"
	"time"
)

func TestArmRefuses(t *testing.T) {
	for name, f := range map[string]Fault{
		"no kind":            {},
		"a status of 200":    {Kind: Status, Status: 200},
		"a delay of none":    {Kind: Delay},
		"a long delay":       {Kind: Delay, After: time.Hour},
		"a method of ours":   {Kind: Cut, Methods: []string{"PATCH"}},
		"a probability > 1":  {Kind: Cut, Probability: 1.5},
		"a negative count":   {Kind: Cut, Count: -1},
		"bytes of a status":  {Kind: Status, Status: 503, Bytes: 5},
		"a status of a cut":  {Kind: Cut, Status: 503},
		"a wait of a cut":    {Kind: Cut, After: time.Second},
		"a jitter of a drop": {Kind: DropBefore, Jitter: time.Second},
		"no Retry-After":     {Kind: Delay, After: time.Second, RetryAfter: 1},
		"a day":              {Kind: Cut, For: 24 * time.Hour},
	} {
		var wrong *Error
		if _, err := New(true, time.Now).Arm(f); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := New(true, time.Now)
	for range maxArmed {
		if _, err := s.Arm(Fault{Kind: Cut}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Arm(Fault{Kind: Cut}); err == nil {
		t.Error("there is no bound")
	}
}

func TestFaultsEndByThemselves(t *testing.T) {
	now := time.Unix(1000, 0)
	s := New(true, func() time.Time { return now })
	if _, err := s.Arm(Fault{Kind: DropBefore}); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/", nil)
	now = now.Add(DefaultFor - 1)
	if s.Pick(r, "x") == nil || len(s.List()) != 1 {
		t.Error("it ended early")
	}
	now = now.Add(1)
	if len(s.List()) != 0 || s.Pick(r, "x") != nil || s.Any() {
		t.Error("it goes on for ever")
	}
}

func TestProbability(t *testing.T) {
	s := New(true, time.Now)
	if _, err := s.Arm(Fault{Kind: DropBefore, Probability: 0.5}); err != nil {
		t.Fatal(err)
	}
	r, hits := httptest.NewRequest("GET", "/", nil), 0
	for range 1000 {
		if s.Pick(r, "x") != nil {
			hits++
		}
	}
	if hits < 350 || hits > 650 || s.List()[0].Hits() != int64(hits) {
		t.Errorf("%d of 1000, %d counted", hits, s.List()[0].Hits())
	}
}
