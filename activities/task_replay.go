package activities

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
)

// replayCursor is where sending again stands. The messages are counted first. Then they are taken on page by page, and
// noted before the first of a page is sent: one that is delivered may not be among those to send any more, and could not
// be counted when the step is repeated.
type replayCursor struct {
	pageCursor
	Seen    string     `json:",omitempty"` // the last message that counting has come past
	Counted bool       `json:",omitempty"`
	Page    []replayed `json:",omitempty"` // what the next step sends
	More    bool       `json:",omitempty"` // there may be messages behind the page
	Due     time.Time  `json:",omitzero"`  // when the rate limit lets the next one through
	Turn    time.Time  `json:",omitzero"`  // the turn that the next one has under the limits of the endpoint
}

type replayed struct{ ID string }

type replaying = stepping[posthorn.ReplayInput, replayCursor, posthorn.ReplayData]

const (
	// countedPage is how many messages are looked at with one query while they are counted.
	countedPage = 1000
	// maxPages is how many pages one step looks at, whatever it finds.
	maxPages = 5
)

// replayStep counts the next messages, or notes the next ones to send, or makes one attempt by hand for each of those
// noted.
func (a *Activities) replayStep(ctx context.Context, s *replaying) (done bool, err error) {
	ep, err := a.replayEndpoint(ctx, s)
	if err != nil {
		return false, err
	}
	switch {
	case s.Input.DryRun:
		if s.Data.Count == nil {
			s.Data.Count = new(int)
		}
		done, err = a.countReplayed(ctx, s, &ep, s.Data.Count)
		return done, err
	case s.Data.ReplayProgress == nil:
		s.Data.ReplayProgress = &posthorn.ReplayProgress{}
	}
	switch {
	case !s.Cursor.Counted:
		s.Cursor.Counted, err = a.countReplayed(ctx, s, &ep, &s.Data.Total)
		return false, err
	case len(s.Cursor.Page) == 0:
		done, err = a.noteReplayed(ctx, s, &ep)
	default:
		done, err = a.sendReplayed(ctx, s, &ep)
	}
	if done {
		s.Data.Total = s.Data.Done // what was counted may have been delivered meanwhile
	}
	return done, err
}

// replayEndpoint is the endpoint to send to. One that Posthorn has disabled since the task began, because it is gone for
// instance, is left in peace.
func (a *Activities) replayEndpoint(ctx context.Context, s *replaying) (posthorn.Endpoint, error) {
	ep, err := a.Store.Endpoint(ctx, s.Task.AppID, s.Input.EndpointID)
	switch {
	case posthorn.CodeOf(err) == posthorn.NotFound:
		return ep, posthorn.Errorf(posthorn.NotFound, "the endpoint was deleted")
	case err == nil && ep.Disabled && ep.DisabledReason != "" && ep.UpdatedAt.After(s.Task.CreatedAt):
		return ep, posthorn.Errorf(posthorn.Gone, "the endpoint was disabled: %s", ep.DisabledReason)
	default:
		return ep, err
	}
}

// countReplayed adds up the next messages; done if there are no more.
func (a *Activities) countReplayed(ctx context.Context, s *replaying, ep *posthorn.Endpoint, total *int) (done bool, err error) {
	for range maxPages {
		found, err := a.findReplayed(ctx, s, ep, s.Cursor.Seen, countedPage)
		if err != nil {
			return false, err
		}
		*total += len(found.ids)
		s.Cursor.Seen = found.last
		if !found.more {
			return true, nil
		}
	}
	return false, nil
}

// noteReplayed puts the next messages into the cursor; done if there are none.
func (a *Activities) noteReplayed(ctx context.Context, s *replaying, ep *posthorn.Endpoint) (done bool, err error) {
	size := taskPage
	if rate := replayRate(s, ep); rate > 0 {
		size = min(size, max(1, rate*int(stepTime/time.Second)))
	}
	for range maxPages {
		found, err := a.findReplayed(ctx, s, ep, s.Cursor.After, size)
		if err != nil {
			return false, err
		}
		for _, id := range found.ids {
			s.Cursor.Page = append(s.Cursor.Page, replayed{id})
		}
		s.Cursor.After, s.Cursor.More, s.Cursor.At = found.last, found.more, a.moment()
		if len(s.Cursor.Page) > 0 || !found.more {
			break
		}
	}
	return len(s.Cursor.Page) == 0 && !s.Cursor.More, nil
}
