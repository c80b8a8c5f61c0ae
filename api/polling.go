package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/signing"
)

// StreamParams ask for a stretch of a stream. They are exported for huma, which finds embedded fields only then.
type StreamParams struct {
	Limit    int    `query:"limit" minimum:"1" maximum:"250" default:"50" doc:"How many messages at most."`
	Iterator string `query:"iterator" doc:"Where to read on: the iterator of the answer before."`
}

// AfterParam leaves out what is older.
type AfterParam struct {
	After time.Time `query:"after" doc:"Only messages made after this moment. Without an iterator, reading begins there."`
}

// from is where reading begins: at the iterator, or at the moment, or else at the start.
func (p StreamParams) from(after time.Time, start string) (store.Position, error) {
	if p.Iterator == "" {
		if !after.IsZero() {
			start = ""
		}
		return store.Position{MessageID: start, After: after}, nil
	}
	at, err := parseCursor(p.Iterator)
	return at.position(after), err
}

// streamOut is a stretch of a stream.
type streamOut[T any] struct {
	Data     []T    `json:"data" nullable:"false" doc:"Messages in the order in which they were accepted."`
	Iterator string `json:"iterator" doc:"Asks for what follows. It is never too early or too late to use it, also when there was nothing."`
	Done     bool   `json:"done" doc:"There was nothing further at this time. If false, ask again at once, even if data is empty."`
}

func streamed[T any](part store.Stretch, epoch int, show func(posthorn.Message) (T, error)) (*answer[streamOut[T]], error) {
	body := streamOut[T]{Data: make([]T, 0, len(part.Messages)), Iterator: cursorOf(part.Next, epoch).String(), Done: part.Done}
	for _, m := range part.Messages {
		shown, err := show(m)
		if err != nil {
			return nil, err
		}
		body.Data = append(body.Data, shown)
	}
	return &answer[streamOut[T]]{Body: body}, nil
}

// older gives each message its older shape.
func (s streamOut[T]) older() any {
	data := make([]any, len(s.Data))
	for i, item := range s.Data {
		data[i] = item
		if shape, ok := any(item).(olderShape); ok {
			data[i] = shape.older()
		}
	}
	return streamOut[any]{Data: data, Iterator: s.Iterator, Done: s.Done}
}

// EventFilterParams narrow a stream.
type EventFilterParams struct {
	EventTypes []string `query:"event_types" nullable:"false" doc:"Only messages of these event types: separated by commas, repeated, or both."`
	Channels   []string `query:"channels" nullable:"false" doc:"Only messages on one of these channels: separated by commas, repeated, or both."`
}

// Resolve collects the lists in all their spellings.
func (p *EventFilterParams) Resolve(ctx huma.Context) []error {
	p.EventTypes, p.Channels = queryList(ctx, "event_types"), queryList(ctx, "channels")
	return nil
}

type pollEventsIn struct {
	AppPath
	StreamParams
	AfterParam
	EventFilterParams
}

func (s *Server) pollEvents(ctx context.Context, in *pollEventsIn) (*answer[streamOut[messageOut]], error) {
	if err := cmp.Or(
		checkNames("query.event_types", in.EventTypes, 0, maxName),
		checkNames("query.channels", in.Channels, maxEndpointChannels, maxChannel),
	); err != nil {
		return nil, err
	}
	from, err := in.from(in.After, "")
	if err != nil {
		return nil, err
	}
	owner, err := s.application(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	part, err := s.store.Stream(ctx, owner.ID, from, streamFilter(in.EventTypes, in.Channels), in.Limit)
	if err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	return streamed(part, 0, func(m posthorn.Message) (messageOut, error) { return showMessage(who, m, true), nil })
}

// streamFilter narrows to one of the event types and one of the channels.
func streamFilter(eventTypes, channels []string) store.StreamFilter {
	var f store.StreamFilter
	if len(eventTypes) > 0 {
		f.EventTypes = [][]string{eventTypes}
	}
	if len(channels) > 0 {
		f.Channels = [][]string{channels}
	}
	return f
}

// pollerMessageOut is a message as a poller shows it.
type pollerMessageOut struct {
	MessageFields
	Headers map[string]string `json:"headers,omitempty" doc:"webhook-id, webhook-timestamp and webhook-signature, which cover the payload byte for byte as it stands in this answer. Absent if the payload is gone."`
}

// showSigned returns a view of messages that is signed with a poller's keys.
func (s *Server) showSigned(p posthorn.Poller) func(posthorn.Message) (pollerMessageOut, error) {
	now := s.now()
	keys := p.SigningKeys(now)
	return func(m posthorn.Message) (pollerMessageOut, error) {
		out := pollerMessageOut{MessageFields: showFields(m, true)}
		if m.Payload == nil {
			return out, nil
		}
		// The encoder of answers removes space between tokens: this is what the caller will see.
		var shown bytes.Buffer
		if err := json.Compact(&shown, out.Payload); err != nil {
			return out, fmt.Errorf("compacting the payload of message %s: %w", m.ID, err)
		}
		out.Payload = shown.Bytes()
		signature, err := signing.Sign(m.ID, now, out.Payload, keys...)
		if err != nil {
			return out, fmt.Errorf("signing message %s for poller %s: %w", m.ID, p.ID, err)
		}
		out.Headers = map[string]string{
			signing.HeaderID: m.ID, signing.HeaderTimestamp: strconv.FormatInt(now.Unix(), 10), signing.HeaderSignature: signature,
		}
		return out, nil
	}
}

type pollIn struct {
	PollerPath
	StreamParams
	AfterParam
	EventType string `query:"event_type" doc:"Only messages of this event type."`
	Channel   string `query:"channel" doc:"Only messages on this channel."`
}

func (s *Server) poll(ctx context.Context, in *pollIn) (*answer[streamOut[pollerMessageOut]], error) {
	p, err := s.enabledPoller(ctx, in.PollerPath)
	if err != nil {
		return nil, err
	}
	from, err := in.from(in.After, p.Start)
	if err != nil {
		return nil, err
	}
	f := streamFilter(p.EventTypes, p.Channels)
	if in.EventType != "" {
		f.EventTypes = append(f.EventTypes, []string{in.EventType})
		err = checkName("query.event_type", in.EventType, maxName)
	}
	if in.Channel != "" {
		f.Channels = append(f.Channels, []string{in.Channel})
		err = cmp.Or(err, checkName("query.channel", in.Channel, maxChannel))
	}
	if err != nil {
		return nil, err
	}
	part, err := s.store.Stream(ctx, p.AppID, from, f, in.Limit)
	if err != nil {
		return nil, err
	}
	return streamed(part, 0, s.showSigned(p))
}

// enabledPoller finds the poller of a path, if it may be polled.
func (s *Server) enabledPoller(ctx context.Context, path PollerPath) (posthorn.Poller, error) {
	p, err := s.poller(ctx, path)
	if err == nil && p.Disabled {
		err = posthorn.Errorf(posthorn.Forbidden, "The poller is disabled")
	}
	return p, err
}

// ConsumerPath names a consumer of a poller.
type ConsumerPath struct {
	PollerPath
	ConsumerID string `path:"consumer_id" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"A name of your choice for one reader. Each has a position of its own."`
}

type pollAsConsumerIn struct {
	ConsumerPath
	StreamParams
}

func (s *Server) pollAsConsumer(ctx context.Context, in *pollAsConsumerIn) (*answer[streamOut[pollerMessageOut]], error) {
	p, err := s.enabledPoller(ctx, in.PollerPath)
	if err != nil {
		return nil, err
	}
	c, from, err := s.acknowledge(ctx, p, in.ConsumerID, in.Iterator)
	if err != nil {
		return nil, err
	}
	part, err := s.store.Stream(ctx, p.AppID, from, streamFilter(p.EventTypes, p.Channels), in.Limit)
	if err != nil {
		return nil, err
	}
	return streamed(part, c.Epoch, s.showSigned(p))
}

// acknowledge moves a consumer to its iterator and returns where it reads on: at the iterator; without one, or with one
// from before the consumer was sought, where it stands. Polls that acknowledge nothing new don't write.
func (s *Server) acknowledge(ctx context.Context, p posthorn.Poller, name, iterator string) (store.Consumer, store.Position, error) {
	c, err := s.store.Consumer(ctx, p.ID, name)
	if err != nil || iterator == "" {
		return c, c.Position, err
	}
	at, err := parseCursor(iterator)
	if err != nil {
		return c, c.Position, err
	}
	to := at.position(time.Time{})
	if c.Epoch == at.Epoch && c.Position.MessageID != to.MessageID {
		c, err = s.store.Acknowledge(ctx, store.Consumer{PollerID: p.ID, Name: name, Position: to, Epoch: at.Epoch})
	}
	if err != nil || c.Epoch != at.Epoch {
		return c, c.Position, err
	}
	return c, to, nil
}

type seekIn struct {
	ConsumerPath
	Body consumerSeekIn
}

type consumerSeekIn struct {
	After time.Time `json:"after" doc:"The consumer goes on with the messages made after this moment."`
}

type consumerSeekOut struct {
	Iterator string `json:"iterator" doc:"Where the consumer stands now. The iterators that it got before are void."`
}

func (s *Server) seek(ctx context.Context, in *seekIn) (*answer[consumerSeekOut], error) {
	p, err := s.poller(ctx, in.PollerPath)
	if err != nil {
		return nil, err
	}
	c, err := s.store.Seek(ctx, p.ID, in.ConsumerID, store.Position{After: in.Body.After.UTC()})
	if err != nil {
		return nil, err
	}
	return &answer[consumerSeekOut]{Body: consumerSeekOut{Iterator: cursorOf(c.Position, c.Epoch).String()}}, nil
}
