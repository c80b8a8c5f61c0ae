package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// pageCursor is where a step stands in a list by ID. At is the moment from which the identifiers of the page's new
// things are derived: close to the truth, and yet the same when the step is repeated.
type pageCursor struct {
	After string    `json:",omitempty"`
	At    time.Time `json:",omitzero"`
}

// begun is the moment of the page.
func (c pageCursor) begun(t posthorn.Task) time.Time {
	if c.At.IsZero() {
		return t.CreatedAt
	}
	return c.At
}

// moment is now, to the precision of identifiers.
func (a *Activities) moment() time.Time { return a.Now().UTC().Truncate(time.Millisecond) }

// recoverCursor is where recovering stands. The messages of a page are noted before the first of them is sent: once it is
// delivered, it no longer is among those that have failed, and could not be counted when the step is repeated.
type recoverCursor struct {
	pageCursor
	Page []failedMessage `json:",omitempty"` // what the next step sends
	More bool            `json:",omitempty"` // there are messages behind the page
}

type failedMessage struct {
	ID        string
	EventType string
}

type recovering = stepping[posthorn.RecoverInput, recoverCursor, posthorn.RecoverData]

// recoverStep notes the next messages that have failed at an endpoint, or makes one attempt by hand for each of those
// noted. The ID of the attempt is derived, so that an attempt which an interrupted step has begun is found and not made
// again.
func (a *Activities) recoverStep(ctx context.Context, s *recovering) (done bool, err error) {
	if _, err := a.Store.Endpoint(ctx, s.Task.AppID, s.Input.EndpointID); err != nil {
		if posthorn.CodeOf(err) == posthorn.NotFound {
			return false, posthorn.Errorf(posthorn.NotFound, "the endpoint was deleted")
		}
		return false, err
	}
	if len(s.Cursor.Page) == 0 {
		return a.noteFailed(ctx, s)
	}
	results := make([]ResendResult, len(s.Cursor.Page))
	err = each(ctx, s.Cursor.Page, func(ctx context.Context, i int, failed failedMessage) (err error) {
		m := posthorn.Message{ID: failed.ID, AppID: s.Task.AppID, EventType: failed.EventType}
		attempt := posthorn.AttemptID.Derive(s.Cursor.At, s.Task.ID, m.ID)
		if results[i], err = a.Starter.Attempt(ctx, m, s.Input.EndpointID, attempt); err != nil {
			return fmt.Errorf("sending %s again: %w", m.ID, err)
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	for _, result := range results {
		switch {
		case result.Skipped:
			s.Data.Skipped++
		case result.Delivered:
			s.Data.Delivered++
			s.Data.Attempted++
		default:
			s.Data.Attempted++
		}
	}
	done = !s.Cursor.More
	s.Cursor.Page = nil
	return done, nil
}

// noteFailed puts the next messages that have failed into the cursor; done if there are none.
func (a *Activities) noteFailed(ctx context.Context, s *recovering) (done bool, err error) {
	found, err := a.Store.ListEndpointMessages(ctx, s.Input.EndpointID, store.EndpointMessageFilter{
		MessageFilter: store.MessageFilter{
			// The window of a list is open on both sides.
			Window: store.Window{After: s.Input.Since.Add(-time.Microsecond), Before: s.Input.Until},
		},
		States: []posthorn.DeliveryState{posthorn.Failed},
	}, store.Page{Limit: taskPage, After: s.Cursor.After})
	if err != nil || len(found.Items) == 0 {
		return err == nil, err
	}
	for _, item := range found.Items {
		s.Cursor.Page = append(s.Cursor.Page, failedMessage{item.Message.ID, item.Message.EventType})
		s.Cursor.After = item.Message.ID
	}
	s.Cursor.More, s.Cursor.At = found.More, a.moment()
	return false, nil
}
