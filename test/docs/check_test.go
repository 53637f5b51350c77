package docs

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

var statusLine = regexp.MustCompile(`(?m)^HTTP/[0-9.]+ [0-9]{3}`)

// check compares what was printed with what is expected.
func (e *example) check(printed, notes string) error {
	if !statusLine.MatchString(e.want) {
		if m := regexp.MustCompile(`(?m)^@status [45].*$`).FindString(notes); m != "" {
			return fmt.Errorf("a request failed: %s", m)
		}
	}
	if !e.hasWant {
		return nil
	}
	want, got := responses(e.want), responses(printed)
	if !statusLine.MatchString(e.want) {
		return inOrder(strings.Split(e.want, "\n"), strings.Split(printed, "\n"))
	}
	for i, w := range want {
		if i >= len(got) {
			return fmt.Errorf("%q is missing: %d responses were printed", w.status, len(got))
		}
		if err := w.in(got[i]); err != nil {
			return fmt.Errorf("response %d: %w", i+1, err)
		}
	}
	if len(got) > len(want) {
		return fmt.Errorf("%d responses were printed, %d are expected", len(got), len(want))
	}
	return nil
}

// response is one response in an output.
type response struct {
	status  string
	headers []string
	body    []string
}

func responses(output string) (list []response) {
	starts := append(statusLine.FindAllStringIndex(output, -1), []int{len(output)})
	for i := range len(starts) - 1 {
		text := output[starts[i][0]:starts[i+1][0]]
		head, body, _ := strings.Cut(text, "\n\n")
		lines := strings.Split(strings.TrimRight(head, "\n"), "\n")
		list = append(list, response{strings.TrimSpace(lines[0]), lines[1:], strings.Split(body, "\n")})
	}
	return list
}

// in reports what of a response is missing in another one.
func (r *response) in(got response) error {
	if r.status != got.status {
		return fmt.Errorf("status %q, expected %q", got.status, r.status)
	}
	for _, h := range r.headers {
		if err := inOrder([]string{h}, got.headers); err != nil {
			return err
		}
	}
	return inOrder(r.body, got.body)
}

// inOrder looks for lines in an output, in order.
func inOrder(want, got []string) error {
	for _, w := range want {
		if strings.TrimSpace(w) == "" {
			continue
		}
		parts := strings.Split(w, "…")
		for i, p := range parts {
			parts[i] = regexp.QuoteMeta(p)
		}
		line := regexp.MustCompile("^" + strings.Join(parts, ".*") + "$")
		i := 0
		for i < len(got) && !line.MatchString(got[i]) {
			i++
		}
		if i == len(got) {
			return fmt.Errorf("%q is missing", w)
		}
		got = got[i+1:]
	}
	return nil
}

// The comparison must fail when it should.
func TestCheck(t *testing.T) {
	const printed = "HTTP/1.1 200 OK\nA: 1\nB: 2\n\none\ntwo\n\nHTTP/1.1 404 Not Found\nC: 3\n\n{\"x\":1}\n"
	for name, tt := range map[string]struct {
		want, notes string
		ok          bool
	}{
		"all":                  {printed, "", true},
		"abridged":             {"HTTP/1.1 200 OK\nB: …\n\ntwo\n\nHTTP/1.1 404 Not Found\n\n{…}", "", true},
		"another status":       {"HTTP/1.1 201 Created\n\nHTTP/1.1 404 Not Found", "", false},
		"a response less":      {"HTTP/1.1 200 OK", "", false},
		"a response more":      {printed + "\nHTTP/1.1 200 OK", "", false},
		"another header":       {"HTTP/1.1 200 OK\nA: 2\n\nHTTP/1.1 404 Not Found", "", false},
		"another order":        {"HTTP/1.1 200 OK\n\ntwo\none\n\nHTTP/1.1 404 Not Found", "", false},
		"a body":               {"one", "@status 200 x", true},
		"another body":         {"three", "@status 200 x", false},
		"an unexpected status": {"one", "@status 200 x\n\n@status 404 x", false},
	} {
		t.Run(name, func(t *testing.T) {
			e := example{want: tt.want, hasWant: true}
			if err := e.check(printed, tt.notes); (err == nil) != tt.ok {
				t.Error(err)
			}
		})
	}
}
