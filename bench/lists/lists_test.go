package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryListFindsWhatThereIs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 2 { // makes the data, and finds it
		var out strings.Builder
		require.NoError(t, run(t.Context(), []string{"-messages", "2000", "-requests", "1", "-dir", dir}, &out))
		require.FileExists(t, filepath.Join(dir, "posthorn.db"))
		require.Contains(t, out.String(), "2000 messages, ")
		for _, list := range []string{"applications", "messages of an endpoint", "attempts at an endpoint", "count of attempts"} {
			require.Contains(t, out.String(), "| "+list)
		}
	}
}

func TestFlagsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-messages", "10"}, {"-requests", "0"}, {"more"}} {
		_, err := parseFlags(args)
		require.Error(t, err, "%v", args)
	}
}
