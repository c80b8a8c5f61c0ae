package clustertest

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/posthorn/posthorn/internal/binarytest"
)

// binaries are the programs that a cluster consists of, beside PostgreSQL.
var binaries struct{ posthorn, temporal string }

// Main builds the programs, runs the tests and ends the process. It fails if the tests leave goroutines behind. Call it in
// TestMain.
func Main(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	posthorn, remove, err := binarytest.Build()
	defer remove()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	temporal, remove, err := binarytest.BuildPackage("github.com/posthorn/posthorn/internal/clustertest/temporal")
	defer remove()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binaries.posthorn, binaries.temporal = posthorn, temporal
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "goroutines left behind:", err)
		code = 1
	}
	return code
}
