// What the documentation shows is executed: every ```sh block of README.md and
// docs/*.md. The blocks of one file run in order, in one bash, against a fresh
// server of the built program; http://127.0.0.1:4437 stands for its address.
// Long-polls and SSE responses end after a second. A block for people only is
// ```console.
//
// A ```text block that follows a ```sh block is what the commands print, with
// curl -i or -I, abridged:
//
//   - A status line (HTTP/1.1 201 Created) begins a response. There must be as
//     many as were printed, in the same order.
//   - The lines up to a blank one are headers, which the response must have, in
//     any order; the others are the body, whose lines must be there in this order.
//   - … stands for any text within a line.
//
// Without a ```text block, or where none of its lines is a status line, no
// response may be an error. No command may fail.
package docs

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tailrace/test/program"
)

const (
	root      = "../.."
	shownURL  = "http://127.0.0.1:4437"
	separator = "\x1e" // between the outputs of blocks
)

func TestMain(m *testing.M) { program.Main(m) }

func TestExamples(t *testing.T) {
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the examples need %s", tool)
		}
	}
	files, err := filepath.Glob(root + "/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, root+"/README.md") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			examples, err := parse(string(text))
			if err != nil {
				t.Fatal(err)
			}
			if len(examples) > 0 {
				p := program.Start(t, t.TempDir(), "--long-poll-timeout", "1s", "--sse-max-age", "1s")
				run(t, p.DataURL, examples)
			}
		})
	}
}

// example is a block of commands and what they print.
type example struct {
	line     int // of the first command
	commands string
	want     string
	hasWant  bool
}

// parse finds the examples of a Markdown file.
func parse(text string) (examples []example, err error) {
	var (
		info string // of the open block
		body []string
		open bool
		last *example // the example that a text block may follow
	)
	for i, line := range strings.Split(text, "\n") {
		fence, isFence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case isFence && !open:
			open, info, body = true, fence, nil
		case isFence:
			open = false
			content := strings.Join(body, "\n")
			if info == "sh" {
				examples = append(examples, example{line: i + 1 - len(body), commands: content})
				last = &examples[len(examples)-1]
				continue
			}
			if info == "text" && last != nil {
				last.want, last.hasWant = content, true
			}
			last = nil
		case open:
			body = append(body, line)
		case strings.TrimSpace(line) != "":
			last = nil
		}
	}
	if open {
		return nil, fmt.Errorf("the last block is not closed")
	}
	return examples, nil
}

// prelude makes curl quiet about progress, impatient, and loud about statuses.
const prelude = `set -euo pipefail
curl() { command curl -sS --max-time 20 -w '%{stderr}\n@status %{http_code} %{url_effective}\n' "$@"; local failed=$?; echo; return $failed; }
`

// run executes the examples in one bash and compares.
func run(t *testing.T, url string, examples []example) {
	var script strings.Builder
	script.WriteString(prelude)
	for _, e := range examples {
		fmt.Fprintf(&script, "%s\nprintf %q\nprintf %q >&2\n",
			strings.ReplaceAll(e.commands, shownURL, url), separator, separator)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "examples.sh")
	if err := os.WriteFile(file, []byte(script.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", file)
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	failed := cmd.Run()
	clean := func(b *bytes.Buffer) []string {
		s := strings.ReplaceAll(b.String(), "\r\n", "\n")
		return strings.Split(strings.ReplaceAll(s, url, shownURL), separator)
	}
	printed, notes := clean(&stdout), clean(&stderr)
	for i, e := range examples {
		if i >= len(printed)-1 || i >= len(notes)-1 {
			t.Fatalf("line %d: a command failed: %v\n%s\n%s", e.line, failed, printed[len(printed)-1], notes[len(notes)-1])
		}
		if err := e.check(printed[i], notes[i]); err != nil {
			t.Errorf("line %d: %v\n--- printed\n%s", e.line, err, printed[i])
		}
	}
}

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
		list = append(list, response{lines[0], lines[1:], strings.Split(body, "\n")})
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
