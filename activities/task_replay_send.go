package activities

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/posthorn/posthorn"
)

const (
	// stepTime is how long a step goes on to begin attempts. What it has not come to is left to the next one, so that the
	// progress of slow sending is seen.
	stepTime = 2 * time.Second
	// rateSlack is what a limited rate may make up for, having been held up.
	rateSlack = 50 * time.Millisecond
)

// replayRate is how many messages a second may be sent: what the task says, or the endpoint if that is less; 0 if neither
// says anything.
func replayRate(s *replaying, ep *posthorn.Endpoint) int {
	if s.Input.RateLimit == 0 || ep.ThrottleRate == 0 {
		return cmp.Or(s.Input.RateLimit, ep.ThrottleRate)
	}
	return min(s.Input.RateLimit, ep.ThrottleRate)
}

// turn is what came of a message whose turn has been.
type turn struct{ over, attempted, delivered bool }

// sendReplayed makes one attempt by hand for each message of the page, as long as the step's time and ctx last, and waits
// until they are recorded. The ID of an attempt is derived, so that one which an interrupted step has recorded is found
// and not made again.
func (a *Activities) sendReplayed(ctx context.Context, s *replaying, ep *posthorn.Endpoint) (done bool, err error) {
	a.rounds.Add(1)
	defer a.rounds.Done()
	slots := a.lanes.open(ep.ID)
	defer a.lanes.close(ep.ID)

	page, rate, begun := s.Cursor.Page, replayRate(s, ep), time.Now()
	turns := make([]turn, len(page))
	beginning, stop := context.WithCancel(ctx)
	defer stop()
	var group errgroup.Group
	for i, m := range page {
		if !pace(beginning, &s.Cursor.Due, rate) || !slots.take(beginning) {
			break
		}
		attemptID := posthorn.AttemptID.Derive(s.Cursor.At, s.Task.ID, m.ID)
		done, ok, err := a.admitReplayed(beginning, ep, attemptID, &s.Cursor.Turn, begun.Add(stepTime))
		if err != nil {
			group.Go(func() error { return err })
		}
		if !ok {
			slots.give()
			break
		}
		group.Go(func() (err error) {
			defer slots.give()
			defer done()
			if turns[i], err = a.sendAgain(ep, m.ID, attemptID); err != nil {
				stop() // before somebody else gets the slot
			}
			return err
		})
		if time.Since(begun) > stepTime {
			break
		}
	}
	if err := group.Wait(); err != nil {
		return false, err
	}
	s.Cursor.Page = nil
	for i, t := range turns {
		if t.over {
			s.Data.Add(t.attempted, t.delivered)
		} else {
			s.Cursor.Page = append(s.Cursor.Page, page[i])
		}
	}
	return len(s.Cursor.Page) == 0 && !s.Cursor.More, nil
}

// sendAgain makes one attempt by hand, unless it is on record. What has begun is finished, whatever happens to the task.
func (a *Activities) sendAgain(ep *posthorn.Endpoint, messageID, attemptID string) (turn, error) {
	made, err := a.Store.Attempt(a.sending, messageID, attemptID)
	if err == nil {
		return turn{over: true, attempted: true, delivered: made.Success}, nil
	}
	if posthorn.CodeOf(err) != posthorn.NotFound {
		return turn{}, err
	}
	message, err := a.Store.MessageByID(a.sending, messageID)
	switch {
	case posthorn.CodeOf(err) == posthorn.NotFound, err == nil && message.Payload == nil:
		return turn{over: true}, nil
	case err != nil:
		return turn{}, err
	}
	if made, err = a.sendByHand(a.sending, &message, ep, attemptID); err != nil {
		return turn{}, fmt.Errorf("sending %s again: %w", messageID, err)
	}
	return turn{over: true, attempted: true, delivered: made.Success}, nil
}

// pace waits until a rate lets the next message through, and reports whether ctx has lasted that long.
func pace(ctx context.Context, due *time.Time, rate int) bool {
	if rate > 0 {
		if wait := time.Until(*due); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
		}
		if held := time.Now().Add(-rateSlack); due.Before(held) {
			*due = held
		}
		*due = due.Add(time.Second / time.Duration(rate))
	}
	return ctx.Err() == nil
}
