package docs

import (
	"fmt"
	"strings"
)

// page is what of a Markdown file is executed.
type page struct {
	examples []example
	files    map[string]string // content by name
}

// example is a block of commands and what they print.
type example struct {
	line     int // of the first command
	commands string
	restart  bool // the server, before
	want     string
	hasWant  bool
}

// parse finds the examples of a Markdown file.
func parse(text string) (*page, error) {
	var (
		p       = &page{files: map[string]string{}}
		info    string // of the open block
		body    []string
		open    bool
		restart bool
		last    *example // the example that a text block may follow
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
				p.examples = append(p.examples, example{line: i + 1 - len(body), commands: content, restart: restart})
				last, restart = &p.examples[len(p.examples)-1], false
				continue
			}
			if info == "text" {
				if last == nil {
					return nil, fmt.Errorf("line %d: this ```text block follows no ```sh block", i+1)
				}
				last.want, last.hasWant = content, true
			}
			if _, name, ok := strings.Cut(info, " "); ok {
				p.files[name] = content + "\n"
			}
			last = nil
		case open:
			body = append(body, line)
		case line == "<!-- restart the server -->":
			restart = true
		case strings.TrimSpace(line) != "":
			last = nil
		}
	}
	if open {
		return nil, fmt.Errorf("the last block is not closed")
	}
	return p, nil
}
