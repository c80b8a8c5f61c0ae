package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/posthorn/posthorn/bench/internal/rig"
	"github.com/posthorn/posthorn/workflows"
)

const (
	// settlePatience is how long a system may take to finish what was left when the load ended.
	settlePatience = 5 * time.Minute
	// sampled is of how many messages the record of attempts is compared with what was received.
	sampled = 20
)

// settle waits until Temporal lists a completed workflow for every event that was accepted: only then is a system done
// with it.
func settle(ctx context.Context, d *driver) error {
	workflowType := workflows.DeliverMessageType
	if d.system != posthorn {
		workflowType = "deliverNaively"
	}
	c, err := client.DialContext(ctx, client.Options{HostPort: d.process.Temporal, Logger: silent{}})
	if err != nil {
		return err
	}
	defer c.Close()
	want := int64(len(d.receivers.ledger.accepted()))
	query := fmt.Sprintf("WorkflowType=%q AND ExecutionStatus=%q", workflowType, "Completed")
	for deadline := time.Now().Add(settlePatience); ; {
		count, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: query})
		if err != nil {
			return fmt.Errorf("counting workflows: %w", err)
		}
		if count.GetCount() >= want { // more: a post that got no answer in time was taken nevertheless
			return d.problem()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d accepted events are completed %s after the load ended", count.GetCount(), want, settlePatience)
		}
		if err := rig.Pause(ctx, 250*time.Millisecond); err != nil {
			return err
		}
	}
}

// verify compares Posthorn's record with what was received: every sampled message has one successful attempt per
// endpoint.
func verify(ctx context.Context, d *driver) error {
	if d.system != posthorn {
		return nil
	}
	ids := d.receivers.ledger.accepted()
	endpoints := len(d.receivers.targets)
	for i := range min(sampled, len(ids)) {
		id := ids[i*len(ids)/min(sampled, len(ids))]
		var out struct {
			Data []struct {
				EndpointID         string
				ResponseStatusCode int
			}
		}
		path := fmt.Sprintf("/api/v1/app/%s/attempt/msg/%s?limit=250", d.appID, id)
		if err := d.call(ctx, http.MethodGet, path, nil, &out); err != nil {
			return err
		}
		reached := make(map[string]bool)
		for _, attempt := range out.Data {
			if attempt.ResponseStatusCode == http.StatusOK {
				reached[attempt.EndpointID] = true
			}
		}
		if len(reached) != endpoints {
			return fmt.Errorf("message %s: attempts at %d endpoints are on record, want %d", id, len(reached), endpoints)
		}
	}
	return nil
}

// silent is a logger for Temporal's SDK that says nothing.
type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}
