// What the documentation shows is executed: every ```sh block of README.md and
// docs/*.md. The blocks of one file run in order, in one bash, against a fresh
// server of the built program, which is on the PATH as tailrace. :4437 stands for
// its port, :3000 for the one of a receiver of webhooks, which finds it in PORT,
// http://127.0.0.1:9000 and s3://bucket/ for a bucket on an S3 server.
// Long-polls and SSE responses end after a second. A block for people only is
// ```console; build/cli checks that what it calls is there.
//
// A block whose fence says a file name behind the language, as in ```js hook.mjs,
// is a file in the folder where the commands run. The comment
// <!-- restart the server --> does that before the next block.
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
// response may be an error. No command may fail. What a program in the background
// has not printed yet is waited for.
package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tailrace/test/program"
)

const root = "../.."

func TestMain(m *testing.M) { program.Main(m) }

func TestExamples(t *testing.T) {
	for _, tool := range []string{"bash", "curl", "node"} {
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
			page, err := parse(string(text))
			if err != nil {
				t.Fatal(err)
			}
			if len(page.examples) == 0 {
				return
			}
			s := open(t, strings.Contains(string(text), ":9000"))
			for name, content := range page.files {
				s.write(name, content)
			}
			for i := range page.examples {
				s.run(&page.examples[i])
			}
		})
	}
}
