package main

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMain lets the test's own program be the server, as the benchmark's is.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == childCommand {
		if err := runServer(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func TestEveryScenarioMeasuresBothTenants(t *testing.T) {
	t.Parallel()
	for _, s := range scenarios() {
		r := result{scenario: s}
		require.NoError(t, r.measure(t.Context(), options{rate: 5, burst: 20, lead: time.Second, window: 2 * time.Second}, 0))
		for _, f := range []figures{r.alone, r.beside} {
			require.NotEmpty(t, f.received)
			require.Len(t, f.accepted, len(f.received))
			require.Positive(t, f.server)
		}
		require.Zero(t, r.alone.loudPosts+r.alone.loudGot)
	}
}
