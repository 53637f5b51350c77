package update_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tailrace/backend/update"
)

func TestAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		answer string
		want   update.State
		says   string // part of the problem
	}{
		"a newer release of a forge":  {200, `{"tag_name":"v0.10.0","html_url":"https://forge.example/r/0.10.0"}`, update.State{Newer: "0.10.0", URL: "https://forge.example/r/0.10.0"}, ""},
		"a document of one's own":     {200, `{"version":"1.0.0","url":"https://example.com/"}`, update.State{Newer: "1.0.0", URL: "https://example.com/"}, ""},
		"the same":                    {200, `{"version":"0.9.0","url":"https://example.com/"}`, update.State{}, ""},
		"an older one":                {200, `{"version":"0.8.9"}`, update.State{}, ""},
		"a release before this one":   {200, `{"version":"0.9.0-rc.1"}`, update.State{}, ""},
		"a link that would be run":    {200, `{"version":"1.0.0","url":"javascript:alert(1)"}`, update.State{Newer: "1.0.0"}, ""},
		"no version":                  {200, `{"message":"hello"}`, update.State{}, "names no version"},
		"no JSON":                     {200, `<html>`, update.State{}, "read the answer"},
		"an answer that is a refusal": {404, `{}`, update.State{}, "404"},
	} {
		t.Run(name, func(t *testing.T) {
			agent := make(chan string, 1)
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				agent <- r.UserAgent()
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.answer))
			}))
			defer s.Close()
			c := update.Open(s.URL, "0.9.0", time.Now, slog.New(slog.DiscardHandler))
			defer c.Close()
			if got := <-agent; got != "tailrace/0.9.0" {
				t.Errorf("it said that it was %q", got)
			}
			got := c.State()
			for got.CheckedAt == 0 && got.Problem == "" {
				time.Sleep(time.Millisecond) // there is no other sign
				got = c.State()
			}
			if d := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(update.State{}, "CheckedAt", "Problem")); d != "" {
				t.Error(d)
			}
			if (tt.says == "") != (got.Problem == "") || !strings.Contains(got.Problem, tt.says) {
				t.Errorf("problem %q, want %q", got.Problem, tt.says)
			}
		})
	}
}

// Whoever answers nothing does not hold up the end.
func TestCloseDoesNotWaitForAnAnswer(t *testing.T) {
	asked := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	}))
	defer s.Close()
	c := update.Open(s.URL, "0.9.0", time.Now, slog.New(slog.DiscardHandler))
	<-asked
	c.Close()
	if s := c.State(); s != (update.State{}) {
		t.Errorf("it knows %+v", s)
	}
}

func TestNobodyAsks(t *testing.T) {
	var c *update.Checker
	if s := c.State(); s != (update.State{}) {
		t.Errorf("it knows %+v", s)
	}
}
