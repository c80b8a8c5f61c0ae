package api

import (
	"context"
	"slices"

	"github.com/posthorn/posthorn"
)

type messagePrecheckIn struct {
	EventType string   `json:"eventType" minLength:"1" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"The event type that the message would have."`
	Channels  []string `json:"channels,omitempty" minItems:"1" maxItems:"5" maxLength:"128" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"The channels that it would have."`
}

type messagePrecheckOut struct {
	Active bool `json:"active" doc:"Whether at least one enabled endpoint would get it."`
}

type precheckMessageIn struct {
	AppPath
	Body messagePrecheckIn
}

func (s *Server) precheckMessage(ctx context.Context, in *precheckMessageIn) (*answer[messagePrecheckOut], error) {
	owner, err := s.application(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	if err := problems(
		checkName("body.eventType", in.Body.EventType, maxName),
		checkNames("body.channels", in.Body.Channels, maxMessageChannels, maxChannel),
	); err != nil {
		return nil, err
	}
	all, err := s.store.Routes(ctx, owner.ID)
	if err != nil {
		return nil, err
	}
	m := posthorn.Message{AppID: owner.ID, EventType: in.Body.EventType, Channels: in.Body.Channels}
	active := slices.ContainsFunc(all, func(e posthorn.Endpoint) bool { return !e.Disabled && e.Wants(&m) })
	return &answer[messagePrecheckOut]{Body: messagePrecheckOut{Active: active}}, nil
}
