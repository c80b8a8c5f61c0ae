package main_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/tooltest"
)

// TestWithoutEmbedded is about the build for clusters: it has no Temporal server in it, and says so.
func TestWithoutEmbedded(t *testing.T) {
	t.Parallel()
	dependencies := func(tags string) []string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), tooltest.Find(t, "go"), "list", "-deps", "-tags", tags, ".").Output()
		require.NoError(t, err)
		return strings.Fields(string(out))
	}
	foreign := func(packages []string) (found []string) {
		for _, name := range packages {
			for _, left := range []string{"go.temporal.io/server", "github.com/temporalio/ui-server", "modernc.org/sqlite", "github.com/posthorn/posthorn/internal/devserver"} {
				if strings.HasPrefix(name, left) {
					found = append(found, name)
				}
			}
		}
		return found
	}
	require.NotEmpty(t, foreign(dependencies("")), "the usual build has them")
	require.Empty(t, foreign(dependencies("noembedded")))

	program := t.TempDir() + "/posthorn"
	out, err := exec.CommandContext(t.Context(), tooltest.Find(t, "go"), "build", "-tags", "noembedded", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	ended, err := exec.CommandContext(t.Context(), program, "dev", "--data-dir", t.TempDir()).CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 2, exit.ExitCode())
	require.Contains(t, string(ended), "no Temporal server in it")
}
