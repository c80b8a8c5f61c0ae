package cli

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/api"
	"github.com/posthorn/posthorn/internal/config"
)

func TestFlagsKnowAllThereIs(t *testing.T) {
	t.Parallel()
	for _, algorithm := range config.JWTAlgorithms {
		require.Equal(t, algorithm, configured(t, setup(t), "dev", "--jwt-algorithm", algorithm, "--jwt-key-file", "key").JWT.Algorithm)
	}
	for _, capability := range api.Capabilities() {
		b := setup(t)
		require.Equal(t, 0, b.run(t, "token", "--data-dir", b.dataDir, "--capabilities", string(capability)), b.stderr)
		require.Contains(t, b.stdout.String(), "Capabilities:["+string(capability)+"]")
	}
}

func TestRates(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]config.Rate{
		"off": {}, "50": {PerSecond: 50, Burst: 50}, "0.1": {PerSecond: 0.1, Burst: 1}, "2.5": {PerSecond: 2.5, Burst: 3}, "10:1": {PerSecond: 10, Burst: 1},
	} {
		var got rate
		require.NoError(t, got.UnmarshalText([]byte(text)), text)
		require.Equal(t, want, config.Rate(got), text)
	}
	for _, text := range []string{"", "0", "-1", "many", "NaN", "Inf", "1e99", "10:", "10:0", "10:-1", "10:1.5", ":5"} {
		var got rate
		require.ErrorContains(t, got.UnmarshalText([]byte(text)), "is not a rate such as 50, 0.5 or 50:200", text)
	}
}
