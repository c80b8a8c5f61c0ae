package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBothWaysSendEverythingAgain(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	require.NoError(t, run(t.Context(), []string{"-messages", "150", "-rounds", "1"}, &out))
	require.Regexp(t, `(?m)^\| 1 \| \d+ \| \d+ \| [\d.]+ \|$`, out.String())
	require.Contains(t, out.String(), "median of the ratios")
}

func TestFlagsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-messages", "0"}, {"-messages", "10001"}, {"-rounds", "0"}, {"more"}} {
		_, err := parseFlags(args)
		require.Error(t, err, "%v", args)
	}
}
