package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/sync/errgroup"

	"github.com/posthorn/posthorn"
)

const (
	// maxBatchBody is the largest body of a request that creates many messages, in bytes.
	maxBatchBody = 8 << 20
	maxBatch     = 1000
	// maxStarts is how many deliveries of a batch are begun at a time.
	maxStarts = 16
	// startsFor bounds how long a request begins deliveries. The sweep begins the rest.
	startsFor = 30 * time.Second
	// patientFor is how long a large body may take to arrive.
	patientFor = 30 * time.Second
)

// createMessagesIn describes a batch. Like messageIn it is decoded without huma.
type createMessagesIn struct {
	Messages []messageIn `json:"messages" minItems:"1" maxItems:"1000" nullable:"false" doc:"The messages, each as for v1.message.create and of 1 MiB at most; together 8 MiB at most."`
}

type createBatchIn struct {
	AppPath
	WithContent bool   `query:"with_content" default:"false" doc:"Show the payloads in the answer."`
	RawBody     []byte `contentType:"application/json"`
}

type createMessagesOut struct {
	Data     []batchItemOut `json:"data" nullable:"false" doc:"What became of each message, in their order."`
	Accepted int            `json:"accepted" doc:"How many were accepted."`
	Refused  int            `json:"refused" doc:"How many were refused."`
}

type batchItemOut struct {
	Status  int         `json:"status" enum:"202,409,413,422" doc:"202 accepted; otherwise what the message alone would have been answered with."`
	Message *messageOut `json:"message,omitempty" doc:"The accepted message."`
	Delayed bool        `json:"delayed,omitempty" doc:"It is stored, and its delivery begins by itself within minutes: it could not begin at once."`
	Error   *wireError  `json:"error,omitempty" doc:"Why it was refused, in the form that the answer to the message alone would have had."`
}

// wireError is the body of an error answer inside another answer.
type wireError struct{ *failure }

// Schema is that of either form.
func (wireError) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{schemaOf[httpErrorOut](r), schemaOf[httpValidationError](r)}}
}

// patient gives a large body time to arrive.
func patient(register registration) registration {
	return func(wire huma.API, op huma.Operation) {
		op.BodyReadTimeout = max(op.BodyReadTimeout, patientFor)
		register(wire, op)
	}
}

// createMessages accepts or refuses each message by itself, and stores the accepted ones in one commit. A 202 means that
// this commit is durable. Deliveries that can't begin now are left to the sweep, rather than refuse what is stored.
func (s *Server) createMessages(ctx context.Context, in *createBatchIn) (*answer[createMessagesOut], error) {
	bodies, err := splitBatch(in.RawBody)
	if err != nil {
		return nil, err
	}
	b := &batch{Server: s, messages: make([]posthorn.Message, len(bodies)), refused: make([]error, len(bodies)), delayed: make([]bool, len(bodies))}
	if key := onceOf(ctx); key.isSettled() {
		err = b.createdBefore(ctx, key, bodies)
	} else {
		err = b.create(ctx, in.AppID, key, bodies)
	}
	if err != nil {
		return nil, err
	}
	return &answer[createMessagesOut]{Body: b.show(ctx, in.WithContent)}, nil
}

// splitBatch takes a batch apart and leaves the messages alone.
func splitBatch(body []byte) ([]json.RawMessage, error) {
	var in struct{ Messages []json.RawMessage }
	if err := json.Unmarshal(body, &in); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return nil, invalidField("body.messages", "must be a list of messages, not a JSON %s", wrong.Value)
		}
		return nil, notJSON(err.Error())
	}
	if len(in.Messages) == 0 || len(in.Messages) > maxBatch {
		return nil, invalidField("body.messages", "must be 1 to %d messages", maxBatch)
	}
	return in.Messages, nil
}

// batch is what becomes of each message, by its place in the request.
type batch struct {
	*Server
	messages []posthorn.Message // without an ID where it is refused
	refused  []error
	delayed  []bool
}

func (b *batch) create(ctx context.Context, appID string, key *once, bodies []json.RawMessage) error {
	parsed := make([]*messageIn, len(bodies))
	var brought *applicationIn
	for i, body := range bodies {
		if parsed[i], b.refused[i] = parseItem(i, body); b.refused[i] == nil && brought == nil {
			brought = parsed[i].Application
		}
	}
	owner, err := b.addressee(ctx, appID, brought)
	if err != nil {
		return err
	}
	for i, in := range parsed {
		if b.refused[i] != nil {
			continue
		}
		m, err := b.draft(ctx, owner, in)
		switch _, aboutInput := validationItems(err); {
		case aboutInput:
			b.refused[i] = within(itemAt(i), err)
		case err != nil:
			return err
		default:
			b.messages[i] = m
		}
	}
	refused, lost, err := b.storeOnce(ctx, b.messages, key)
	switch {
	case err != nil:
		return err
	case lost:
		return b.createdBefore(ctx, key, bodies)
	}
	for i, err := range refused {
		if err != nil {
			b.refused[i] = errEventIDTaken()
		}
	}
	b.start(ctx, func(ctx context.Context, m posthorn.Message) error {
		err := b.begin(ctx, m)
		if posthorn.CodeOf(err) == posthorn.Conflict {
			return nil // the sweep was quicker
		}
		return err
	})
	return nil
}

// createdBefore finds what an earlier request with the key has made of the same batch. Deliveries that have not begun
// since then begin now.
func (b *batch) createdBefore(ctx context.Context, key *once, bodies []json.RawMessage) error {
	made := key.claim.Messages
	if len(made) != len(bodies) {
		return fmt.Errorf("the claim has %d messages of a batch of %d", len(made), len(bodies))
	}
	for i, id := range made {
		var err error
		if id != "" {
			b.messages[i], err = b.store.MessageByID(ctx, id)
		} else if _, b.refused[i] = parseItem(i, bodies[i]); b.refused[i] == nil {
			b.refused[i] = errEventIDTaken()
		}
		if err != nil {
			return err
		}
	}
	key.replayed = true
	b.start(ctx, func(ctx context.Context, m posthorn.Message) error {
		_, err := b.resume(ctx, m)
		return err
	})
	return nil
}

// start begins the deliveries, some at a time. One that can't begin is tried again while others can; when none can, the
// rest is left to the sweep.
func (b *batch) start(ctx context.Context, begin func(context.Context, posthorn.Message) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startsFor)
	defer cancel()
	var failed atomic.Bool
	var begun atomic.Int64
	var starts errgroup.Group
	starts.SetLimit(maxStarts)
	for i := range b.messages {
		if b.messages[i].ID == "" || b.refused[i] != nil {
			continue
		}
		starts.Go(func() error {
			for !failed.Load() && ctx.Err() == nil {
				before := begun.Load()
				err := begin(ctx, b.messages[i])
				if err == nil {
					begun.Add(1)
					return nil
				}
				if begun.Load() == before {
					failed.Store(true)
					b.delayed[i] = true
					return err
				}
			}
			b.delayed[i] = true
			return ctx.Err()
		})
	}
	if err := starts.Wait(); err != nil {
		b.log.WarnContext(ctx, "some messages of a batch are left to the sweep", requestID(ctx), slog.Any("error", err))
	}
}

func (b *batch) show(ctx context.Context, withContent bool) createMessagesOut {
	who := callerOf(ctx)
	out := createMessagesOut{Data: make([]batchItemOut, len(b.messages))}
	for i, m := range b.messages {
		item := &out.Data[i]
		if err := b.refused[i]; err != nil {
			f := b.translateError(ctx, err) // the answer as a whole names the request
			item.Status, item.Error = f.status, &wireError{f}
			out.Refused++
			continue
		}
		shown := showMessage(who, m, withContent)
		item.Status, item.Message, item.Delayed = http.StatusAccepted, &shown, b.delayed[i]
		out.Accepted++
	}
	return out
}

func parseItem(i int, body json.RawMessage) (*messageIn, error) {
	if len(body) > maxMessageBody {
		return nil, tooLarge(maxMessageBody)
	}
	return parseMessageAt(itemAt(i), body)
}

func itemAt(i int) string { return fmt.Sprintf("body.messages[%d]", i) }

func errEventIDTaken() error {
	return posthorn.Errorf(posthorn.Conflict, "A message with this eventId exists already")
}
