package usage

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestUsageIsReadFromProc(t *testing.T) {
	t.Parallel()
	stat := []byte("4711 (a) b (c) S 1 4711 4711 0 -1 4194304 1 0 0 0 250 50 70 30 20 0 9 0 1 1 1 1")
	p, err := parseProcess(stat, []byte("Name:\tbench\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n"))
	require.NoError(t, err)
	require.Equal(t, Process{CPU: 3 * time.Second, RSS: 1 << 20, Peak: 2 << 20}, p)
	_, err = parseProcess([]byte("4711 (bench) S"), nil)
	require.Error(t, err)
	of, err := parseStat(stat)
	require.NoError(t, err)
	require.Equal(t, times{parent: 1, own: 3 * time.Second, ended: time.Second}, of)

	busy, err := parseMachine([]byte("cpu  100 20 300 9999 888 0 40 50 7 7\ncpu0 1\n"))
	require.NoError(t, err)
	require.Equal(t, 5100*time.Millisecond, busy)
	_, err = parseMachine([]byte("cpu  1 2"))
	require.Error(t, err)
}

func TestUsageOfThisProcess(t *testing.T) {
	t.Parallel()
	p, err := Of(os.Getpid())
	require.NoError(t, err)
	require.Positive(t, p.RSS)
	require.GreaterOrEqual(t, p.Peak, p.RSS)
	family, err := Family(os.Getpid())
	require.NoError(t, err)
	require.GreaterOrEqual(t, family, p.CPU)
	machine, err := Machine()
	require.NoError(t, err)
	require.GreaterOrEqual(t, machine, p.CPU)
}
