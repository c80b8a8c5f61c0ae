package api

import (
	"bytes"
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
	Payload                object                 `json:"payload" doc:"What receivers get, byte for byte as it stands here. Objects and arrays may be nested 512 levels deep."`
	Data                   object                 `json:"data,omitempty" deprecated:"true" doc:"Another name of payload."`
	Channels               []string               `json:"channels,omitempty" minItems:"1" maxItems:"5" maxLength:"128" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"Only endpoints that listen on one of these, or on all channels, get it."`
	Tags                   []string               `json:"tags,omitempty" maxItems:"5" maxLength:"128" pattern:"^[a-zA-Z0-9\\-_./\\\\#]+$" doc:"Words to find the message by; they don't decide who gets it."`
	OrderingKey            string                 `json:"orderingKey,omitempty" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.:/]*$" doc:"Endpoints that want their messages in order keep it among those with the same key; other keys don't wait. Default: none, which is like a key of its own."`
	PayloadRetentionPeriod *int                   `json:"payloadRetentionPeriod,omitempty" minimum:"5" maximum:"90" doc:"How many days to keep the payload. Default: 90."`
	PayloadRetentionHours  *int                   `json:"payloadRetentionHours,omitempty" minimum:"1" maximum:"2160" doc:"How many hours to keep the payload, instead of payloadRetentionPeriod."`
	Application            *applicationIn         `json:"application,omitempty" doc:"Creates the application if the path names an unknown uid, which must be the uid in here."`
	TransformationsParams  *transformationsParams `json:"transformationsParams,omitempty" doc:"Extra settings."`
	MessageTimes
	MessageVersions
}

type transformationsParams struct {
	RawPayload rawText `json:"rawPayload,omitempty" doc:"Sent instead of the payload, verbatim; need not be JSON."`
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
	key := onceOf(ctx)
	if key.isSettled() {
		return s.createdBefore(ctx, key, in.WithContent)
	}
	body, err := parseMessage(in.RawBody)
	if err != nil {
		return nil, err
	}
	leave, err := s.room.enter(in.AppID)
	if err != nil {
		return nil, err
	}
	defer leave()
	owner, err := s.addressee(ctx, in.AppID, body.Application)
	if err != nil {
		return nil, err
	}
	m, err := s.draft(ctx, owner, body)
	if err != nil {
		return nil, err
	}
	refused, lost, err := s.storeOnce(ctx, []posthorn.Message{m}, key)
	switch {
	case err != nil:
		return nil, err
	case lost:
		return s.createdBefore(ctx, key, in.WithContent)
	case refused[0] != nil:
		m, err = s.takeUp(ctx, owner.ID, m.EventID, key)
	default:
		err = s.begin(ctx, m)
		if posthorn.CodeOf(err) == posthorn.Conflict {
			err = nil // the sweep for messages left behind was quicker
		}
	}
	if err != nil {
		return nil, err
	}
	return &answer[messageOut]{Body: showMessage(callerOf(ctx), m, in.WithContent)}, nil
}

// draft makes the message that a body, in order by itself, describes. All that needs more than the body to judge it
// belongs here: single messages and batches come through.
func (s *Server) draft(ctx context.Context, owner posthorn.Application, in *messageIn) (posthorn.Message, error) {
	m := in.message(owner.ID, s.clock())
	if err := in.checkTimes(&m); err != nil {
		return m, err
	}
	return m, s.consultCatalogue(ctx, in, &m)
}

// storeOnce stores messages and settles the claim of the request's key, if it has one. Lost means that another process was
// quicker: nothing is stored, and the key knows what that process has made.
func (s *Server) storeOnce(ctx context.Context, ms []posthorn.Message, key *once) (refused []error, lost bool, err error) {
	refused, err = s.store.CreateMessages(ctx, ms, key.toSettle())
	if key == nil || err != nil && posthorn.CodeOf(err) != posthorn.Conflict {
		return refused, false, err
	}
	for i, m := range ms {
		if err == nil && m.ID != "" && refused[i] == nil {
			return refused, false, nil
		}
	}
	// The event IDs that are taken may be those of the same request.
	if err := s.settledBy(ctx, key); posthorn.CodeOf(err) != posthorn.NotFound {
		return nil, err == nil, err
	}
	return refused, false, nil
}

// createdBefore answers with the message that an earlier request with the key has made. If that request got no further
// than to store it, the delivery begins now.
func (s *Server) createdBefore(ctx context.Context, key *once, withContent bool) (*answer[messageOut], error) {
	m, err := s.store.MessageByID(ctx, key.claim.Messages[0])
	if err != nil {
		return nil, err
	}
	begun, err := s.resume(ctx, m)
	if err != nil {
		return nil, err
	}
	key.replayed = !begun
	return &answer[messageOut]{Body: showMessage(callerOf(ctx), m, withContent)}, nil
}

// begin starts the delivery of a stored message. A caller that hangs up now doesn't keep it from starting.
func (s *Server) begin(ctx context.Context, m posthorn.Message) error {
	began := time.Now()
	err := s.dispatcher.Start(context.WithoutCancel(ctx), m)
	s.room.told(began, err)
	return err
}

// resume begins the delivery of a message that an earlier request has stored and left behind, and reports whether there
// was anything to begin.
func (s *Server) resume(ctx context.Context, m posthorn.Message) (begun bool, err error) {
	leftBehind, err := s.store.IsUndispatched(ctx, m.ID)
	if err != nil || !leftBehind {
		return false, err
	}
	err = s.begin(ctx, m)
	if posthorn.CodeOf(err) == posthorn.Conflict {
		return false, nil
	}
	return err == nil, err
}

// takeUp resumes the message that has an eventId already, so that repeating a request which got no answer succeeds.
// Conflict: that message is on its way.
func (s *Server) takeUp(ctx context.Context, appID, eventID string, key *once) (posthorn.Message, error) {
	m, err := s.store.Message(ctx, appID, eventID)
	if err != nil {
		return posthorn.Message{}, err
	}
	begun, err := s.resume(ctx, m)
	if err != nil {
		return posthorn.Message{}, err
	}
	if !begun {
		return posthorn.Message{}, errEventIDTaken()
	}
	if claim := key.toSettle(); claim != nil {
		claim.Messages = []string{m.ID}
		err := s.store.CreateClaim(ctx, *claim)
		if err != nil && posthorn.CodeOf(err) != posthorn.Conflict { // another process has taken the message up too
			return posthorn.Message{}, err
		}
	}
	return m, nil
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

func parseMessage(body []byte) (*messageIn, error) { return parseMessageAt("body", body) }

// parseMessageAt reads a message that stands somewhere in a body.
func parseMessageAt(at string, body []byte) (*messageIn, error) {
	if bytes.HasPrefix(body, byteOrderMark) {
		return nil, invalid(validationErrorItem{Loc: location(at), Msg: "must not begin with a byte order mark", Type: typeJSON})
	}
	if !utf8.Valid(body) {
		return nil, invalidField(at, "must be UTF-8")
	}
	if err := checkNesting(at, body); err != nil {
		return nil, err
	}
	var in messageIn
	var mistyped error
	if err := json.Unmarshal(body, &in); err != nil {
		wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
		if !ok {
			return nil, notJSON(err.Error())
		}
		field := strings.TrimPrefix(wrong.Field, "MessageVersions.") // embedding is not for callers to know
		field = strings.TrimPrefix(field, "MessageTimes.")
		mistyped = invalidField(strings.TrimSuffix("body."+field, "."), "must not be a JSON %s", wrong.Value)
		if wrong.Field == "" {
			return nil, within(at, mistyped)
		}
	}
	if len(in.Payload) == 0 {
		in.Payload = in.Data
	}
	if err := problems(mistyped, in.validate()); err != nil {
		return nil, within(at, err)
	}
	return &in, nil
}

// validate returns all that is wrong.
func (in *messageIn) validate() error {
	return problems(
		checkName("body.eventType", in.EventType, maxName),
		checkUID("body.eventId", posthorn.MessageID, in.EventID),
		checkNames("body.channels", in.Channels, maxMessageChannels, maxChannel),
		checkTags("body.tags", in.Tags),
		checkOrderingKey("body.orderingKey", in.OrderingKey),
		in.MessageVersions.check(),
		in.MessageTimes.check(),
		in.checkPayload(),
		in.checkRetention(),
	)
}

func (in *messageIn) checkPayload() error {
	if raw, err := in.rawPayload(); raw != nil || err != nil {
		return err
	}
	if len(in.Payload) == 0 || in.Payload[0] != '{' {
		return invalidField("body.payload", "must be a JSON object")
	}
	return nil
}

func (in *messageIn) checkRetention() error {
	days, hours := in.PayloadRetentionPeriod, in.PayloadRetentionHours
	switch {
	case days != nil && hours != nil:
		return invalidField("body.payloadRetentionHours", "can't be given together with payloadRetentionPeriod")
	case days != nil && (*days < int(posthorn.MinRetention/day) || *days > int(posthorn.DefaultRetention/day)):
		return invalidField("body.payloadRetentionPeriod", "must be between %d and %d days", posthorn.MinRetention/day, posthorn.DefaultRetention/day)
	case hours != nil && (*hours < 1 || *hours > int(posthorn.DefaultRetention/time.Hour)):
		return invalidField("body.payloadRetentionHours", "must be between 1 and %d hours", posthorn.DefaultRetention/time.Hour)
	default:
		return nil
	}
}

// rawPayload returns nil if there is none.
func (in *messageIn) rawPayload() ([]byte, error) {
	if in.TransformationsParams == nil {
		return nil, nil
	}
	return in.TransformationsParams.RawPayload.decode("body.transformationsParams.rawPayload")
}

// message makes the message that the input, which is valid, describes.
func (in *messageIn) message(appID string, now time.Time) posthorn.Message {
	m := posthorn.Message{
		ID: posthorn.MessageID.New(), AppID: appID, EventID: in.EventID, EventType: in.EventType,
		Channels: unique(in.Channels), Tags: unique(in.Tags), OrderingKey: in.OrderingKey, Payload: in.Payload, CreatedAt: now, ExpiresAt: now.Add(posthorn.DefaultRetention),
	}
	if days := in.PayloadRetentionPeriod; days != nil {
		m.ExpiresAt = now.Add(time.Duration(*days) * day)
	}
	if hours := in.PayloadRetentionHours; hours != nil {
		m.ExpiresAt = now.Add(time.Duration(*hours) * time.Hour)
	}
	if raw, _ := in.rawPayload(); raw != nil {
		m.Payload = raw
	}
	in.MessageVersions.apply(&m)
	in.MessageTimes.apply(&m)
	return m
}
