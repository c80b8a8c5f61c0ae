package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	// retention is how long Temporal keeps the history of a workflow that has ended, in a namespace that SetUp makes.
	retention = 72 * time.Hour
	// noticedWithin bounds the wait until all of Temporal's services have noticed what was set up. They look every few
	// seconds.
	noticedWithin = 2 * time.Minute
	// noticeStep is the time between two looks.
	noticeStep = 500 * time.Millisecond
)

// SetUp makes the namespace and the search attributes that Posthorn needs, where they are missing, and returns when they
// can be used. It tells, for people, what it has done. It may run several times, also at once.
func SetUp(ctx context.Context, o client.Options, say func(format string, args ...any)) error {
	c, err := client.DialContext(ctx, o)
	if err != nil {
		return unreachable(o, err)
	}
	defer c.Close()
	if err := makeNamespace(ctx, c, o, say); err != nil {
		return err
	}
	if err := makeAttributes(ctx, c, o.Namespace, say); err != nil {
		return err
	}
	return awaitAttributes(ctx, c, o.Namespace)
}

func makeNamespace(ctx context.Context, c client.Client, o client.Options, say func(format string, args ...any)) error {
	_, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: o.Namespace})
	if err == nil {
		say("Temporal: the namespace %s is there", o.Namespace)
		return nil
	}
	if _, absent := errors.AsType[*serviceerror.NamespaceNotFound](err); !absent {
		return unreachable(o, err)
	}
	_, err = c.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace:                        o.Namespace,
		Description:                      "Webhooks that Posthorn delivers",
		WorkflowExecutionRetentionPeriod: durationpb.New(retention),
	})
	if _, there := errors.AsType[*serviceerror.NamespaceAlreadyExists](err); err != nil && !there {
		return fmt.Errorf("making the namespace %s (on Temporal Cloud it has to be made there): %w", o.Namespace, err)
	}
	say("Temporal: made the namespace %s, which keeps the histories of ended workflows for %d days", o.Namespace, int(retention/(24*time.Hour)))
	return nil
}

func makeAttributes(ctx context.Context, c client.Client, namespace string, say func(format string, args ...any)) error {
	var absent []string
	err := noticed(ctx, func(ctx context.Context) error {
		there, err := attributes(ctx, c, namespace)
		absent = missing(there)
		return err
	})
	if err != nil {
		return err
	}
	if len(absent) == 0 {
		say("Temporal: the search attributes are there")
		return nil
	}
	wanted := make(map[string]enums.IndexedValueType)
	for _, name := range absent {
		wanted[name] = SearchAttributes()[name]
	}
	err = noticed(ctx, func(ctx context.Context) error {
		_, err := c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: wanted})
		if _, there := errors.AsType[*serviceerror.AlreadyExists](err); there {
			return nil // somebody else was quicker
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("adding search attributes to the namespace %s (on Temporal Cloud they have to be added there: %s): %w", namespace, spelled(absent), err)
	}
	say("Temporal: added the search attributes %s", strings.Join(absent, ", "))
	return nil
}

// spelled lists search attributes with their types.
func spelled(names []string) string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = name + " as " + SearchAttributes()[name].String()
	}
	return strings.Join(all, ", ")
}

// attributes returns the search attributes of a namespace. One of Posthorn's that has another type is an error.
func attributes(ctx context.Context, c client.Client, namespace string) (map[string]enums.IndexedValueType, error) {
	list, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return nil, fmt.Errorf("reading the search attributes of the namespace %s: %w", namespace, err)
	}
	there := list.GetCustomAttributes()
	for name, want := range SearchAttributes() {
		if got, ok := there[name]; ok && got != want {
			return nil, fmt.Errorf("the search attribute %s of the namespace %s is of type %s and must be %s", name, namespace, got, want)
		}
	}
	return there, nil
}

// awaitAttributes returns when Temporal takes queries with all search attributes: its services learn of new ones one by one.
func awaitAttributes(ctx context.Context, c client.Client, namespace string) error {
	for name := range SearchAttributes() {
		err := noticed(ctx, func(ctx context.Context) error {
			_, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: namespace, Query: name + ` = "none"`})
			return err
		})
		if err != nil {
			return fmt.Errorf("waiting until the search attribute %s can be used: %w", name, err)
		}
	}
	return nil
}

// noticed repeats what Temporal refuses as long as it has not noticed that something is there.
func noticed(ctx context.Context, do func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, noticedWithin)
	defer cancel()
	tick := time.NewTicker(noticeStep)
	defer tick.Stop()
	for {
		err := do(ctx)
		if err == nil || !unnoticed(err) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}

func unnoticed(err error) bool {
	_, namespace := errors.AsType[*serviceerror.NamespaceNotFound](err)
	_, argument := errors.AsType[*serviceerror.InvalidArgument](err)
	_, down := errors.AsType[*serviceerror.Unavailable](err)
	return namespace || argument || down
}

func unreachable(o client.Options, err error) error {
	return fmt.Errorf("asking Temporal at %s (TEMPORAL_ADDRESS): %w", o.HostPort, err)
}
