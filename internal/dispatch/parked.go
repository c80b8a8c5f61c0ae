package dispatch

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/workflows"
)

// sendParked has deliveries sent together that were parked, those of each endpoint in their order. Twice is harmless: a run
// goes on with each as its row says.
func (d *Dispatcher) sendParked(ctx context.Context, ds []posthorn.Delivery) error {
	byEndpoint := make(map[string][]posthorn.Delivery)
	var endpoints []string
	for _, delivery := range ds {
		if byEndpoint[delivery.EndpointID] == nil {
			endpoints = append(endpoints, delivery.EndpointID)
		}
		byEndpoint[delivery.EndpointID] = append(byEndpoint[delivery.EndpointID], delivery)
	}
	for _, id := range endpoints {
		for batch := range slices.Chunk(byEndpoint[id], activities.MaxParked) {
			if err := d.startParked(ctx, batch); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Dispatcher) startParked(ctx context.Context, batch []posthorn.Delivery) error {
	appID, endpointID := batch[0].AppID, batch[0].EndpointID
	label, err := d.label(ctx, appID, endpointID)
	if err != nil {
		return err
	}
	in := workflows.DeliverParkedInput{
		SendParkedInput: activities.SendParkedInput{AppID: appID, EndpointID: endpointID},
		Label:           label, AttemptTimeout: d.AttemptTimeout,
	}
	for _, delivery := range batch {
		in.MessageIDs = append(in.MessageIDs, delivery.MessageID)
	}
	unique, err := uuid.NewV7()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	_, err = d.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                    workflows.ParkedWorkflowID(endpointID, unique.String()),
		TaskQueue:             workflows.TaskQueue,
		EnableEagerStart:      true,
		Priority:              temporal.Priority{FairnessKey: appID},
		StaticSummary:         fmt.Sprintf("%d that were held → %s", len(batch), label),
		TypedSearchAttributes: temporal.NewSearchAttributes(workflows.ApplicationAttribute.ValueSet(appID)),
	}, workflows.DeliverParkedType, in)
	if err != nil {
		return unavailable(fmt.Sprintf("sending %d deliveries to %s", len(batch), endpointID), err)
	}
	return nil
}

// label names an endpoint for people; by its ID if it has been deleted, which the activity finds out.
func (d *Dispatcher) label(ctx context.Context, appID, endpointID string) (string, error) {
	endpoint, err := d.Store.Endpoint(ctx, appID, endpointID)
	switch posthorn.CodeOf(err) {
	case "":
		return activities.Label(endpoint.URL), nil
	case posthorn.NotFound:
		return endpointID, nil
	default:
		return "", err
	}
}
