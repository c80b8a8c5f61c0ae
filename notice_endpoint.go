package posthorn

import (
	"reflect"
	"time"
)

// EndpointSubject is which endpoint a notice is about.
type EndpointSubject struct {
	AppID       string  `json:"appId"`
	AppUID      *string `json:"appUid"`
	EndpointID  string  `json:"endpointId"`
	EndpointUID *string `json:"endpointUid"`
}

func subjectOf(app *Application, e *Endpoint) EndpointSubject {
	return EndpointSubject{AppID: e.AppID, AppUID: given(app.UID), EndpointID: e.ID, EndpointUID: given(e.UID)}
}

// DisabledEndpoint is what is told of an endpoint that was disabled.
type DisabledEndpoint struct {
	EndpointSubject
	Trigger   DisableTrigger `json:"trigger"`
	Reason    string         `json:"reason,omitempty"`   // why Posthorn did it
	FailSince time.Time      `json:"failSince,omitzero"` // where Posthorn did it: since when the endpoint has only failed
}

// DisableTrigger says who disabled an endpoint.
type DisableTrigger string

// Somebody did it by hand, or Posthorn did.
const (
	DisabledByHand        DisableTrigger = "manual"
	DisabledAutomatically DisableTrigger = "automatic"
)

// DisablingEndpoint is what is told of an endpoint that will be disabled if it goes on failing.
type DisablingEndpoint struct {
	EndpointSubject
	FailSince time.Time `json:"failSince"`
	DisableAt time.Time `json:"disableAt"`
}

// EndpointNotices tells what was done to an endpoint of an application. It did not exist before if before is nil, and does
// not exist any more if after is. An endpoint of which nothing but UpdatedAt changed is not worth a notice. Where Posthorn
// has disabled it, failSince is since when it has only failed; the zero time means since now.
func EndpointNotices(app *Application, before, after *Endpoint, failSince time.Time) []Notice {
	switch {
	case before == nil:
		return []Notice{{EventEndpointCreated, subjectOf(app, after)}}
	case after == nil:
		return []Notice{{EventEndpointDeleted, subjectOf(app, before)}}
	}
	old := *before
	old.UpdatedAt = after.UpdatedAt
	if reflect.DeepEqual(&old, after) {
		return nil
	}
	notices := []Notice{{EventEndpointUpdated, subjectOf(app, after)}}
	switch {
	case before.Disabled == after.Disabled:
	case after.Disabled:
		notices = append(notices, Notice{EventEndpointDisabled, disabledEndpoint(app, after, failSince)})
	default:
		notices = append(notices, Notice{EventEndpointEnabled, subjectOf(app, after)})
	}
	return notices
}

func disabledEndpoint(app *Application, e *Endpoint, failSince time.Time) DisabledEndpoint {
	told := DisabledEndpoint{EndpointSubject: subjectOf(app, e), Trigger: DisabledByHand}
	if e.DisabledReason == "" {
		return told
	}
	told.Trigger, told.Reason, told.FailSince = DisabledAutomatically, e.DisabledReason, failSince.UTC()
	if failSince.IsZero() {
		told.FailSince = e.UpdatedAt.UTC()
	}
	return told
}

// DisablingNotice tells that an endpoint, which has only failed since a moment, will be disabled at another.
func DisablingNotice(app *Application, e *Endpoint, failSince, disableAt time.Time) Notice {
	return Notice{EventEndpointDisablingSoon, DisablingEndpoint{subjectOf(app, e), failSince.UTC(), disableAt.UTC()}}
}
