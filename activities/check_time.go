package activities

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// checkTime ends what was cancelled or comes too late, and has what comes too early wait.
func checkTime(_ context.Context, c *candidate) (verdict, error) {
	m := c.message
	switch {
	case !m.CancelledAt.IsZero():
		return verdict{ends: posthorn.Cancelled, reason: posthorn.MessageCancelled}, nil
	case c.endpoint.Cancels(m):
		return verdict{ends: posthorn.Cancelled, reason: c.endpoint.OlderCancelled()}, nil
	case !m.DeliverBefore.IsZero() && !c.now.Before(m.DeliverBefore):
		return verdict{ends: posthorn.Failed, reason: tooLate(m)}, nil
	case m.DeliverAt.After(c.now):
		return verdict{waits: posthorn.WaitTime, until: m.DeliverAt, reason: "it is to be delivered at " + spell(m.DeliverAt)}, nil
	default:
		return verdict{}, nil
	}
}

func tooLate(m *posthorn.Message) string {
	return "it was not delivered before " + spell(m.DeliverBefore) + ", as it was to be"
}

func spell(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// bounded has what waits asked for again when its message's own time is over, so that it ends then.
func (v verdict) bounded(m *posthorn.Message) verdict {
	if v.waits != posthorn.WaitNothing && !m.DeliverBefore.IsZero() && (v.until.IsZero() || v.until.After(m.DeliverBefore)) {
		v.until = m.DeliverBefore
	}
	return v
}

// cutOff ends deliveries whose next attempt would come when their message's time is over.
func cutOff(m *posthorn.Message, r *store.Record) {
	if m.DeliverBefore.IsZero() {
		return
	}
	for i := range r.Attempts {
		a := &r.Attempts[i]
		if !a.NextAt.IsZero() && !a.NextAt.Before(m.DeliverBefore) {
			a.NextAt = time.Time{}
			r.Closed = append(r.Closed, posthorn.Delivery{
				MessageID: m.ID, AppID: m.AppID, EndpointID: a.EndpointID, State: posthorn.Failed, Reason: tooLate(m),
			})
		}
	}
}
