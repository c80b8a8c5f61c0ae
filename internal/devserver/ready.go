package devserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// startTimeout bounds the wait for the services to answer. It takes under a second on an idle machine.
const startTimeout = time.Minute

// poll calls try until it succeeds, or returns its last error when ctx ends.
func poll(ctx context.Context, try func(context.Context) error) error {
	const interval = 10 * time.Millisecond
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-ticker.C:
		}
	}
}

// awaitReady returns once a client can start workflows: the frontend is healthy, knows the namespace, and reaches the
// history service, which has taken its shard.
func awaitReady(ctx context.Context, addr, namespace string) (err error) {
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("connecting to %s: %w", addr, err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()

	health := grpc_health_v1.NewHealthClient(conn)
	workflows := workflowservice.NewWorkflowServiceClient(conn)
	err = poll(ctx, func(ctx context.Context) error {
		answer, err := health.Check(ctx, &grpc_health_v1.HealthCheckRequest{
			Service: "temporal.api.workflowservice.v1.WorkflowService",
		})
		if err != nil {
			return err
		}
		if answer.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
			return fmt.Errorf("frontend is %s", answer.GetStatus())
		}
		// No such workflow: the answer that only a working history service can give.
		_, err = workflows.DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{
			Namespace: namespace,
			Execution: &commonpb.WorkflowExecution{WorkflowId: "posthorn-ready"},
		})
		var notFound *serviceerror.NotFound
		if errors.As(serviceerror.FromStatus(status.Convert(err)), &notFound) {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("waiting for Temporal on %s: %w", addr, err)
	}
	return nil
}
