package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/temporal"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
)

// TaskQueue is where all of Posthorn's work is queued.
const TaskQueue = "posthorn"

// Workflow types. Operators filter by them and open workflows carry them, so they don't change.
const (
	DeliverMessageType    = "DeliverMessage"
	ResendMessageType     = "ResendMessage"
	SweepUndispatchedType = "SweepUndispatched"
	RunTaskType           = "RunTask"
	ExpirePayloadsType    = "ExpirePayloads"
	HousekeepingType      = "Housekeeping"
	DeliverToEndpointType = "DeliverToEndpoint"
	DeliverPartType       = "DeliverPart"
	DeliverParkedType     = "DeliverParked"
	TendEndpointType      = "TendEndpoint"
	WakeOverdueType       = "WakeOverdue"
)

// SweepScheduleID names the Temporal Schedule that runs the sweep.
const SweepScheduleID = "posthorn-sweep"

// ExpireScheduleID names the Temporal Schedule that removes expired payloads.
const ExpireScheduleID = "posthorn-expire"

// HousekeepingScheduleID names the Temporal Schedule that removes what has been kept long enough.
const HousekeepingScheduleID = "posthorn-housekeeping"

// WakeScheduleID names the Temporal Schedule that wakes what is overdue.
const WakeScheduleID = "posthorn-wake"

// TendSignal tells a TendEndpoint workflow that something has happened to its endpoint.
const TendSignal = "look"

// CancelledSignal tells a DeliverMessage workflow that waits for its time that its message was cancelled.
const CancelledSignal = "cancelled"

// ScheduledState is what DeliveryStateAttribute holds while a message waits for its time.
const ScheduledState = string(posthorn.WaitTime)

// StatusQuery asks a DeliverMessage workflow for its Status.
const StatusQuery = "status"

// ErrorExhausted is the type of the error with which DeliverMessage fails: some endpoint did not take the message
// within the schedule. ExecutionStatus="Failed" therefore lists what was not delivered.
const ErrorExhausted = activities.ErrorExhausted

// ErrorTaskFailed is the type of the error with which RunTask fails: the task can't be done.
const ErrorTaskFailed = activities.ErrorTaskFailed

// Search attributes. The first two are set at the start; the others only once the fast lane has left something open,
// because each change of them costs a write. A message that waits for its time has the ScheduledState from the start on.
var (
	ApplicationAttribute   = temporal.NewSearchAttributeKeyKeyword("PosthornApplication")
	EventTypeAttribute     = temporal.NewSearchAttributeKeyKeyword("PosthornEventType")
	DeliveryStateAttribute = temporal.NewSearchAttributeKeyKeyword("PosthornDeliveryState")
	OpenEndpointsAttribute = temporal.NewSearchAttributeKeyKeywordList("PosthornOpenEndpoints")
)

// ResendWorkflowID returns the ID of the workflow that makes one attempt by hand. A DeliverMessage workflow has its
// message's ID, a RunTask workflow its task's.
func ResendWorkflowID(messageID, attemptID string) string {
	return fmt.Sprintf("%s:resend:%s", messageID, attemptID)
}

// DeliveryWorkflowID returns the ID of the workflow that goes on with one delivery when the message's own has ended.
func DeliveryWorkflowID(messageID, endpointID string) string { return messageID + ":" + endpointID }

// PartWorkflowID returns the ID of the workflow that carries on what a part of a message's endpoints left open, which is named
// by the first of them.
func PartWorkflowID(messageID, firstEndpointID string) string {
	return messageID + partInfix + firstEndpointID
}

const partInfix = ":part:"

// MayBePartOf reports whether a workflow is that of a part of the message which does not begin behind the endpoint. The last
// one of those has the endpoint, if any has.
func MayBePartOf(workflowID, messageID, endpointID string) bool {
	first, ok := strings.CutPrefix(workflowID, messageID+partInfix)
	return ok && first <= endpointID
}

// ParkedWorkflowID returns the ID of a workflow that sends deliveries to an endpoint that were parked.
func ParkedWorkflowID(endpointID, unique string) string { return "parked:" + endpointID + ":" + unique }

// TendWorkflowID returns the ID of the workflow that looks after an endpoint.
func TendWorkflowID(endpointID string) string { return "tend:" + endpointID }
