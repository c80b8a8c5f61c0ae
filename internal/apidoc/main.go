// Command apidoc writes the OpenAPI document of the API to a file: the copy in docs/ that shows in reviews what a change
// does to the contract.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/posthorn/posthorn/api"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "apidoc:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: apidoc FILE")
	}
	document, err := api.Document("unreleased")
	if err != nil {
		return err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, document, "", "  "); err != nil {
		return err
	}
	indented.WriteByte('\n')
	return os.WriteFile(args[0], indented.Bytes(), 0o644)
}
