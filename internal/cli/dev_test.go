package cli

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDevTellsWhereEverythingIs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stop := b.background(t, "dev", "--data-dir", b.dataDir)
	b.stdout.awaitText(t, exampleEvent)

	require.Zero(t, b.server.closed)
	require.Equal(t, 0, stop())
	require.Equal(t, 1, b.server.closed)
	banner := b.stdout.String()
	for _, want := range []string{
		"API              http://127.0.0.1:8071\n",
		"API reference    http://127.0.0.1:8071/docs\n",
		"Temporal         127.0.0.1:7233 (namespace default)\n",
		"Temporal Web UI  http://127.0.0.1:8233\n",
		"Data             " + b.dataDir + "\n",
		"loopback receivers are allowed in dev",
		"Token            org.token\n",
		"  posthorn listen --app demo --data-dir " + b.dataDir + "\n",
		"curl -X POST http://127.0.0.1:8071/api/v1/app/demo/msg \\\n    -H 'Authorization: Bearer org.token' \\\n",
	} {
		require.Contains(t, banner, want)
	}
	require.NotContains(t, banner, "Durability")
	require.Equal(t, "posthorn: stopping (Ctrl-C again ends at once)\n", b.stderr.String())
}

func TestDevHintsFindAServerThatIsElsewhere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.server.url, b.server.ui = "http://127.0.0.1:9000", ""
	b.background(t, "dev", "--listen", "127.0.0.1:0", "--data-dir", "it's here", "--durability", "normal")
	b.stdout.awaitText(t, exampleEvent)

	require.Contains(t, b.stdout.String(), `posthorn listen --app demo --server http://127.0.0.1:9000 --data-dir 'it'\''s here'`)
	require.Contains(t, b.stdout.String(), "Durability       normal: ")
	require.NotContains(t, b.stdout.String(), "Web UI")
}

func TestDevWithAPublicKeyHasNoTokenToTell(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.server.token = ""
	b.background(t, "dev", "--data-dir", b.dataDir)
	b.stdout.awaitText(t, exampleEvent)
	require.Contains(t, b.stdout.String(), "Token            only a public key is set: make one where the private key is\n")
	require.Contains(t, b.stdout.String(), "-H 'Authorization: Bearer TOKEN'")
}

func TestTheExampleEventIsWhatTheAPITakes(t *testing.T) {
	t.Parallel()
	event := decode[messageIn](t, exampleEvent)
	require.Equal(t, "order.created", event.EventType)
	require.Equal(t, &appIn{UID: "demo", Name: "Demo"}, event.Application)
	require.True(t, json.Valid(event.Payload))
	require.NotContains(t, exampleEvent, "'", "it stands between single quotes")
}

func TestDevThatCannotStart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.server.start = func(context.Context) error {
		return errors.New("--listen 127.0.0.1:8071: address already in use")
	}

	require.Equal(t, 2, b.run(t, "dev"))

	b.requireFailure(t, "--listen 127.0.0.1:8071: address already in use")
	require.Empty(t, b.stdout.String())
}

func TestDevThatCannotEndCleanly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.server.closeErr = errors.New("disk full")
	stop := b.background(t, "dev")
	b.stdout.awaitText(t, exampleEvent)

	require.Equal(t, 1, stop())
	require.Contains(t, b.stderr.String(), "\nposthorn: stopping: disk full\n")
}

func TestDevSaysWhatTakesLong(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		takes time.Duration
		want  string
	}{
		"a quick start is quiet":     {slowStart / 2, ""},
		"a slow one shows it is not": {slowStart * 2, "posthorn: starting Temporal …\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := setup(t)
				b.server.start = func(ctx context.Context) error {
					<-time.After(tc.takes)
					return nil
				}
				require.NoError(t, b.program.start(t.Context(), b.server))
				require.Equal(t, tc.want, b.stderr.String())
			})
		})
	}
}

func TestDevInterruptedWhileStartingEndsQuietly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	starting := make(chan struct{})
	b.server.start = func(ctx context.Context) error {
		close(starting)
		<-ctx.Done()
		return ctx.Err()
	}
	stop := b.background(t, "dev")
	<-starting

	require.Equal(t, 0, stop())
	require.Empty(t, b.stderr.String())
}

func TestPrintableLeavesNothingThatSteersATerminal(t *testing.T) {
	t.Parallel()
	got := printable("grün\n\x1b[2J\u009b" + url.PathEscape("\r"))
	require.False(t, strings.ContainsAny(got, "\x1b\u009b"))
	require.True(t, strings.HasPrefix(got, "grün\n"))
}
