package engine_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/posthorn/posthorn/internal/engine"
)

// connection reads variables that come in pairs of name and value.
func connection(pairs ...string) (client.Options, error) {
	values, all := map[string]string{}, []string{}
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = pairs[i+1]
		all = append(all, pairs[i]+"="+pairs[i+1])
	}
	return engine.Connection(
		func(name string) (string, bool) { value, ok := values[name]; return value, ok },
		func() []string { return all })
}

func TestConnection(t *testing.T) {
	t.Parallel()
	nowhere := filepath.Join(t.TempDir(), "none.toml")

	t.Run("is to this machine by default, also with empty variables", func(t *testing.T) {
		t.Parallel()
		for _, pairs := range [][]string{nil, {"TEMPORAL_ADDRESS", "", "TEMPORAL_NAMESPACE", "", "TEMPORAL_API_KEY", "", "TEMPORAL_TLS", ""}} {
			o, err := connection(append(pairs, "TEMPORAL_CONFIG_FILE", nowhere)...)
			require.NoError(t, err)
			require.Equal(t, client.DefaultHostPort, o.HostPort)
			require.Equal(t, engine.DefaultNamespace, o.Namespace)
			require.Nil(t, o.Credentials)
			require.Nil(t, o.ConnectionOptions.TLS)
		}
	})
	t.Run("to Temporal Cloud is with a key over TLS", func(t *testing.T) {
		t.Parallel()
		o, err := connection("TEMPORAL_CONFIG_FILE", nowhere, "TEMPORAL_ADDRESS", "eu.api.temporal.io:7233", "TEMPORAL_NAMESPACE", "hooks.a1b2c", "TEMPORAL_API_KEY", "k3y")
		require.NoError(t, err)
		require.Equal(t, "eu.api.temporal.io:7233", o.HostPort)
		require.Equal(t, "hooks.a1b2c", o.Namespace)
		require.NotNil(t, o.Credentials)
		require.NotNil(t, o.ConnectionOptions.TLS)
	})
	t.Run("is what a profile says", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(t.TempDir(), "temporal.toml")
		require.NoError(t, os.WriteFile(file, []byte("[profile.prod]\naddress = \"temporal.test:7233\"\nnamespace = \"hooks\"\n"), 0o600))
		o, err := connection("TEMPORAL_CONFIG_FILE", file, "TEMPORAL_PROFILE", "prod")
		require.NoError(t, err)
		require.Equal(t, "temporal.test:7233", o.HostPort)
		require.Equal(t, "hooks", o.Namespace)
	})
	t.Run("names a certificate that can't be read", func(t *testing.T) {
		t.Parallel()
		_, err := connection("TEMPORAL_CONFIG_FILE", nowhere, "TEMPORAL_TLS_SERVER_CA_CERT_PATH", nowhere)
		require.ErrorContains(t, err, nowhere)
	})
}
