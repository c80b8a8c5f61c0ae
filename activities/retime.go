package activities

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/egress"
	"github.com/posthorn/posthorn/internal/store"
)

// retimePage is how many deliveries are timed anew in one commit.
const retimePage = 100

// retime has the deliveries that wait for their next attempt follow a schedule that was changed. Those that the schedule as
// it is could have led to are left alone, so that a page may be looked at twice.
func (a *Activities) retime(ctx context.Context, t *tending) (again time.Time, err error) {
	if t.endpoint == nil || t.Retime == nil {
		return time.Time{}, nil
	}
	read := &schedulesRead{a: a, byType: make(map[string]posthorn.Schedule)}
	for end := a.Now().Add(letGoFor); a.Now().Before(end); {
		page, err := a.Store.Retrying(ctx, t.EndpointID, *t.Retime, retimePage)
		if err != nil {
			return time.Time{}, err
		}
		var moves []store.Retiming
		for _, d := range page {
			due, again, err := a.due(ctx, t.endpoint, d, read)
			switch {
			case err != nil:
				return time.Time{}, err
			case !again:
				moves = append(moves, store.Retiming{Delivery: d, Reason: exhaustedReason})
			case !due.Equal(d.NextAt):
				moves = append(moves, store.Retiming{Delivery: d, NextAt: due})
			}
		}
		if err := a.move(ctx, moves); err != nil {
			return time.Time{}, err
		}
		var after *string
		if len(page) == retimePage {
			after = &page[len(page)-1].MessageID
		}
		if err := a.Store.Retimed(ctx, t.Attention, after); err != nil {
			return time.Time{}, err
		}
		if t.Retime = after; after == nil {
			return time.Time{}, nil
		}
	}
	return a.Now(), nil
}

// due says when the next attempt of a waiting delivery is due by the schedule as it is now.
func (a *Activities) due(
	ctx context.Context, ep *posthorn.Endpoint, d posthorn.Delivery, read *schedulesRead,
) (due time.Time, again bool, err error) {
	last, err := a.Store.LastAttempt(ctx, d.MessageID, d.EndpointID)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("reading the last attempt of %s to %s: %w", d.MessageID, d.EndpointID, err)
	}
	inherited, err := read.of(ctx, d.AppID, last.EventType)
	if err != nil {
		return time.Time{}, false, err
	}
	ended := last.StartedAt.Add(last.Duration)
	due, again = inherited.OverriddenBy(ep.RetrySchedule).Retime(posthorn.Waiting{
		Made: d.Scheduled, Ended: ended, AtLeast: leastWaitAfter(&last, ended), Due: d.NextAt,
	})
	return due, again, nil
}

// leastWaitAfter is leastWait for an attempt on record.
func leastWaitAfter(made *posthorn.Attempt, ended time.Time) time.Duration {
	return leastWait(egress.Result{
		Class: egress.ErrorClass(made.ErrorClass), Status: made.Status, RetryAfter: egress.RetryAfter(made.Header, ended),
	})
}

// move gives deliveries their new times and has Temporal look at them.
func (a *Activities) move(ctx context.Context, moves []store.Retiming) error {
	if len(moves) == 0 {
		return nil
	}
	moved, err := a.Store.Retime(ctx, moves)
	if err != nil {
		return err
	}
	ended, open := split(moved, hasEnded)
	return cmp.Or(a.Starter.Nudge(ctx, ended...), a.Starter.Wake(ctx, open...))
}

// schedulesRead are schedules of event types as they are in the database: in memory could still be the one before the change.
type schedulesRead struct {
	a      *Activities
	org    string
	byType map[string]posthorn.Schedule
}

func (r *schedulesRead) of(ctx context.Context, appID, eventType string) (schedule posthorn.Schedule, err error) {
	schedule, ok := r.byType[eventType]
	if ok {
		return schedule, nil
	}
	if r.org == "" {
		if r.org, err = r.a.Store.Owner(ctx, appID); err != nil {
			return nil, err
		}
	}
	et, err := r.a.Store.EventType(ctx, r.org, eventType)
	if err != nil && posthorn.CodeOf(err) != posthorn.NotFound {
		return nil, err
	}
	schedule = r.a.Schedule.OverriddenBy(et.RetrySchedule)
	r.byType[eventType] = schedule
	return schedule, nil
}
