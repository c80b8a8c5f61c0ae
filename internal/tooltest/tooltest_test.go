package tooltest_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/tooltest"
)

func TestFind(t *testing.T) {
	if os.Getenv("TOOLTEST_LACKS") != "" {
		tooltest.Find(t, "a-program-that-nobody-has")
		t.Log("went on")
		return
	}
	t.Parallel()
	require.FileExists(t, tooltest.Find(t, "go"))
	self, err := os.Executable()
	require.NoError(t, err)
	for _, c := range []struct {
		ci     string
		failed bool
		want   string
	}{
		{"", false, "--- SKIP: TestFind"},
		{"1", true, "--- FAIL: TestFind"},
	} {
		command := exec.CommandContext(t.Context(), self, "-test.run", "^TestFind$", "-test.v")
		command.Env = append(os.Environ(), "TOOLTEST_LACKS=1", "POSTHORN_CI="+c.ci)
		output, err := command.CombinedOutput()
		require.Equal(t, c.failed, err != nil, "%s", output)
		require.Contains(t, string(output), c.want)
		require.Contains(t, string(output), "a-program-that-nobody-has is not installed")
		require.NotContains(t, string(output), "went on")
	}
}
