package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/posthorn/posthorn"
)

const (
	// maxMessageBody is the largest body of a request that creates a message, in bytes.
	maxMessageBody      = 1 << 20
	maxMessageChannels  = 5
	maxEndpointChannels = 10
	day                 = 24 * time.Hour
)

// messageIn describes a message. It is decoded straight from the body, without huma's validation, which would build
// the whole payload in memory a second time and lose how it was written.
type messageIn struct {
	EventType              string                 `json:"eventType" minLength:"1" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"Such as order.created."`
	EventID                string                 `json:"eventId,omitempty" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]*$" doc:"Your own id for the event; a second message with it is refused. Empty is none."`
	Payload                object                 `json:"payload" doc:"What receivers get, byte for byte as it stands here."`
	Channels               []string               `json:"channels,omitempty" minItems:"1" maxItems:"5" maxLength:"128" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"Only endpoints that listen on one of these, or on all channels, get it."`
	Tags                   []string               `json:"tags,omitempty" maxItems:"5" maxLength:"128" pattern:"^[a-zA-Z0-9\\-_./\\\\#]+$" doc:"Words to find the message by; they don't decide who gets it."`
	PayloadRetentionPeriod *int                   `json:"payloadRetentionPeriod,omitempty" minimum:"5" maximum:"90" doc:"How many days to keep the payload. Default: 90."`
	Application            *applicationIn         `json:"application,omitempty" doc:"Creates the application if the path names an unknown uid, which must be the uid in here."`
	TransformationsParams  *transformationsParams `json:"transformationsParams,omitempty" doc:"Extra settings."`
	MessageVersions
}

type transformationsParams struct {
	RawPayload *string `json:"rawPayload,omitempty" doc:"Sent instead of the payload, verbatim; need not be JSON."`
}

// object is a JSON object as it was written.
type object []byte

// UnmarshalJSON copies: the memory of a request's body is used again.
func (o *object) UnmarshalJSON(b []byte) error {
	*o = bytes.Clone(b)
	return nil
}

// Schema is that of any object.
func (object) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
}

type createMessageIn struct {
	AppPath
	ContentParam
	RawBody []byte `contentType:"application/json"`
}

func (s *Server) createMessage(ctx context.Context, in *createMessageIn) (*answer[messageOut], error) {
	body, err := parseMessage(in.RawBody)
	if err != nil {
		return nil, err
	}
	owner, err := s.addressee(ctx, in.AppID, body.Application)
	if err != nil {
		return nil, err
	}
	m := body.message(owner.ID, s.clock())
	if err := s.consultCatalogue(ctx, body, &m); err != nil {
		return nil, err
	}
	err = s.store.CreateMessage(ctx, m)
	switch {
	case err == nil:
		err = s.begin(ctx, m)
		if posthorn.CodeOf(err) == posthorn.Conflict {
			err = nil // the sweep for messages left behind was quicker
		}
	case posthorn.CodeOf(err) == posthorn.Conflict:
		m, err = s.takeUp(ctx, owner.ID, m.EventID)
	}
	if err != nil {
		return nil, err
	}
	return &answer[messageOut]{Body: showMessage(callerOf(ctx), m, in.WithContent)}, nil
}

// begin starts the delivery of a stored message. A caller that hangs up now doesn't keep it from starting.
func (s *Server) begin(ctx context.Context, m posthorn.Message) error {
	return s.dispatcher.Start(context.WithoutCancel(ctx), m)
}

// takeUp begins the delivery of a message that an earlier request has stored and left behind, so that repeating a
// request which got no answer succeeds. Conflict: the earlier message is on its way.
func (s *Server) takeUp(ctx context.Context, appID, eventID string) (posthorn.Message, error) {
	m, err := s.store.Message(ctx, appID, eventID)
	if err != nil {
		return posthorn.Message{}, err
	}
	leftBehind, err := s.store.IsUndispatched(ctx, m.ID)
	if err != nil {
		return posthorn.Message{}, err
	}
	if leftBehind {
		err = s.begin(ctx, m)
		if err == nil || posthorn.CodeOf(err) != posthorn.Conflict {
			return m, err
		}
	}
	return posthorn.Message{}, posthorn.Errorf(posthorn.Conflict, "A message with this eventId exists already")
}

// addressee finds the application of a path, and creates it if the message says how.
func (s *Server) addressee(ctx context.Context, ref string, in *applicationIn) (posthorn.Application, error) {
	found, err := s.application(ctx, ref)
	if in == nil || posthorn.CodeOf(err) != posthorn.NotFound {
		return found, err
	}
	loc := []string{"body", "application", "uid"}
	switch {
	case in.UID == "":
		return found, invalid(validationErrorItem{Loc: loc, Msg: "is needed to create the application", Type: typeUIDMissing})
	case in.UID != ref:
		return found, invalid(validationErrorItem{Loc: loc, Msg: "differs from the application in the path", Type: typeUIDMismatch})
	}
	if err := in.validate(); err != nil {
		return found, within("body.application", err)
	}
	made := in.create(callerOf(ctx).org, s.clock())
	err = s.store.CreateApplication(ctx, made)
	if posthorn.CodeOf(err) == posthorn.Conflict {
		return s.application(ctx, ref) // another message created it meanwhile
	}
	return made, err
}

// within moves an error about a part of the body to where that part is.
func within(part string, err error) error {
	e, ok := errors.AsType[*posthorn.Error](err)
	if !ok {
		return err
	}
	moved := *e
	moved.Field = part + strings.TrimPrefix(e.Field, "body")
	return &moved
}

func parseMessage(body []byte) (*messageIn, error) {
	if !utf8.Valid(body) {
		return nil, invalidField("body", "must be UTF-8")
	}
	var in messageIn
	if err := json.Unmarshal(body, &in); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return nil, invalidField(strings.TrimSuffix("body."+wrong.Field, "."), "must not be a JSON %s", wrong.Value)
		}
		return nil, notJSON(err.Error())
	}
	return &in, in.validate()
}

func (in *messageIn) validate() error {
	if in.TransformationsParams == nil || in.TransformationsParams.RawPayload == nil {
		if len(in.Payload) == 0 || in.Payload[0] != '{' {
			return invalidField("body.payload", "must be a JSON object")
		}
	}
	if days := in.PayloadRetentionPeriod; days != nil && (time.Duration(*days)*day < posthorn.MinRetention || time.Duration(*days)*day > posthorn.DefaultRetention) {
		return invalidField("body.payloadRetentionPeriod", "must be between %d and %d days", posthorn.MinRetention/day, posthorn.DefaultRetention/day)
	}
	return cmp.Or(
		checkName("body.eventType", in.EventType, maxName),
		checkUID("body.eventId", posthorn.MessageID, in.EventID),
		checkNames("body.channels", in.Channels, maxMessageChannels, maxChannel),
		checkTags("body.tags", in.Tags),
		in.MessageVersions.check(),
	)
}

// message makes the message that the input describes.
func (in *messageIn) message(appID string, now time.Time) posthorn.Message {
	m := posthorn.Message{
		ID: posthorn.MessageID.New(), AppID: appID, EventID: in.EventID, EventType: in.EventType,
		Channels: unique(in.Channels), Tags: unique(in.Tags), CreatedAt: now, ExpiresAt: now.Add(posthorn.DefaultRetention),
	}
	if in.PayloadRetentionPeriod != nil {
		m.ExpiresAt = now.Add(time.Duration(*in.PayloadRetentionPeriod) * day)
	}
	if p := in.TransformationsParams; p != nil && p.RawPayload != nil {
		m.Payload = []byte(*p.RawPayload)
	} else {
		m.Payload = in.Payload
	}
	in.MessageVersions.apply(&m)
	return m
}
