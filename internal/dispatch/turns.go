package dispatch

import (
	"context"
	"sync"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"

	"github.com/posthorn/posthorn/internal/fair"
)

// maxTokens bounds the memory for tasks under way, of which a worker has some thousands. Beyond it, arbitrary ones are
// forgotten; they take their turns with the tasks of nobody.
const maxTokens = 50_000

// Turns lets applications take turns at Temporal. It is where the calls pass that begin a workflow or say what became of
// a task, each of which costs Temporal some commits, and lets a few at a time through: one application's burst then waits
// in here, instead of in Temporal, in front of everybody else's messages.
//
// What finishes a task goes before what begins a workflow, so an application that wants more than there is can begin
// no more than it finishes. Its callers wait.
//
// Whose a call is, is the fairness key that its workflow was started with. A task is answered with a token only, whose
// owner is known from when it came.
type Turns struct {
	gate *fair.Gate

	mu     sync.Mutex
	owners map[string]string // task token → fairness key
}

// NewTurns lets so many calls through at a time.
func NewTurns(calls int) *Turns {
	return &Turns{gate: fair.New(calls), owners: make(map[string]string)}
}

// Intercept is a [grpc.UnaryClientInterceptor].
func (t *Turns) Intercept(
	ctx context.Context, method string, in, out any, conn *grpc.ClientConn, call grpc.UnaryInvoker, options ...grpc.CallOption,
) error {
	token, rank := "", fair.Finishing
	owner := ""
	switch in := in.(type) {
	case *workflowservice.StartWorkflowExecutionRequest:
		owner, rank = in.GetPriority().GetFairnessKey(), fair.Beginning
	case *workflowservice.RespondWorkflowTaskCompletedRequest:
		token = string(in.TaskToken)
	case *workflowservice.RespondActivityTaskCompletedRequest:
		token = string(in.TaskToken)
	case *workflowservice.RespondActivityTaskFailedRequest:
		token = string(in.TaskToken)
	case *workflowservice.RecordActivityTaskHeartbeatRequest:
		token = string(in.TaskToken)
	case *workflowservice.PollActivityTaskQueueRequest:
		err := call(ctx, method, in, out, conn, options...)
		t.came("", out)
		return err
	default:
		return call(ctx, method, in, out, conn, options...)
	}
	if token != "" {
		owner = t.owner(token)
	}
	leave, err := t.gate.Enter(ctx, owner, rank)
	if err != nil {
		return err
	}
	defer leave()
	if err := call(ctx, method, in, out, conn, options...); err != nil {
		return err
	}
	if _, goesOn := in.(*workflowservice.RecordActivityTaskHeartbeatRequest); !goesOn {
		t.forget(token)
	}
	t.came(owner, out)
	return nil
}

// came notes whose the tasks are that an answer brings.
func (t *Turns) came(owner string, out any) {
	switch out := out.(type) {
	case *workflowservice.StartWorkflowExecutionResponse:
		t.note(out.GetEagerWorkflowTask().GetTaskToken(), owner)
	case *workflowservice.RespondWorkflowTaskCompletedResponse:
		t.note(out.GetWorkflowTask().GetTaskToken(), owner)
		for _, task := range out.GetActivityTasks() {
			t.note(task.GetTaskToken(), owner)
		}
	case *workflowservice.PollActivityTaskQueueResponse:
		t.note(out.GetTaskToken(), out.GetPriority().GetFairnessKey())
	}
}

func (t *Turns) note(token []byte, owner string) {
	if len(token) == 0 || owner == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.owners) >= maxTokens {
		for other := range t.owners {
			delete(t.owners, other)
			break
		}
	}
	t.owners[string(token)] = owner
}

func (t *Turns) owner(token string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.owners[token]
}

func (t *Turns) forget(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.owners, token)
}
