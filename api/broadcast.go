package api

import (
	"context"

	"github.com/posthorn/posthorn"
)

// broadcastIn documents the body of a broadcast. It is read like that of a message, of which it has all fields but the
// application.
type broadcastIn struct {
	EventType              string   `json:"eventType" minLength:"1" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"Such as terms.changed."`
	EventID                string   `json:"eventId,omitempty" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]*$" doc:"Your own id for the event; applications that have a message with it already are passed over. Empty is none."`
	Payload                object   `json:"payload" doc:"What receivers get, byte for byte as it stands here."`
	Channels               []string `json:"channels,omitempty" minItems:"1" maxItems:"5" maxLength:"128" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"Only endpoints that listen on one of these, or on all channels, get it."`
	Tags                   []string `json:"tags,omitempty" maxItems:"5" maxLength:"128" pattern:"^[a-zA-Z0-9\\-_./\\\\#]+$" doc:"Words to find the messages by; they don't decide who gets them."`
	PayloadRetentionPeriod *int     `json:"payloadRetentionPeriod,omitempty" minimum:"5" maximum:"90" doc:"How many days to keep the payload. Default: 90."`
	PayloadRetentionHours  *int     `json:"payloadRetentionHours,omitempty" minimum:"1" maximum:"2160" doc:"How many hours to keep the payload, instead of payloadRetentionPeriod."`

	TransformationsParams *transformationsParams `json:"transformationsParams,omitempty" doc:"Extra settings."`
	MessageTimes
	MessageVersions
}

type broadcastRequest struct {
	RawBody []byte `contentType:"application/json"`
}

// broadcast begins to send a message to every application that there is when its turn comes.
func (s *Server) broadcast(ctx context.Context, in *broadcastRequest) (*answer[startedTaskOut], error) {
	body, err := parseMessage(in.RawBody)
	if err != nil {
		return nil, err
	}
	if body.Application != nil {
		return nil, invalidField("body.application", "a broadcast goes to every application")
	}
	m := body.message("", s.clock())
	if err := body.checkTimes(&m); err != nil {
		return nil, err
	}
	m.ID = "" // each application's message gets its own
	if err := s.consultCatalogue(ctx, body, &m); err != nil {
		return nil, err
	}
	return s.begun(ctx, posthorn.BroadcastMessage, "", posthorn.BroadcastInput{
		EventID: m.EventID, EventType: m.EventType, Channels: m.Channels, Tags: m.Tags, Payload: m.Payload,
		Retention: m.ExpiresAt.Sub(m.CreatedAt), PayloadVersion: m.PayloadVersion, Variants: m.Variants, Warnings: m.Warnings,
		DeliverAt: m.DeliverAt, DeliverBefore: m.DeliverBefore,
	})
}
