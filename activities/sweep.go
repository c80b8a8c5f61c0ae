package activities

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

const (
	// sweepAge is how old a message must be before the sweep looks at it: one that is being accepted or sent just now
	// is left in peace.
	sweepAge = time.Minute
	// sweepBatch is how many messages are read at a time.
	sweepBatch = 1000
)

// SweepResult counts what a sweep did.
type SweepResult struct {
	Started int // messages whose workflow had never begun
	Tasks   int `json:",omitempty"` // background tasks likewise
	Claims  int `json:",omitempty"` // claims of requests whose day was over
	Ended   int `json:",omitempty"` // tasks that had lost their workflow
}

// Sweep starts the workflows of stored messages and tasks that have none: those whose process ended between the two steps.
// It ends tasks that have lost theirs. And it deletes the claims of requests whose day is over.
func (a *Activities) Sweep(ctx context.Context) (SweepResult, error) {
	result, err := a.StartUndispatched(ctx, a.Now().Add(-sweepAge))
	var ending, deleting error
	result.Ended, ending = a.endStalledTasks(ctx)
	result.Claims, deleting = a.deleteExpiredClaims(ctx)
	return result, cmp.Or(err, ending, deleting)
}

// StartUndispatched is a sweep over all messages and tasks that were stored before a moment.
func (a *Activities) StartUndispatched(ctx context.Context, before time.Time) (SweepResult, error) {
	var result SweepResult
	for after := ""; ; {
		messages, err := a.Store.Undispatched(ctx, after, before, sweepBatch)
		if err != nil {
			return result, storeError(fmt.Errorf("reading undispatched messages: %w", err))
		}
		for _, m := range messages {
			started, err := a.pickUp(ctx, m)
			if err != nil {
				return result, err
			}
			if started {
				result.Started++
			}
		}
		if len(messages) < sweepBatch {
			result.Tasks, err = a.startTasks(ctx, before)
			return result, err
		}
		after = messages[len(messages)-1].ID
	}
}

// pickUp starts the workflow of a message. If there is one already that has ended, the message needs no sweep again: it
// must not be started anew when Temporal has forgotten it. One that is running records the end of the first round itself,
// and until then those behind the message in its order have to know of it.
func (a *Activities) pickUp(ctx context.Context, m posthorn.Message) (started bool, err error) {
	err = a.Starter.Start(ctx, m)
	switch posthorn.CodeOf(err) {
	case "":
		return true, nil
	case posthorn.Conflict:
		if m.DeliverAt.After(a.Now()) {
			return false, a.MarkScheduled(ctx, ScheduledInput{MessageID: m.ID, AppID: m.AppID})
		}
		running, err := a.Starter.Running(ctx, m.ID)
		if err != nil || running {
			return false, err
		}
		_, err = a.record(ctx, store.Record{MessageID: m.ID, AppID: m.AppID, Dispatched: true})
		if err != nil {
			return false, storeError(err)
		}
		return false, nil
	default:
		return false, fmt.Errorf("starting the workflow of %s: %w", m.ID, err)
	}
}
