package activities

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/posthorn/posthorn"
)

// TendInput names an endpoint that needs attention.
type TendInput struct {
	AppID      string
	EndpointID string
}

// TendResult says how things stand.
type TendResult struct {
	Done  bool      // there is nothing left to do
	Again time.Time `json:",omitzero"` // else, when to come again
}

// tending is one look at an endpoint.
type tending struct {
	posthorn.Attention
	endpoint *posthorn.Endpoint // nil: it was deleted
	health   posthorn.Health
}

// tender does one kind of thing for an endpoint as long as it is called for, some seconds' worth at most. It returns when
// to come again; zero if there is nothing to do. It decides by how things stand, never by what caused the attention, so it
// may be called at any time and any number of times.
type tender func(ctx context.Context, t *tending) (again time.Time, err error)

// tenders are all of them.
func (a *Activities) tenders() []tender {
	return []tender{
		a.cancelOlder,
		a.letGo,
		a.probe,
		a.advance,
		a.retime,
		a.rethrottle,
		a.unblock,
	}
}

// tendHeartbeat is what Temporal sees of a look that takes its time.
const tendHeartbeat = "tending"

// Tend does what an endpoint needs.
func (a *Activities) Tend(ctx context.Context, in TendInput) (TendResult, error) {
	work, alive := workAlive(ctx)
	defer alive.stop()
	alive.beat(tendHeartbeat)
	t, err := a.lookAt(work, in)
	if posthorn.CodeOf(err) == posthorn.NotFound {
		return TendResult{Done: true}, nil
	}
	if err != nil {
		return TendResult{}, storeError(fmt.Errorf("reading what endpoint %s needs: %w", in.EndpointID, err))
	}
	var again time.Time
	for _, tend := range a.tenders() {
		next, err := tend(work, t)
		if err != nil {
			return TendResult{}, tendError(fmt.Errorf("looking after endpoint %s: %w", in.EndpointID, err))
		}
		if !next.IsZero() && (again.IsZero() || next.Before(again)) {
			again = next
		}
	}
	if !again.IsZero() {
		return TendResult{Again: again}, nil
	}
	done, err := a.Store.Attended(work, t.Attention)
	if err != nil {
		return TendResult{}, storeError(err)
	}
	return TendResult{Done: done, Again: a.Now()}, nil
}

// lookAt reads how things stand. Whoever lets an endpoint go changes it and says how in one transaction: what was read
// before that does not go together with what was read after it.
func (a *Activities) lookAt(ctx context.Context, in TendInput) (*tending, error) {
	before, err := a.Store.AttentionFor(ctx, in.EndpointID)
	if err != nil {
		return nil, err
	}
	for {
		t := &tending{}
		endpoint, err := a.Store.Endpoint(ctx, in.AppID, in.EndpointID)
		if err == nil {
			t.endpoint = &endpoint
		} else if posthorn.CodeOf(err) != posthorn.NotFound {
			return nil, err
		}
		if t.health, err = a.Store.Health(ctx, in.EndpointID); err != nil {
			return nil, err
		}
		if t.Attention, err = a.Store.AttentionFor(ctx, in.EndpointID); err != nil || t.Release == before.Release {
			return t, err
		}
		before = t.Attention
	}
}

// tendError is storeError for tending, during which the engine may be what fails.
func tendError(err error) error {
	return temporal.NewApplicationError(err.Error(), ErrorStorage)
}

// TendSoon has an endpoint looked after without keeping the caller waiting. Where that fails, WakeOverdue does it.
func (a *Activities) TendSoon(appID, endpointID string) {
	a.rounds.Go(func() {
		a.tends.wait(a.calling, appID)
		if err := a.Starter.Tend(a.sending, appID, endpointID); err != nil {
			a.Logger.Warn("an endpoint that needs attention has to wait for the next round", "endpoint", endpointID, "error", err)
		}
	})
}
