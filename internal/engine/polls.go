package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
)

// Polls knows whether the worker of this process gets work: whether it is asking for some, and was not refused just now.
type Polls struct {
	mu        sync.Mutex
	workflows poll
	tasks     poll
}

// settled is how long calls that wait for work must have gone without a failure after one: it may be a minute before one ends.
// As long, a worker that has just got work and is not asking for more yet counts as asking.
const settled = 5 * time.Second

// poll is one kind of asking.
type poll struct {
	open    int       // calls under way
	endedAt time.Time // the last call that did
	failure error     // of that one
}

// Intercept is a [grpc.UnaryClientInterceptor].
func (p *Polls) Intercept(
	ctx context.Context, method string, in, out any, conn *grpc.ClientConn, call grpc.UnaryInvoker, options ...grpc.CallOption,
) error {
	var kind *poll
	switch in.(type) {
	case *workflowservice.PollWorkflowTaskQueueRequest:
		kind = &p.workflows
	case *workflowservice.PollActivityTaskQueueRequest:
		kind = &p.tasks
	default:
		return call(ctx, method, in, out, conn, options...)
	}
	p.change(func() { kind.open++ })
	err := call(ctx, method, in, out, conn, options...)
	p.change(func() {
		kind.open--
		if ctx.Err() == nil { // else the worker ended it
			kind.failure, kind.endedAt = err, time.Now()
		}
	})
	return err
}

func (p *Polls) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// errIdle is what Working says of a worker that asks for nothing.
var errIdle = errors.New("the worker is not asking Temporal for work")

// Working returns nil while the worker asks for workflows and activities, and otherwise why it gets none.
func (p *Polls) Working(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, kind := range []poll{p.workflows, p.tasks} {
		recent := time.Since(kind.endedAt) < settled
		switch {
		case kind.failure != nil && (recent || kind.open == 0):
			return kind.failure
		case !recent && kind.open == 0:
			return errIdle
		}
	}
	return nil
}
