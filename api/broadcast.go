package api

import (
	"context"

	"github.com/posthorn/posthorn"
)

// broadcastIn documents the body of a broadcast. It is read like that of a message, of which it has the fields that
// make sense for every application.
type broadcastIn struct {
	EventType              string   `json:"eventType" minLength:"1" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"Such as terms.changed."`
	EventID                string   `json:"eventId,omitempty" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"Your own id for the event; applications that have a message with it already are passed over."`
	Payload                object   `json:"payload" doc:"What receivers get, byte for byte as it stands here."`
	Channels               []string `json:"channels,omitempty" minItems:"1" maxItems:"5" maxLength:"128" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"Only endpoints that listen on one of these, or on all channels, get it."`
	PayloadRetentionPeriod *int     `json:"payloadRetentionPeriod,omitempty" minimum:"5" maximum:"90" doc:"How many days to keep the payload. Default: 90."`
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
	return s.begun(ctx, posthorn.BroadcastMessage, "", posthorn.BroadcastInput{
		EventID: m.EventID, EventType: m.EventType, Channels: m.Channels, Payload: m.Payload, Retention: m.ExpiresAt.Sub(m.CreatedAt),
	})
}
