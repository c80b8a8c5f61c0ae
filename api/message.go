package api

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// MessagePath names a message of an application.
type MessagePath struct {
	AppPath
	MsgID string `path:"msg_id" doc:"The message's id or eventId."`
}

// MessageFields are what every view of a message shows. They are exported for huma, which finds embedded fields only
// then.
type MessageFields struct {
	ID        string     `json:"id"`
	EventID   *string    `json:"eventId,omitempty" doc:"Your own id for the event."`
	EventType string     `json:"eventType" doc:"Such as order.created."`
	Channels  []string   `json:"channels,omitempty" nullable:"false" doc:"Endpoints got it that listen on one of these, or on all. Absent: no channel."`
	Tags      []string   `json:"tags,omitempty" nullable:"false" doc:"Words to find it by."`
	Payload   payload    `json:"payload" doc:"As it was submitted; {} if it wasn't asked for, {\"expired\":true} if it is gone."`
	Timestamp time.Time  `json:"timestamp" doc:"When it was accepted."`
	DeliverAt *time.Time `json:"deliverAt,omitempty" doc:"When it is sent, or was to be. Absent: at once."`
	// The rest is ours.
	OrderingKey    string     `json:"orderingKey,omitempty" doc:"Endpoints that want their messages in order keep it among those with the same key."`
	DeliverBefore  *time.Time `json:"deliverBefore,omitempty" doc:"From when on it is not sent any more."`
	CancelledAt    *time.Time `json:"cancelledAt,omitempty" doc:"When it was cancelled. Absent: it wasn't."`
	PayloadVersion string     `json:"payloadVersion,omitempty" doc:"The version of the payload, if the sender or the catalogue says."`
}

type messageOut struct {
	MessageFields
	Payloads map[string]payload `json:"payloads,omitempty" doc:"The payload in other versions. Lists leave them out."`
	Warnings []string           `json:"warnings,omitempty" doc:"How the payload violates the schema of its event type, in the organisation's eyes only."`
}

// payload is JSON that is shown as it is stored.
type payload = json.RawMessage

// Payloads that stand for what isn't shown.
var (
	notAsked = payload(`{}`)
	expired  = payload(`{"expired":true}`)
)

func showFields(m posthorn.Message, withContent bool) MessageFields {
	return MessageFields{
		ID: m.ID, EventID: optional(m.EventID), EventType: m.EventType, Channels: m.Channels, Tags: m.Tags,
		Payload: showPayload(m.Payload, withContent), Timestamp: timestamp(m.CreatedAt),
		DeliverAt: optionalTimestamp(m.DeliverAt), DeliverBefore: optionalTimestamp(m.DeliverBefore),
		CancelledAt: optionalTimestamp(m.CancelledAt), PayloadVersion: m.PayloadVersion, OrderingKey: m.OrderingKey,
	}
}

// showMessage shows a message to somebody.
func showMessage(who caller, m posthorn.Message, withContent bool) messageOut {
	out := messageOut{MessageFields: showFields(m, withContent)}
	if who.app == "" {
		out.Warnings = m.Warnings
	}
	for version, variant := range m.Variants {
		if variant != nil && withContent {
			if out.Payloads == nil {
				out.Payloads = make(map[string]payload, len(m.Variants))
			}
			out.Payloads[version] = showPayload(variant, true)
		}
	}
	return out
}

func (m messageOut) older() any {
	return reshape(m, "deliverAt", "deliverBefore", "cancelledAt", "payloadVersion", "orderingKey", "payloads", "warnings")
}

// showPayload shows a payload that isn't JSON, which only a raw one can be, as a JSON string.
func showPayload(stored []byte, wanted bool) payload {
	switch {
	case !wanted:
		return notAsked
	case stored == nil:
		return expired
	case json.Valid(stored):
		return stored
	default:
		var quoted bytes.Buffer
		writeJSON(&quoted, string(stored))
		return bytes.TrimSpace(quoted.Bytes())
	}
}

// message finds the application and the message of a path.
func (s *Server) message(ctx context.Context, path MessagePath) (posthorn.Message, error) {
	owner, err := s.application(ctx, path.AppID)
	if err != nil {
		return posthorn.Message{}, err
	}
	return s.store.Message(ctx, owner.ID, path.MsgID)
}

type listMessagesIn struct {
	AppPath
	PageParams
	WindowParams
	ContentParam
}

func (s *Server) listMessages(ctx context.Context, in *listMessagesIn) (*answer[listResponse[messageOut]], error) {
	owner, err := s.application(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	page, bounds, err := in.timed(in.WindowParams, posthorn.MessageID, s.now())
	if err != nil {
		return nil, err
	}
	found, err := s.store.ListMessages(ctx, owner.ID, in.messageFilter(bounds, in.WithContent), page)
	if err != nil {
		return nil, err
	}
	return listed(found, func(m posthorn.Message) string { return m.ID }, func(m posthorn.Message) messageOut {
		return showMessage(callerOf(ctx), m, in.WithContent)
	}), nil
}

func (p WindowParams) messageFilter(bounds store.Window, withContent bool) store.MessageFilter {
	return store.MessageFilter{Window: bounds, Channel: p.Channel, Tag: p.Tag, EventTypes: p.EventTypes, WithPayload: withContent}
}

type getMessageIn struct {
	MessagePath
	ContentParam
}

func (s *Server) getMessage(ctx context.Context, in *getMessageIn) (*answer[messageOut], error) {
	found, err := s.message(ctx, in.MessagePath)
	if err != nil {
		return nil, err
	}
	return &answer[messageOut]{Body: showMessage(callerOf(ctx), found, in.WithContent)}, nil
}
