// Package main_test drives the built program from outside, as users, operators and bad luck do.
package main_test

import (
	"testing"

	"github.com/posthorn/posthorn/internal/binarytest"
)

// binary is the program under test.
var binary string

func TestMain(m *testing.M) { binarytest.Main(m, &binary) }
