package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/catalogue"
)

// pingType is an event type that every catalogue has, without showing it.
const pingType = "svix.ping"

var pingPayload = []byte(`{"success":true}`)

type eventExampleIn struct {
	EventType    string           `json:"eventType" minLength:"1" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"Whose example to send. svix.ping is always there."`
	ExampleIndex int              `json:"exampleIndex,omitempty" minimum:"0" doc:"Which of the schema's examples. Default: the first."`
	Payload      Optional[object] `json:"payload,omitzero" doc:"Sent instead of an example."`
}

// custom reports whether the caller brings the payload, which is then checked like that of any message.
func (in *eventExampleIn) custom() bool { return in.Payload.Set && !in.Payload.Null }

type sendExampleIn struct {
	EndpointPath
	Body eventExampleIn
}

// sendExample sends an example to an endpoint, as a message like any other but to that endpoint only and whatever it
// subscribes to.
func (s *Server) sendExample(ctx context.Context, in *sendExampleIn) (*answer[messageOut], error) {
	to, err := s.endpoint(ctx, in.EndpointPath)
	if err != nil {
		return nil, err
	}
	payload, version, err := s.example(ctx, &in.Body, to.PinnedVersion(in.Body.EventType))
	if err != nil {
		return nil, err
	}
	if to.Disabled {
		return nil, fail(http.StatusBadRequest, "endpoint_disabled", "The endpoint is disabled; enable it first, or use msg/test-attempt, which sends nevertheless")
	}
	body := &messageIn{EventType: in.Body.EventType, Payload: payload}
	m := body.message(to.AppID, s.clock())
	m.PayloadVersion, m.OnlyEndpoint = version, to.ID
	if in.Body.custom() {
		if err := s.consultCatalogue(ctx, body, &m); err != nil {
			return nil, err
		}
	}
	if err := s.store.CreateMessage(ctx, m); err != nil {
		return nil, err
	}
	if err := s.begin(ctx, m); err != nil && posthorn.CodeOf(err) != posthorn.Conflict {
		return nil, err
	}
	return &answer[messageOut]{Body: showMessage(callerOf(ctx), m, true)}, nil
}

// example finds what to send: the example of the version that the endpoint pins, else of version 1, as Svix does, else of
// the newest one.
func (s *Server) example(ctx context.Context, in *eventExampleIn, pinned string) (payload []byte, version string, err error) {
	known, err := s.catalogue.Type(ctx, callerOf(ctx).org, in.EventType)
	if err != nil {
		return nil, "", err
	}
	switch {
	case known == nil && in.EventType != pingType:
		return nil, "", invalidField("body.eventType", "There is no event type %q", in.EventType)
	case known == nil:
		known = catalogue.NewType(posthorn.EventType{Name: pingType})
	}
	for _, v := range []string{pinned, "1", known.Newest()} {
		if known.Has(v) {
			version = v
			break
		}
	}
	switch {
	case in.custom():
		return in.Payload.Value, version, nil
	case version == "" && in.EventType == pingType:
		return pingPayload, "", nil
	case version == "":
		return nil, "", invalidField("body.eventType", "%s has no schema that an example could be taken from", in.EventType)
	}
	payload, err = catalogue.Example(known.Schemas[version], in.ExampleIndex)
	if wrong, ok := errors.AsType[*catalogue.ExampleError](err); ok {
		return nil, "", invalidField("body."+cmp.Or(wrong.Field, "eventType"), "version %s of %s %s", version, in.EventType, wrong.Message)
	}
	return payload, version, err
}

type testAttemptIn struct {
	EndpointPath
	RawBody []byte `contentType:"application/json"`
}

// testAttempt sends a message to an endpoint now and once, and answers with what came of it. The message is kept, its
// attempt counts as one by hand, and nobody repeats it.
func (s *Server) testAttempt(ctx context.Context, in *testAttemptIn) (*answer[messageAttemptOut], error) {
	to, err := s.endpoint(ctx, in.EndpointPath)
	if err != nil {
		return nil, err
	}
	body, err := parseMessage(in.RawBody)
	if err != nil {
		return nil, err
	}
	if err := body.atOnce(); err != nil {
		return nil, err
	}
	m := body.message(to.AppID, s.clock())
	if err := s.consultCatalogue(ctx, body, &m); err != nil {
		return nil, err
	}
	m.OnlyEndpoint = to.ID
	err = s.store.CreateManualMessage(ctx, m)
	if posthorn.CodeOf(err) == posthorn.Conflict {
		return nil, errEventIDTaken()
	}
	if err != nil {
		return nil, err
	}
	id, err := s.dispatcher.SendNow(ctx, m, to.ID)
	if err != nil {
		return nil, err
	}
	made, err := s.store.Attempt(ctx, m.ID, id)
	if err != nil {
		return nil, err
	}
	return &answer[messageAttemptOut]{Body: showAttempt(made, true)}, nil
}
