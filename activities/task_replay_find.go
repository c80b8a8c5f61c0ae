package activities

import (
	"context"
	"slices"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// foundMessages are the messages that a task is about among those of one page.
type foundMessages struct {
	ids  []string
	last string // the last one that was looked at
	more bool   // there are messages behind it
}

// findReplayed looks at the next messages of a task, oldest first.
func (a *Activities) findReplayed(ctx context.Context, s *replaying, ep *posthorn.Endpoint, after string, limit int) (foundMessages, error) {
	in := s.Input
	f := store.MessageFilter{
		// The window of a list is open on both sides.
		Window:  store.Window{After: in.Since.Add(-time.Microsecond), Before: in.Until},
		Channel: in.Channel, Tag: in.Tag, EventTypes: in.EventTypes,
	}
	page := store.Page{Limit: limit, After: after}
	switch s.Task.Kind {
	case posthorn.ReplayMissing:
		return a.findMissing(ctx, ep, f, page)
	case posthorn.BulkReplay:
		return a.findSent(ctx, ep, store.EndpointMessageFilter{MessageFilter: f, States: in.States}, in.StatusClass, page)
	default:
		return a.findSent(ctx, ep, store.EndpointMessageFilter{MessageFilter: f, States: []posthorn.DeliveryState{posthorn.Failed}}, nil, page)
	}
}

// findSent finds messages that have a delivery to the endpoint. class, unless nil, is that of the newest attempt's status.
func (a *Activities) findSent(
	ctx context.Context, ep *posthorn.Endpoint, f store.EndpointMessageFilter, class *int, page store.Page,
) (found foundMessages, err error) {
	list, err := a.Store.ListEndpointMessages(ctx, ep.ID, f, page)
	if err != nil {
		return found, err
	}
	for _, item := range list.Items {
		found.last = item.Message.ID
		found.ids = append(found.ids, item.Message.ID)
	}
	found.more = list.More
	if class == nil || len(found.ids) == 0 {
		return found, nil
	}
	classes, err := a.Store.LastStatusClasses(ctx, ep.ID, found.ids)
	if err != nil {
		return found, err
	}
	found.ids = slices.DeleteFunc(found.ids, func(id string) bool {
		last, attempted := classes[id]
		return !attempted || last != *class
	})
	return found, nil
}

// findMissing finds messages that the endpoint wants and that were never on their way to it.
func (a *Activities) findMissing(
	ctx context.Context, ep *posthorn.Endpoint, f store.MessageFilter, page store.Page,
) (found foundMessages, err error) {
	list, err := a.Store.ListMessages(ctx, ep.AppID, f, page)
	if err != nil {
		return found, err
	}
	for _, m := range list.Items {
		found.last = m.ID
		if ep.Wants(&m) {
			found.ids = append(found.ids, m.ID)
		}
	}
	found.more = list.More
	if len(found.ids) > 0 {
		found.ids, err = a.Store.NeverSent(ctx, ep.ID, found.ids)
	}
	return found, err
}
