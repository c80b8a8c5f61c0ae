package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	filterpb "go.temporal.io/api/filter/v1"
	historypb "go.temporal.io/api/history/v1"
	querypb "go.temporal.io/api/query/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/workflows"
)

// list runs a visibility query, as the Web UI, `temporal workflow list` and `tctl workflow list` do, until it finds
// what it should: visibility follows the workflows with a delay.
func (b *bundle) list(c client.Client, query string, want int) []*workflowpb.WorkflowExecutionInfo {
	b.t.Helper()
	var found []*workflowpb.WorkflowExecutionInfo
	require.Eventually(b.t, func() bool {
		answer, err := c.WorkflowService().ListWorkflowExecutions(b.ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: app.Namespace, Query: query, PageSize: 100,
		})
		require.NoError(b.t, err, query)
		found = answer.GetExecutions()
		return len(found) == want
	}, patience, 50*time.Millisecond, "%s should find %d", query, want)
	return found
}

func (b *bundle) describe(c client.Client, id string) *workflowservice.DescribeWorkflowExecutionResponse {
	b.t.Helper()
	d, err := c.DescribeWorkflowExecution(b.ctx, id, "")
	require.NoError(b.t, err)
	return d
}

// history reads all events, as `workflow show` does.
func (b *bundle) history(c client.Client, id string) []*historypb.HistoryEvent {
	b.t.Helper()
	var events []*historypb.HistoryEvent
	for it := c.GetWorkflowHistory(b.ctx, id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); it.HasNext(); {
		event, err := it.Next()
		require.NoError(b.t, err)
		events = append(events, event)
	}
	return events
}

func text(t *testing.T, p *commonpb.Payload) string {
	t.Helper()
	var s string
	require.NoError(t, converter.GetDefaultDataConverter().FromPayload(p, &s))
	return s
}

func TestInspectDelivered(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.temporal()
	r := newReceiver(t, nil)
	for range 3 {
		b.endpoint(svix.EndpointIn{Url: r.URL})
	}
	id := b.send("order.created", `{}`)
	r.wait(t, 3)

	found := b.list(c, `PosthornApplication="`+b.appID+`" AND PosthornEventType="order.created" AND ExecutionStatus="Completed"`, 1)
	require.Equal(t, id, found[0].GetExecution().GetWorkflowId())
	require.Equal(t, "DeliverMessage", found[0].GetType().GetName())

	d := b.describe(c, id)
	require.Equal(t, "order.created → 3 endpoints", text(t, d.GetExecutionConfig().GetUserMetadata().GetSummary()))
	require.Equal(t, workflows.TaskQueue, d.GetWorkflowExecutionInfo().GetTaskQueue())
	require.NotContains(t, d.GetWorkflowExecutionInfo().GetSearchAttributes().GetIndexedFields(), "PosthornDeliveryState",
		"a delivery at once writes no more than it must")

	var kinds []enums.EventType
	for _, e := range b.history(c, id) {
		kinds = append(kinds, e.GetEventType())
	}
	require.Equal(t, []enums.EventType{
		enums.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
		enums.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
		enums.EVENT_TYPE_WORKFLOW_TASK_STARTED,
		enums.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
		enums.EVENT_TYPE_MARKER_RECORDED,
		enums.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
	}, kinds, "the whole fan-out is one local activity in the first workflow task")

	var status workflows.Status
	answer, err := c.QueryWorkflow(b.ctx, id, "", workflows.StatusQuery)
	require.NoError(t, err)
	require.NoError(t, answer.Get(&status))
	require.Equal(t, workflows.Status{MessageID: id, State: "delivered", Endpoints: 3, Delivered: 3}, status)
}

func TestInspectRetrying(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.temporal()
	good := newReceiver(t, nil)
	bad := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	b.endpoint(svix.EndpointIn{Url: good.URL})
	failing := b.endpoint(svix.EndpointIn{Url: strings.Replace(bad.URL, "http://", "http://joe:s3cretpw@", 1) + "/hook?key=s3cretkey"})
	began := time.Now()
	id := b.send("order.paid", `{"marker":"p4yl0ad"}`)
	bad.wait(t, 1)

	require.Eventually(t, func() bool {
		p := b.describe(c, id).GetPendingActivities()
		return len(p) == 1 && p[0].GetLastFailure() != nil
	}, patience, 20*time.Millisecond)

	t.Run("the pending activity shows attempt, last failure and next time", func(t *testing.T) {
		p := b.describe(c, id).GetPendingActivities()[0]
		require.Equal(t, failing.Id, p.GetActivityId())
		require.Equal(t, "SendToEndpoint", p.GetActivityType().GetName())
		require.Equal(t, int32(2), p.GetAttempt(), "the second is to come")
		require.Equal(t, b.appID, p.GetPriority().GetFairnessKey())
		require.EqualValues(t, 4, p.GetPriority().GetPriorityKey())
		require.Regexp(t, `^503 Service Unavailable after `, p.GetLastFailure().GetMessage())
		require.Equal(t, "http_status", p.GetLastFailure().GetApplicationFailureInfo().GetType())
		require.WithinDuration(t, began.Add(time.Hour), p.GetNextAttemptScheduleTime().AsTime(), 10*time.Second)
		next := b.destinations(id)
		for _, d := range next {
			if d.ID == failing.Id {
				require.WithinDuration(t, p.GetNextAttemptScheduleTime().AsTime(), *d.NextAttempt, time.Second, "the API says the same")
			}
		}
	})

	t.Run("lists find it by state and by open endpoint", func(t *testing.T) {
		mine := ` AND PosthornApplication="` + b.appID + `"`
		b.list(c, `PosthornDeliveryState="retrying" AND ExecutionStatus="Running"`+mine, 1)
		b.list(c, `PosthornOpenEndpoints="`+failing.Id+`"`, 1)
		b.list(c, `PosthornDeliveryState="failed"`+mine, 0)
	})

	t.Run("the history names the endpoint and has no secret and no payload", func(t *testing.T) {
		events := b.history(c, id)
		var summary string
		var whole strings.Builder
		for _, e := range events {
			if e.GetEventType() == enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED {
				summary = text(t, e.GetUserMetadata().GetSummary())
			}
			line, err := protojson.Marshal(e)
			require.NoError(t, err)
			whole.Write(line)
		}
		require.Equal(t, "POST "+strings.TrimPrefix(bad.URL, "http://")+"/hook", summary)
		d, err := protojson.Marshal(b.describe(c, id))
		require.NoError(t, err)
		whole.Write(d)
		for _, secret := range []string{"s3cretpw", "s3cretkey", "p4yl0ad", b.secret(failing.Id)} {
			require.NotContains(t, whole.String(), secret)
		}
	})

	t.Run("the status query and the details tell people where it stands", func(t *testing.T) {
		var status workflows.Status
		answer, err := c.QueryWorkflow(b.ctx, id, "", workflows.StatusQuery)
		require.NoError(t, err)
		require.NoError(t, answer.Get(&status))
		require.Equal(t, workflows.Status{
			MessageID: id, State: "retrying", Endpoints: 2, Delivered: 1, Open: []string{failing.Id},
		}, status)

		metadata, err := c.WorkflowService().QueryWorkflow(b.ctx, &workflowservice.QueryWorkflowRequest{
			Namespace: app.Namespace, Execution: &commonpb.WorkflowExecution{WorkflowId: id},
			Query: &querypb.WorkflowQuery{QueryType: "__temporal_workflow_metadata"},
		})
		require.NoError(t, err)
		details := string(metadata.GetQueryResult().GetPayloads()[0].GetData())
		require.Contains(t, details, "1 of 2 endpoints")
		require.Contains(t, details, failing.Id)
	})

	t.Run("an operator can have it tried now", func(t *testing.T) {
		_, err := c.WorkflowService().ResetActivity(b.ctx, &workflowservice.ResetActivityRequest{
			Namespace: app.Namespace, Execution: &commonpb.WorkflowExecution{WorkflowId: id},
			Activity: &workflowservice.ResetActivityRequest_Id{Id: failing.Id},
		})
		require.NoError(t, err)
		bad.wait(t, 2)
	})

	t.Run("an operator can cancel it, and the API knows", func(t *testing.T) {
		require.NoError(t, c.CancelWorkflow(b.ctx, id, ""))
		require.Eventually(t, func() bool {
			for _, d := range b.destinations(id) {
				if d.ID == failing.Id {
					return d.State == "cancelled" && d.Reason == "cancelled in Temporal"
				}
			}
			return false
		}, patience, 20*time.Millisecond)
		b.list(c, `WorkflowId="`+id+`" AND ExecutionStatus="Canceled"`, 1)
	})
}

func TestInspectExhausted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.temporal()
	bad := newReceiver(t, always(500))
	b.endpoint(svix.EndpointIn{Url: bad.URL})
	id := b.send("order.lost", `{}`)
	b.waitState(id, "failed")

	mine := ` AND PosthornApplication="` + b.appID + `"`
	found := b.list(c, `ExecutionStatus="Failed"`+mine, 1)
	require.Equal(t, id, found[0].GetExecution().GetWorkflowId())
	b.list(c, `PosthornDeliveryState="failed"`+mine, 1)

	events := b.history(c, id)
	failure := events[len(events)-1].GetWorkflowExecutionFailedEventAttributes().GetFailure()
	require.Equal(t, "DeliveryExhausted", failure.GetApplicationFailureInfo().GetType())
	require.Contains(t, failure.GetMessage(), "1 of 1 endpoints did not take the message")
	require.Contains(t, failure.GetMessage(), "500 Internal Server Error")

	// The calls of tctl, which knows older ones than the Web UI.
	window := &filterpb.StartTimeFilter{
		EarliestTime: timestamppb.New(time.Now().Add(-time.Hour)), LatestTime: timestamppb.New(time.Now().Add(time.Hour)),
	}
	closed, err := c.WorkflowService().ListClosedWorkflowExecutions(b.ctx, &workflowservice.ListClosedWorkflowExecutionsRequest{
		Namespace: app.Namespace, StartTimeFilter: window, MaximumPageSize: 10,
		Filters: &workflowservice.ListClosedWorkflowExecutionsRequest_ExecutionFilter{
			ExecutionFilter: &filterpb.WorkflowExecutionFilter{WorkflowId: id},
		},
	})
	require.NoError(t, err)
	require.Len(t, closed.GetExecutions(), 1)
	_, err = c.WorkflowService().ListOpenWorkflowExecutions(b.ctx, &workflowservice.ListOpenWorkflowExecutionsRequest{
		Namespace: app.Namespace, StartTimeFilter: window, MaximumPageSize: 10,
	})
	require.NoError(t, err)
	count, err := c.WorkflowService().CountWorkflowExecutions(b.ctx, &workflowservice.CountWorkflowExecutionsRequest{
		Namespace: app.Namespace, Query: `WorkflowType="DeliverMessage" GROUP BY ExecutionStatus`,
	})
	require.NoError(t, err)
	require.NotEmpty(t, count.GetGroups())
}
