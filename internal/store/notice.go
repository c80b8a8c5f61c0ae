package store

import "github.com/posthorn/posthorn"

// Notices are what operational webhooks tell. The methods that change what they are about store them in the same
// transaction, as messages that are not dispatched, so that neither is there without the other:
//
//   - CreateEndpoint, UpdateEndpoint, DeleteEndpoint and DeleteApplication tell what posthorn.EndpointNotices says, unless
//     nothing but UpdatedAt has changed,
//   - Record tells what Alarm says,
//   - AdvanceTask tells that a task has ended.
//
// A notice goes to the application that holds the operational-webhook endpoints of the organisation. It is stored only if
// that exists and one of its Routes wants the event. Nothing is told of an operational organisation's own.
type Notices interface {
	// OnNotice has f called, after the commit, with each notice that was stored. f must be quick. Call it before the store
	// is shared.
	OnNotice(f func(posthorn.Message))
}

// Alarm returns the operational event that the last change of a delivery is, "" if it is none, and notes in the delivery
// what was told. The delivery was in the state before; the attempt is what moved it on, nil if it was closed.
func Alarm(d *posthorn.Delivery, before posthorn.DeliveryState, a *posthorn.Attempt) (event string) {
	scheduled := a == nil || a.Trigger == posthorn.Automatic
	switch {
	case d.State == posthorn.Delivered && d.Alarmed:
		d.Alarmed = false
		return posthorn.EventAttemptRecovered
	case d.State == posthorn.Failed && before != posthorn.Failed && scheduled:
		d.Alarmed = true
		return posthorn.EventAttemptExhausted
	case d.State == posthorn.Retrying && a != nil && a.Failing && !d.Alarmed:
		d.Alarmed = true
		return posthorn.EventAttemptFailing
	default:
		return ""
	}
}
