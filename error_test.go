package posthorn_test

import (
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

func TestErrors(t *testing.T) {
	t.Parallel()
	require.Equal(t, posthorn.Code(""), posthorn.CodeOf(nil))
	require.Equal(t, posthorn.Internal, posthorn.CodeOf(io.EOF))
	wrapped := fmt.Errorf("doing: %w", posthorn.Errorf(posthorn.Conflict, "taken: %w", io.EOF))
	require.Equal(t, posthorn.Conflict, posthorn.CodeOf(wrapped))
	require.ErrorIs(t, wrapped, io.EOF)
	require.EqualError(t, posthorn.InvalidField("body.url", "%q has no host", "x"), `body.url: "x" has no host`)
}
