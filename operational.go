package posthorn

import "strings"

// The events that happen to the platform team's own webhooks. An operational-webhook endpoint can subscribe to these and
// to no others.
const (
	EventEndpointCreated       = "endpoint.created"
	EventEndpointUpdated       = "endpoint.updated"
	EventEndpointDeleted       = "endpoint.deleted"
	EventEndpointEnabled       = "endpoint.enabled"
	EventEndpointDisabled      = "endpoint.disabled"
	EventEndpointDisablingSoon = "endpoint.disabling-soon"
	EventAttemptFailing        = "message.attempt.failing"
	EventAttemptRecovered      = "message.attempt.recovered"
	EventAttemptExhausted      = "message.attempt.exhausted"
	EventTaskFinished          = "background_task.finished"
)

// OperationalEvents returns all operational events with what each means.
func OperationalEvents() map[string]string {
	return map[string]string{
		EventEndpointCreated:       "An endpoint was created.",
		EventEndpointUpdated:       "An endpoint, its headers or its secret changed.",
		EventEndpointDeleted:       "An endpoint was deleted.",
		EventEndpointEnabled:       "A disabled endpoint takes messages again.",
		EventEndpointDisabled:      "An endpoint was disabled and takes no more messages.",
		EventEndpointDisablingSoon: "An endpoint keeps failing and will be disabled if that goes on.",
		EventAttemptFailing:        "A delivery has failed several times and will be tried again.",
		EventAttemptRecovered:      "A delivery that had been failing has succeeded.",
		EventAttemptExhausted:      "A delivery has failed for good: its retry schedule is used up.",
		EventTaskFinished:          "A background task has ended.",
	}
}

// OperationalUID is the uid of the application that holds an organisation's operational-webhook endpoints.
const OperationalUID = "operational-webhooks"

// OperationalOrg returns the organisation behind an organisation: the owner of the application with OperationalUID. It
// is none that a token can name, so nobody reaches that application by its id, and it is in no list of applications.
func OperationalOrg(org string) string { return org + operationalSuffix }

const operationalSuffix = "/operational"

// IsOperational reports whether an organisation is one behind another. What happens to its endpoints and messages is not
// told to anybody: a notice would cause the next one.
func IsOperational(org string) bool { return strings.HasSuffix(org, operationalSuffix) }
