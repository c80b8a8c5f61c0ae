package engine

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
)

func TestPolls(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	p := new(Polls)
	require.ErrorIs(t, p.Working(ctx), errIdle)

	// poll begins a call; end lets it end.
	poll := func(in any) (end func(error)) {
		begun, outcome, ended := make(chan struct{}), make(chan error), make(chan struct{})
		go func() {
			defer close(ended)
			_ = p.Intercept(ctx, "", in, nil, nil, func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
				close(begun)
				return <-outcome
			})
		}()
		<-begun
		return func(err error) { outcome <- err; <-ended }
	}
	workflows := poll(&workflowservice.PollWorkflowTaskQueueRequest{})
	require.ErrorIs(t, p.Working(ctx), errIdle, "it asks for half of the work only")
	tasks := poll(&workflowservice.PollActivityTaskQueueRequest{})
	require.NoError(t, p.Working(ctx))

	refused := errors.New("refused")
	tasks(refused)
	require.ErrorIs(t, p.Working(ctx), refused)
	tasks = poll(&workflowservice.PollActivityTaskQueueRequest{})
	require.ErrorIs(t, p.Working(ctx), refused, "it may be refused again")
	p.tasks.endedAt = time.Now().Add(-settled)
	require.NoError(t, p.Working(ctx), "it is waiting, and was not refused for a while")

	workflows(nil)
	tasks(nil)
	require.NoError(t, p.Working(ctx), "it has just got work, and will ask for more")
	p.tasks.endedAt = time.Now().Add(-settled)
	require.ErrorIs(t, p.Working(ctx), errIdle)
}
