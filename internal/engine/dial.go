package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"google.golang.org/grpc"
)

// Dial connects to a cluster that has been set up. One that has not is an error that says how it is done. Polls hears of the
// calls that bring work.
func Dial(ctx context.Context, o client.Options, polls *Polls, log *slog.Logger) (client.Client, error) {
	o.Logger = sdklog.NewStructuredLogger(log.With("component", "temporal-sdk"))
	o.ConnectionOptions.DialOptions = append(o.ConnectionOptions.DialOptions, grpc.WithChainUnaryInterceptor(polls.Intercept, KeepDetails))
	c, err := client.DialContext(ctx, o)
	if err != nil {
		return nil, unreachable(o, err)
	}
	if err := check(ctx, c, o, log); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func check(ctx context.Context, c client.Client, o client.Options, log *slog.Logger) error {
	_, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: o.Namespace})
	if _, absent := errors.AsType[*serviceerror.NamespaceNotFound](err); absent {
		return fmt.Errorf("Temporal at %s has no namespace %s (TEMPORAL_NAMESPACE): \"posthorn migrate\" makes it", o.HostPort, o.Namespace)
	}
	if err != nil {
		return unreachable(o, err)
	}
	there, err := attributes(ctx, c, o.Namespace)
	_, denied := errors.AsType[*serviceerror.PermissionDenied](err)
	_, unknown := errors.AsType[*serviceerror.Unimplemented](err)
	if denied || unknown {
		log.Warn("whether the search attributes are there is not for this program to see", "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	if absent := missing(there); len(absent) > 0 {
		return fmt.Errorf("the namespace %s lacks the search attributes %s: \"posthorn migrate\" adds them", o.Namespace, strings.Join(absent, ", "))
	}
	return nil
}
