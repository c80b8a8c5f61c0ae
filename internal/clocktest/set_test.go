package clocktest_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/clocktest"
)

// TestSet has another process tell the time while its clock is set.
func TestSet(t *testing.T) {
	if os.Getenv("CLOCKTEST_TELLS") != "" {
		tell()
	}
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	p := exec.CommandContext(t.Context(), self, "-test.run", "^TestSet$")
	p.Env = append(os.Environ(), "CLOCKTEST_TELLS=1")
	ask, err := p.StdinPipe()
	require.NoError(t, err)
	answers, err := p.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.Start())
	for _, ahead := range []time.Duration{0, time.Hour, -time.Hour, 0} {
		clocktest.Set(t, p.Process.Pid, ahead)
		_, err := fmt.Fprintln(ask)
		require.NoError(t, err)
		var seconds, since int64
		_, err = fmt.Fscanln(answers, &seconds, &since)
		require.NoError(t, err)
		require.WithinDuration(t, time.Now().Add(ahead), time.Unix(seconds, 0), 30*time.Minute)
		require.Less(t, since, int64(1800), "what is measured does not jump")
		require.GreaterOrEqual(t, since, int64(0))
	}
	require.NoError(t, ask.Close())
	require.NoError(t, p.Wait())
}

// tell answers each line with the time of day and with the seconds since it began, until there are no more.
func tell() {
	began := time.Now()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(time.Now().Unix(), int64(time.Since(began).Seconds()))
	}
	os.Exit(0)
}
