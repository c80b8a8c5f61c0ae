package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheBreakerHoldsWhatWouldBeGivenUp(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	require.NoError(t, run(t.Context(), []string{"-messages", "60", "-clients", "1", "-schedule", "1s", "-probe", "1s"}, &out))
	require.Regexp(t, `(?m)^off +120 +\d+ s +0 +0 s +$`, out.String(), "without it, each message is tried twice and given up")
	require.Regexp(t, `(?m)^after 10 failures +\d\d +\d+ s +\d\d +\d+ s +$`, out.String())
}

func TestFlagsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-messages", "0"}, {"-clients", "0"}, {"-schedule", "x"}, {"more"}} {
		_, err := parseFlags(args)
		require.Error(t, err, "%v", args)
	}
}
