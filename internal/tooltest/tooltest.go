// Package tooltest is for tests that need a program which not every machine has.
package tooltest

import (
	"os"
	"os/exec"
	"testing"
)

// Find returns the path of a program, or ends the test as Absent does.
func Find(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		Absent(t, "%s is not installed", program)
	}
	return path
}

// Absent ends a test that lacks something which has to be installed. It is the only way to skip a test: where everything
// has to be there, under POSTHORN_CI=1, the test fails instead.
func Absent(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("POSTHORN_CI") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...) //nolint:forbidigo // see above
}
