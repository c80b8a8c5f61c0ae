package workflows

import (
	"fmt"

	"go.temporal.io/sdk/temporal"

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
)

// SweepScheduleID names the Temporal Schedule that runs the sweep.
const SweepScheduleID = "posthorn-sweep"

// ExpireScheduleID names the Temporal Schedule that removes expired payloads.
const ExpireScheduleID = "posthorn-expire"

// StatusQuery asks a DeliverMessage workflow for its Status.
const StatusQuery = "status"

// ErrorExhausted is the type of the error with which DeliverMessage fails: some endpoint did not take the message
// within the schedule. ExecutionStatus="Failed" therefore lists what was not delivered.
const ErrorExhausted = activities.ErrorExhausted

// ErrorTaskFailed is the type of the error with which RunTask fails: the task can't be done.
const ErrorTaskFailed = activities.ErrorTaskFailed

// Search attributes. The first two are set at the start; the others only once the fast lane has left something open,
// because each change of them costs a write.
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
