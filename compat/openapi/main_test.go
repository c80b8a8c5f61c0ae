// Package openapi_test holds the built program to its own OpenAPI document: by thousands of requests that are made from
// the document, and by the page that shows it, in a browser.
package openapi_test

import (
	"testing"

	"github.com/posthorn/posthorn/internal/binarytest"
)

// binary is the program under test.
var binary string

func TestMain(m *testing.M) { binarytest.Main(m, &binary) }
