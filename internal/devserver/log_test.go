package devserver

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/server/common/log/tag"
)

func TestLogOfAStart(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := newLogger(slog.New(slog.NewTextHandler(&out, nil)))
	unready := tag.Error(errors.New("failed reaching server: Frontend is not healthy yet"))
	l.Error("service failures", unready)
	l.Warn("error creating sdk client", unready)
	l.Info("whatever")
	require.Empty(t, out.String(), "services that wait for each other are no news")
	l.Error("service failures", tag.Error(errors.New("disk full")))
	require.Contains(t, out.String(), "disk full")

	l.stage.Store(running)
	l.Error("service failures", unready)
	require.Contains(t, out.String(), "not healthy", "later they are")
}
