// Command apidoc prints the OpenAPI document of the API, for the copy in docs/ that shows in reviews what a change does
// to the contract.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"github.com/posthorn/posthorn/api"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "apidoc:", err)
		os.Exit(1)
	}
}

func run() error {
	document, err := api.Document("unreleased")
	if err != nil {
		return err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, document, "", "  "); err != nil {
		return err
	}
	indented.WriteByte('\n')
	_, err = indented.WriteTo(os.Stdout)
	return err
}
