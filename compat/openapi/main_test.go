// Package openapi_test holds the built program to its own OpenAPI document: by thousands of requests that are made from
// the document, and by the page that shows it, in a browser.
package openapi_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/posthorn/posthorn/internal/binarytest"
)

// binary is the program under test.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		path, remove, err := binarytest.Build()
		defer remove()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		binary = path
		code := m.Run()
		if err := goleak.Find(); err != nil && code == 0 {
			fmt.Fprintln(os.Stderr, "goroutines left behind:", err)
			code = 1
		}
		return code
	}())
}
