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

type recovering = stepping[posthorn.RecoverInput, pageCursor, posthorn.RecoverData]

// recoverStep makes one attempt by hand for each of the next messages that have failed at an endpoint. The ID of the
// attempt is derived, so that an attempt which an interrupted step has begun is found and not made again.
func (a *Activities) recoverStep(ctx context.Context, s *recovering) (done bool, err error) {
	if _, err := a.Store.Endpoint(ctx, s.Task.AppID, s.Input.EndpointID); err != nil {
		if posthorn.CodeOf(err) == posthorn.NotFound {
			return false, posthorn.Errorf(posthorn.NotFound, "the endpoint was deleted")
		}
		return false, err
	}
	failed, err := a.Store.ListEndpointMessages(ctx, s.Input.EndpointID, store.EndpointMessageFilter{
		MessageFilter: store.MessageFilter{
			// The window of a list is open on both sides.
			Window: store.Window{After: s.Input.Since.Add(-time.Microsecond), Before: s.Input.Until},
		},
		States: []posthorn.DeliveryState{posthorn.Failed},
	}, store.Page{Limit: taskPage, After: s.Cursor.After})
	if err != nil {
		return false, err
	}
	results := make([]ResendResult, len(failed.Items))
	at := s.Cursor.begun(s.Task)
	err = each(ctx, failed.Items, func(ctx context.Context, i int, item store.EndpointMessage) (err error) {
		attempt := posthorn.AttemptID.Derive(at, s.Task.ID, item.Message.ID)
		results[i], err = a.Starter.Attempt(ctx, item.Message, s.Input.EndpointID, attempt)
		if err != nil {
			return fmt.Errorf("sending %s again: %w", item.Message.ID, err)
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
	if n := len(failed.Items); n > 0 {
		s.Cursor = pageCursor{After: failed.Items[n-1].Message.ID, At: a.moment()}
	}
	return !failed.More, nil
}
