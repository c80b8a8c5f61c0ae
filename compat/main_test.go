package compat

import (
	"testing"

	"github.com/posthorn/posthorn/internal/binarytest"
)

// binary is the program under test.
var binary string

func TestMain(m *testing.M) { binarytest.Main(m, &binary) }
