package activities

import (
	"context"
	"fmt"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

type broadcasting = stepping[posthorn.BroadcastInput, pageCursor, posthorn.BroadcastData]

// broadcastStep posts the message to each of the next applications. The message's ID is derived from the task and the
// application, so that a message which an interrupted step has posted is found and not posted again.
func (a *Activities) broadcastStep(ctx context.Context, s *broadcasting) (done bool, err error) {
	apps, err := a.Store.ListApplications(ctx, s.Task.OrgID, store.Page{Limit: taskPage, After: s.Cursor.After})
	if err != nil {
		return false, err
	}
	at := s.Cursor.begun(s.Task)
	sent := make([]bool, len(apps.Items))
	err = each(ctx, apps.Items, func(ctx context.Context, i int, app posthorn.Application) (err error) {
		sent[i], err = a.post(ctx, posthorn.Message{
			ID: posthorn.MessageID.Derive(at, s.Task.ID, app.ID), AppID: app.ID, EventID: s.Input.EventID,
			EventType: s.Input.EventType, Channels: s.Input.Channels, Tags: s.Input.Tags, Payload: s.Input.Payload,
			PayloadVersion: s.Input.PayloadVersion, Variants: s.Input.Variants, Warnings: s.Input.Warnings,
			CreatedAt: at, ExpiresAt: at.Add(s.Input.Retention), DeliverAt: s.Input.DeliverAt, DeliverBefore: s.Input.DeliverBefore,
		})
		if err != nil {
			return fmt.Errorf("posting to %s: %w", app.ID, err)
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	for _, ok := range sent {
		if ok {
			s.Data.Sent++
		} else {
			s.Data.Skipped++
		}
	}
	if n := len(apps.Items); n > 0 {
		s.Cursor = pageCursor{After: apps.Items[n-1].ID, At: a.moment()}
	}
	return !apps.More, nil
}

// post stores a message and begins its delivery, unless an earlier call has. It returns false if the application has
// another message with the event id.
func (a *Activities) post(ctx context.Context, m posthorn.Message) (posted bool, err error) {
	err = a.Store.CreateMessage(ctx, m)
	if posthorn.CodeOf(err) == posthorn.Conflict {
		if _, err := a.Store.MessageByID(ctx, m.ID); posthorn.CodeOf(err) == posthorn.NotFound {
			return false, nil
		} else if err != nil {
			return false, err
		}
		err = nil
	}
	if err != nil {
		return false, err
	}
	if err := a.Starter.Start(ctx, m); err != nil && posthorn.CodeOf(err) != posthorn.Conflict {
		return false, err
	}
	return true, nil
}
