package activities

import (
	"context"
	"maps"
	"slices"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// countPage is how many messages one step counts.
const countPage = 5000

// countCursor is where counting stands: in the list of applications, and in the messages of the next one of them.
type countCursor struct {
	Next    int               `json:",omitempty"` // index in the input's applications, where it names some
	After   string            `json:",omitempty"` // the last application counted, where all are
	App     *posthorn.AppName `json:",omitempty"` // the application that is being counted
	Message string            `json:",omitempty"` // its last message counted
	Counted posthorn.AppStats `json:",omitzero"`
}

type counting = stepping[posthorn.StatsInput, countCursor, posthorn.StatsData]

// statsStep counts the deliveries of the next messages of an application, or goes on to the next application.
func (a *Activities) statsStep(ctx context.Context, s *counting) (done bool, err error) {
	if s.Data.AppStats == nil {
		s.Data.AppStats = []posthorn.AppStats{}
	}
	from, to := countRange(s.Input)
	for budget := countPage; budget > 0; {
		if s.Cursor.App == nil {
			if done, err := a.nextCounted(ctx, s, from); done || err != nil {
				return done, err
			}
		}
		found, err := a.Store.CountDestinations(ctx, s.Cursor.App.ID, s.Cursor.Message, to, budget)
		if err != nil {
			return false, err
		}
		s.Cursor.Counted.MessageDestinations += found.Deliveries
		if found.Messages == budget {
			s.Cursor.Message = found.Last
			return false, nil
		}
		budget -= found.Messages + 1 // an application costs something too
		s.Data.AppStats = append(s.Data.AppStats, s.Cursor.Counted)
		s.Cursor.App, s.Cursor.Message = nil, ""
	}
	return false, nil
}

// countRange is the range of message IDs to count: behind the first and before the second.
func countRange(in posthorn.StatsInput) (after, before string) {
	// No identifier is like this one without its last character, and all from Since on sort behind it.
	floor := store.Before(posthorn.MessageID, in.Since)
	return floor[:len(floor)-1], store.Before(posthorn.MessageID, in.Until)
}

// nextCounted puts the next application to count into the cursor; done if there is none.
func (a *Activities) nextCounted(ctx context.Context, s *counting, from string) (done bool, err error) {
	var next posthorn.AppName
	if len(s.Input.Apps) > 0 {
		if s.Cursor.Next == len(s.Input.Apps) {
			return true, nil
		}
		next = s.Input.Apps[s.Cursor.Next]
		s.Cursor.Next++
	} else {
		found, err := a.Store.ListApplications(ctx, s.Task.OrgID, store.Page{Limit: 1, After: s.Cursor.After})
		if err != nil || len(found.Items) == 0 {
			return err == nil, err
		}
		next = posthorn.AppName{ID: found.Items[0].ID, UID: found.Items[0].UID}
		s.Cursor.After = next.ID
	}
	s.Cursor.App, s.Cursor.Message = &next, from
	s.Cursor.Counted = posthorn.AppStats{AppID: next.ID}
	if next.UID != "" {
		s.Cursor.Counted.AppUID = &next.UID
	}
	return false, nil
}

type aggregating = stepping[struct{}, pageCursor, posthorn.SubscriptionData]

// subscriptionStep tells what the endpoints of the next applications subscribe to.
func (a *Activities) subscriptionStep(ctx context.Context, s *aggregating) (done bool, err error) {
	apps, err := a.Store.ListApplications(ctx, s.Task.OrgID, store.Page{Limit: taskPage, After: s.Cursor.After})
	if err != nil {
		return false, err
	}
	if s.Data.EventTypes == nil {
		s.Data.EventTypes = []posthorn.AppSubscriptions{}
	}
	for _, app := range apps.Items {
		found, err := a.subscriptions(ctx, app.ID)
		if err != nil {
			return false, err
		}
		s.Data.EventTypes = append(s.Data.EventTypes, found)
		s.Cursor.After = app.ID
	}
	return !apps.More, nil
}

func (a *Activities) subscriptions(ctx context.Context, appID string) (posthorn.AppSubscriptions, error) {
	names := map[string]struct{}{}
	out := posthorn.AppSubscriptions{AppID: appID, Explicitly: []string{}}
	for page := (store.Page{Limit: 10 * taskPage}); ; {
		endpoints, err := a.Store.ListEndpoints(ctx, appID, page)
		if err != nil {
			return out, err
		}
		for _, ep := range endpoints.Items {
			out.CatchAll = out.CatchAll || len(ep.EventTypes) == 0
			for _, name := range ep.EventTypes {
				names[name] = struct{}{}
			}
			page.After = ep.ID
		}
		if !endpoints.More {
			break
		}
	}
	out.Explicitly = slices.AppendSeq(out.Explicitly, maps.Keys(names))
	slices.Sort(out.Explicitly)
	return out, nil
}
