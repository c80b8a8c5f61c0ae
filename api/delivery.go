package api

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// DeliveryFields say where a delivery stands. They are exported for huma, which finds embedded fields only then.
type DeliveryFields struct {
	Status      messageStatus `json:"status" enum:"0,2,3" doc:"0 success, 2 failure, 3 sending."`
	StatusText  string        `json:"statusText" enum:"success,fail,sending" doc:"The status as a word."`
	NextAttempt *time.Time    `json:"nextAttempt,omitempty" doc:"When it is tried again. Absent: it isn't."`
	State       string        `json:"state" enum:"pending,retrying,delivered,failed,held,cancelled" doc:"Where the delivery stands, in more detail."`
	Attempts    int           `json:"attempts" doc:"How many were made."`
	Waits       string        `json:"waits,omitempty" enum:"scheduled,paused,disabled,circuit_open,throttled,in_flight,order" doc:"What it waits for, if it could otherwise be sent."`
	Reason      string        `json:"reason,omitempty" doc:"Why it failed, waits or was cancelled, if the last attempt doesn't say it."`
}

func showDelivery(d posthorn.Delivery) DeliveryFields {
	status := statusOf(d.State)
	if d.Waits == posthorn.WaitPaused || d.Waits == posthorn.WaitDisabled || d.State.Ended() {
		d.NextAt = time.Time{} // when it would end by itself, or its workflow hears of its end
	}
	return DeliveryFields{
		Status: status, StatusText: status.text(), NextAttempt: optionalTimestamp(d.NextAt),
		State: string(d.State), Attempts: d.Attempts, Waits: string(d.Waits), Reason: d.Reason,
	}
}

// endpointMessageOut is a delivery seen from the endpoint.
type endpointMessageOut struct {
	MessageFields
	DeliveryFields
}

type listEndpointMessagesIn struct {
	EndpointPath
	PageParams
	WindowParams
	ContentParam
	Status Optional[int] `query:"status" minimum:"0" maximum:"3" doc:"Only messages with this status: 0 success, 2 failure, 3 sending. None has 1."`
}

func (s *Server) listEndpointMessages(ctx context.Context, in *listEndpointMessagesIn) (*answer[listResponse[endpointMessageOut]], error) {
	found, err := s.endpoint(ctx, in.EndpointPath)
	if err != nil {
		return nil, err
	}
	page, bounds, err := in.timed(in.WindowParams, posthorn.MessageID, s.now())
	if err != nil {
		return nil, err
	}
	filter := store.EndpointMessageFilter{MessageFilter: in.messageFilter(bounds, in.WithContent)}
	if in.Status.Set {
		filter.States = messageStatus(in.Status.Value).states()
	}
	var messages store.List[store.EndpointMessage]
	if !in.Status.Set || len(filter.States) > 0 {
		if messages, err = s.store.ListEndpointMessages(ctx, found.ID, filter, page); err != nil {
			return nil, err
		}
	}
	return listed(messages, func(m store.EndpointMessage) string { return m.Message.ID }, func(m store.EndpointMessage) endpointMessageOut {
		return endpointMessageOut{showFields(m.Message, in.WithContent), showDelivery(m.Delivery)}
	}), nil
}

// messageEndpointOut is a delivery seen from the message.
type messageEndpointOut struct {
	EndpointOut
	DeliveryFields
}

type listDestinationsIn struct {
	MessagePath
	PageParams
}

func (s *Server) listDestinations(ctx context.Context, in *listDestinationsIn) (*answer[listResponse[messageEndpointOut]], error) {
	m, err := s.message(ctx, in.MessagePath)
	if err != nil {
		return nil, err
	}
	page, err := in.page(true, posthorn.EndpointID.Valid)
	if err != nil {
		return nil, err
	}
	found, err := s.store.ListDestinations(ctx, m.ID, page)
	if err != nil {
		return nil, err
	}
	return listed(found, func(d store.Destination) string { return d.Endpoint.ID }, func(d store.Destination) messageEndpointOut {
		return messageEndpointOut{showEndpoint(d.Endpoint), showDelivery(d.Delivery)}
	}), nil
}

type resendIn struct {
	MessagePath
	EndpointID string `path:"endpoint_id" doc:"The endpoint's id or uid."`
}

// emptyResponse is {}.
type emptyResponse struct{}

func (s *Server) resend(ctx context.Context, in *resendIn) (*answer[emptyResponse], error) {
	m, err := s.message(ctx, in.MessagePath)
	if err != nil {
		return nil, err
	}
	to, err := s.store.Endpoint(ctx, m.AppID, in.EndpointID)
	if err != nil {
		return nil, err
	}
	if m.Payload == nil {
		return nil, posthorn.Errorf(posthorn.Gone, "The message's payload has expired or was expunged")
	}
	if err := s.dispatcher.Resend(ctx, m, to.ID); err != nil {
		return nil, err
	}
	return &answer[emptyResponse]{}, nil
}
