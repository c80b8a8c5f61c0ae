package api

import (
	"context"

	"github.com/posthorn/posthorn"
)

type replayIn struct{ ReplayFields }

type replayMissingIn struct {
	EndpointPath
	Body replayIn
}

// replayMissing begins to send what an endpoint wants now and never got.
func (s *Server) replayMissing(ctx context.Context, in *replayMissingIn) (*answer[startedTaskOut], error) {
	return s.replay(ctx, posthorn.ReplayMissing, in.EndpointPath, in.Body.ReplayFields, nil)
}

type bulkReplayIn struct {
	ReplayFields
	EventTypes      []string      `json:"eventTypes,omitempty" minItems:"1" maxItems:"500" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"Only messages of these event types."`
	Channel         string        `json:"channel,omitempty" minLength:"1" maxLength:"128" doc:"Only messages on this channel."`
	Tag             string        `json:"tag,omitempty" minLength:"1" maxLength:"128" doc:"Only messages with this tag."`
	Status          Optional[int] `json:"status,omitzero" minimum:"0" maximum:"3" doc:"Only messages with this status: 0 success, 2 failure, 3 sending. Default: delivered and failed ones."`
	StatusCodeClass Optional[int] `json:"statusCodeClass,omitzero" minimum:"0" maximum:"500" multipleOf:"100" doc:"Only messages whose newest attempt was answered with a status of this class, such as 500; 0 for no response."`
}

// narrow turns the filters into those of the task. What is still on its way is left alone unless it is asked for.
func (in *bulkReplayIn) narrow(input *posthorn.ReplayInput) error {
	input.EventTypes, input.Channel, input.Tag = unique(in.EventTypes), in.Channel, in.Tag
	input.States = []posthorn.DeliveryState{posthorn.Delivered, posthorn.Failed}
	if in.Status.Set && !in.Status.Null {
		if input.States = messageStatus(in.Status.Value).states(); input.States == nil {
			return invalidField("body.status", "must be 0, 2 or 3: no message has another one")
		}
	}
	if in.StatusCodeClass.Set && !in.StatusCodeClass.Null {
		input.StatusClass = &in.StatusCodeClass.Value
	}
	return nil
}

type bulkReplayEndpointIn struct {
	EndpointPath
	Body bulkReplayIn
}

// bulkReplay begins to send again what a filter lets through of an endpoint's messages.
func (s *Server) bulkReplay(ctx context.Context, in *bulkReplayEndpointIn) (*answer[startedTaskOut], error) {
	return s.replay(ctx, posthorn.BulkReplay, in.EndpointPath, in.Body.ReplayFields, in.Body.narrow)
}
