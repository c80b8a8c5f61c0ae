package main_test

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// requireRefused checks how a process ends that cannot start: at once, with code 2 and one line that says why.
func requireRefused(t *testing.T, p *process, why ...string) {
	t.Helper()
	require.Equal(t, 2, p.Wait(t), "%s", p.Stderr)
	require.Empty(t, p.Stdout.String())
	lines := slices.DeleteFunc(p.Stderr.Lines(), func(line string) bool { return line == "posthorn: starting Temporal …" }) // it took a second
	require.Len(t, lines, 1, "%s", p.Stderr)
	require.True(t, strings.HasPrefix(lines[0], "posthorn: "), "%s", p.Stderr)
	for _, words := range why {
		require.Contains(t, p.Stderr.String(), words)
	}
}

func TestStartRefused(t *testing.T) {
	t.Parallel()

	for _, flag := range []string{"--listen", "--temporal-listen", "--temporal-ui-listen"} {
		t.Run("because another program has the address of "+flag, func(t *testing.T) {
			t.Parallel()
			taken, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer taken.Close()
			args := []string{"dev", "--data-dir", t.TempDir()}
			for _, other := range []string{"--listen", "--temporal-listen", "--temporal-ui-listen"} {
				if other == flag {
					args = append(args, flag, taken.Addr().String())
				} else {
					args = append(args, other, "127.0.0.1:0")
				}
			}
			requireRefused(t, start(t, args...), flag+" "+taken.Addr().String(), "address already in use")
		})
	}

	t.Run("because the data folder is a file", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(file, []byte("mine"), 0o600))
		for _, dir := range []string{file, filepath.Join(file, "below")} {
			requireRefused(t, start(t, "dev", "--data-dir", dir), "--data-dir "+dir, "not a directory")
		}
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, "mine", string(content))
	})

	t.Run("because another process has the data folder, which goes on undisturbed", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		requireRefused(t, start(t, "dev", "--data-dir", s.dir, "--listen", "127.0.0.1:0", "--temporal-listen", "127.0.0.1:0",
			"--temporal-ui-listen", "off"), "--data-dir "+s.dir, "in use by another posthorn process")
		s.createApp(t)
		require.Zero(t, s.Stop(t), "%s", s.Stderr)
	})
}

func TestBadFlagsAreRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		flag  string
		value string
	}{
		"an address without a port":           {"--listen", "127.0.0.1"},
		"an address with a port out of range": {"--temporal-listen", "127.0.0.1:65536"},
		"an address that is a name":           {"--temporal-ui-listen", "on"},
		"a schedule of no durations":          {"--retry-schedule", "soon"},
		"a schedule with a wait too long":     {"--retry-schedule", "721h"},
		"a schedule with too many waits":      {"--retry-schedule", strings.Repeat("1s,", 50) + "1s"},
		"a timeout that is no duration":       {"--attempt-timeout", "15"},
		"a timeout too short":                 {"--attempt-timeout", "999ms"},
		"a timeout too long":                  {"--attempt-timeout", "61s"},
		"an unknown kind of signature":        {"--default-signature-type", "rsa"},
		"a main secret too short":             {"--main-secret", "15 bytes, alas!"},
		"a subnet that is none":               {"--allow-subnets", "10.0.0.0/33"},
		"an unknown durability":               {"--durability", "some"},
		"a proxy that is no URL":              {"--proxy", "10.0.0.7:3128"},
		"an exception from no proxy":          {"--no-proxy", "10.0.0.0/8"},
		"an unknown form of log":              {"--log-format", "xml"},
		"an unknown level":                    {"--log-level", "loud"},
		"an algorithm that signs nothing":     {"--jwt-algorithm", "none"},
		"an algorithm without its keys":       {"--jwt-algorithm", "RS256"},
		"an address that is no URL":           {"--public-url", "hooks.example.com"},
		"clients that are no network":         {"--allow-clients", "everybody"},
		"a proxy that is no network":          {"--trusted-proxies", "nginx"},
		"a rate that is none":                 {"--rate-limit-token", "fast"},
		"a rate that lets nothing through":    {"--rate-limit-address", "10:0"},
		"an unknown flag":                     {"--port", "8071"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "data")
			requireRefused(t, start(t, "dev", "--data-dir", dir, tc.flag, tc.value), tc.flag, `run "posthorn dev --help"`)
			require.NoDirExists(t, dir)
		})
	}

	t.Run("all at once, in one line", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "data")
		requireRefused(t, start(t, "dev", "--data-dir", dir, "--listen", "x", "--temporal-listen", "y", "--attempt-timeout", "1h"),
			"--listen ", "--temporal-listen ", "--attempt-timeout ")
		require.NoDirExists(t, dir)
	})
}
