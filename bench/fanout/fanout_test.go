package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	if os.Getenv(receiverVariable) != "" {
		main() // this is the receiver of a test
		return
	}
	os.Exit(m.Run())
}

func TestEveryFanoutIsMeasured(t *testing.T) {
	t.Parallel()
	for _, down := range []bool{false, true} {
		var out strings.Builder
		require.NoError(t, run(t.Context(), options{endpoints: []int{3, 600}, deliveries: 30, rounds: 1, down: down}, &out))
		require.Regexp(t, `(?m)^\| 3 +\| 10 +\|`, out.String())
		require.Regexp(t, `(?m)^\| 600 +\| 1 +\|`, out.String())
	}
}

func TestFlagsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-endpoints", "0"}, {"-endpoints", "1,x"}, {"-deliveries", "0"}, {"-rounds", "0"}, {"more"}} {
		_, err := parseFlags(args)
		require.Error(t, err, "%v", args)
	}
}
