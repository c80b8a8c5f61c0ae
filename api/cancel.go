package api

import (
	"context"
	"log/slog"
	"time"

	"github.com/posthorn/posthorn"
)

// CancelMsgsIn is exported for the name of its schema, which is Svix's.
type CancelMsgsIn struct {
	CreatedBefore time.Time `json:"createdBefore" doc:"Messages made before this moment are cancelled. A moment in the future means now."`
}

type cancelOlderIn struct {
	EndpointPath
	Body CancelMsgsIn
}

// cancelOlder has an endpoint's messages from before a moment not sent any more. The moment is kept with the endpoint, where
// whatever would send them looks first; ending them one by one is the work of tending.
func (s *Server) cancelOlder(ctx context.Context, in *cancelOlderIn) (*nothing, error) {
	owner, err := s.application(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	before := timestamp(in.Body.CreatedBefore)
	// Messages have the time to the millisecond. What is accepted in this one is not cancelled.
	if now := s.clock().Truncate(time.Millisecond); before.After(now) {
		before = now
	}
	_, err = s.store.UpdateEndpoint(ctx, owner.ID, in.EndpointID, func(e *posthorn.Endpoint) error {
		if before.After(e.CancelBefore) {
			e.CancelBefore = before
		}
		return nil
	})
	return nil, err
}

type cancelOut struct {
	Cancelled   int        `json:"cancelled" doc:"Deliveries that were open and are cancelled now."`
	Ended       int        `json:"ended" doc:"Deliveries that had ended before; they stay as they are."`
	CancelledAt *time.Time `json:"cancelledAt,omitempty" doc:"When the message as a whole was cancelled. Absent: it was not, for it had ended everywhere or only one delivery was meant."`
}

// cancelMessage has a message not sent any more, to any endpoint.
func (s *Server) cancelMessage(ctx context.Context, in *MessagePath) (*answer[cancelOut], error) {
	owner, err := s.application(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	c, err := s.store.CancelMessage(ctx, owner.ID, in.MsgID, s.clock())
	if err != nil {
		return nil, err
	}
	s.cancelled(ctx, c.Message, c.Waits, c.Deliveries)
	return &answer[cancelOut]{Body: cancelOut{
		Cancelled: len(c.Deliveries), Ended: c.Ended, CancelledAt: optionalTimestamp(c.Message.CancelledAt),
	}}, nil
}

type cancelDeliveryIn struct {
	MessagePath
	EndpointID string `path:"endpoint_id" doc:"The endpoint's id or uid."`
}

// cancelDelivery has a message not sent to one endpoint any more.
func (s *Server) cancelDelivery(ctx context.Context, in *cancelDeliveryIn) (*answer[cancelOut], error) {
	m, err := s.message(ctx, in.MessagePath)
	if err != nil {
		return nil, err
	}
	to, err := s.store.Endpoint(ctx, m.AppID, in.EndpointID)
	if err != nil {
		return nil, err
	}
	if !to.Wants(&m) { // it may have when it was sent
		if _, err := s.store.Delivery(ctx, m.ID, to.ID); err != nil {
			return nil, err
		}
	}
	d, cancelled, err := s.store.CancelDelivery(ctx, m.ID, to.ID, s.clock())
	if err != nil {
		return nil, err
	}
	if !cancelled {
		return &answer[cancelOut]{Body: cancelOut{Ended: 1}}, nil
	}
	s.cancelled(ctx, m, false, []posthorn.Delivery{d})
	return &answer[cancelOut]{Body: cancelOut{Cancelled: 1}}, nil
}

// cancelled tells Temporal. What is cancelled is so without it: it only ends later.
func (s *Server) cancelled(ctx context.Context, m posthorn.Message, waits bool, ds []posthorn.Delivery) {
	if err := s.dispatcher.Cancelled(context.WithoutCancel(ctx), m, waits, ds); err != nil {
		s.log.WarnContext(ctx, "what was cancelled has to wait for its time to end", requestID(ctx), slog.String("message", m.ID), slog.Any("error", err))
	}
}
