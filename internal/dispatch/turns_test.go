package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"

	"github.com/posthorn/posthorn/internal/dispatch"
)

// engine stands for Temporal: it answers a call when it is told to.
type engine struct {
	t        *testing.T
	turns    *dispatch.Turns
	arrivals []string      // in the order in which they were let through
	proceed  chan struct{} // one for each call that is to be answered
}

// calls makes a call and returns what comes of it once that is known.
func (e *engine) calls(name string, in, out any, fails error) <-chan error {
	done := make(chan error, 1)
	go func() {
		done <- e.turns.Intercept(e.t.Context(), name, in, out, nil,
			func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
				e.arrivals = append(e.arrivals, name) // one call is let through at a time
				<-e.proceed
				return fails
			})
	}()
	synctest.Wait()
	return done
}

func (e *engine) answer(calls int) {
	for range calls {
		e.proceed <- struct{}{}
		synctest.Wait()
	}
}

func (e *engine) start(name, owner, token string) {
	e.calls(name, &workflowservice.StartWorkflowExecutionRequest{Priority: &common.Priority{FairnessKey: owner}},
		&workflowservice.StartWorkflowExecutionResponse{
			EagerWorkflowTask: &workflowservice.PollWorkflowTaskQueueResponse{TaskToken: []byte(token)},
		}, nil)
}

func TestApplicationsTakeTurns(t *testing.T) {
	t.Parallel()
	with := func(name string, f func(t *testing.T, e *engine)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f(t, &engine{t: t, turns: dispatch.NewTurns(1), proceed: make(chan struct{})})
			})
		})
	}

	with("a burst is not in the way of others", func(t *testing.T, e *engine) {
		for i := range 100 {
			e.start(fmt.Sprint("loud", i), "loud", fmt.Sprint(i))
		}
		e.start("quiet", "quiet", "q")
		e.answer(101)
		require.Equal(t, []string{"loud0", "loud1", "quiet", "loud2"}, e.arrivals[:4])
	})
	with("what has begun is finished first", func(t *testing.T, e *engine) {
		e.start("begins", "a", "task")
		e.answer(1)
		e.start("next", "a", "2")
		e.start("third", "a", "3")
		completed := e.calls("completes", &workflowservice.RespondWorkflowTaskCompletedRequest{TaskToken: []byte("task")},
			&workflowservice.RespondWorkflowTaskCompletedResponse{
				ActivityTasks: []*workflowservice.PollActivityTaskQueueResponse{{TaskToken: []byte("activity")}},
			}, nil)
		e.answer(3)
		require.NoError(t, <-completed)
		require.Equal(t, []string{"begins", "next", "completes", "third"}, e.arrivals)
	})
	with("tasks belong to whose workflow it is, also when they are answered anew", func(t *testing.T, e *engine) {
		polled := e.calls("poll", &workflowservice.PollActivityTaskQueueRequest{}, &workflowservice.PollActivityTaskQueueResponse{
			TaskToken: []byte("activity"), Priority: &common.Priority{FairnessKey: "loud"},
		}, nil)
		e.answer(1)
		require.NoError(t, <-polled)
		e.start("loud", "loud", "1")
		unlucky := errors.New("no connection")
		e.start("waits", "loud", "2")
		failed := e.calls("fails", &workflowservice.RespondActivityTaskFailedRequest{TaskToken: []byte("activity")}, nil, unlucky)
		e.start("quiet", "quiet", "3")
		e.answer(2)
		require.ErrorIs(t, <-failed, unlucky)
		again := e.calls("again", &workflowservice.RespondActivityTaskFailedRequest{TaskToken: []byte("activity")}, nil, nil)
		e.answer(3)
		require.NoError(t, <-again)
		require.Equal(t, []string{"poll", "loud", "fails", "quiet", "again", "waits"}, e.arrivals)
	})
	with("what costs nothing doesn't wait", func(t *testing.T, e *engine) {
		e.start("loud", "loud", "1")
		described := e.calls("describe", &workflowservice.DescribeWorkflowExecutionRequest{}, nil, nil)
		require.Equal(t, []string{"loud", "describe"}, e.arrivals)
		e.answer(2)
		require.NoError(t, <-described)
	})
}
