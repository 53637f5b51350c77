package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"tailrace/backend/inspect"
)

func main() {
	if err := write(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "openapi:", err)
		os.Exit(1)
	}
}

// write prints the description indented, so that a change of it can be read.
func write(w io.Writer) error {
	description, err := inspect.OpenAPI()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, description, "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err = b.WriteTo(w)
	return err
}
