package clustertest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/posthorn/posthorn/internal/clustertest"
)

// TestInstallation goes through what two replicas on a Temporal cluster and PostgreSQL have to do as one.
func TestInstallation(t *testing.T) {
	c := clustertest.Start(t, clustertest.Options{Replicas: 2, Settings: []string{"POSTHORN_RETRY_SCHEDULE=1s", "POSTHORN_BREAKER_FAILURES=0"}})
	c.CreateApplication()
	one, other := c.Replica(0), c.Replica(1)

	ops := newInbox(t, http.StatusOK)
	c.Do(http.MethodPost, "/operational-webhook/endpoint",
		fmt.Sprintf(`{"url":%q,"eventTypes":["endpoint.created","message.attempt.exhausted","background_task.finished"]}`, ops.URL), nil)

	t.Run("what one replica accepts, fails and retries, the other knows", func(t *testing.T) {
		stubborn := clustertest.NewStubborn(t, one, "stubborn", 1, 1)
		defer c.Do(http.MethodDelete, "/app/acme/endpoint/"+stubborn.Endpoint, "", nil)
		first := send(t, other, "first", `{"number":1}`)
		c.AssertDelivered(first, 1, recovery)
		assert.Equal(t, 2, stubborn.Check(t, map[string]int{first: 1}))
		ops.await(t, "endpoint.created", stubborn.Endpoint)
	})

	t.Run("an event id is one message, whichever replica is asked", func(t *testing.T) {
		const asked = 20
		var mu sync.Mutex
		var all sync.WaitGroup
		ids := map[string]bool{}
		for i := range asked {
			all.Go(func() {
				answer, err := []*clustertest.API{one, other}[i%2].Call(t.Context(), http.MethodPost, "/app/acme/msg", event("twice", `{}`))
				mu.Lock()
				defer mu.Unlock()
				switch {
				case assert.NoError(t, err) && answer.Status == http.StatusAccepted:
					ids[id(t, answer.Body)] = true
				case answer.Status == http.StatusConflict: // or, where the first is still on its way, that it is accepted
				default:
					assert.Fail(t, "an answer that nobody expects", "%d %s", answer.Status, answer.Body)
				}
			})
		}
		all.Wait()
		assert.Len(t, ids, 1)
	})

	t.Run("what is not delivered is listed by Temporal and sent again by a task", func(t *testing.T) {
		broken := newInbox(t, http.StatusInternalServerError)
		var endpoint, task struct{ ID, Status string }
		began := time.Now()
		one.Do(http.MethodPost, "/app/acme/endpoint", fmt.Sprintf(`{"url":%q,"uid":"broken"}`, broken.URL), &endpoint)
		c.Settle()
		var app struct{ ID string }
		one.Do(http.MethodGet, "/app/acme", "", &app)
		failed := map[string]bool{}
		for i := range 20 {
			failed[send(t, []*clustertest.API{one, other}[i%2], fmt.Sprintf("fails-%d", i), `{}`)] = true
		}
		for id := range failed {
			ops.await(t, "message.attempt.exhausted", id)
		}
		engine := c.Temporal.Client(clustertest.Namespace)
		query := fmt.Sprintf("ExecutionStatus = 'Failed' AND PosthornApplication = '%s' AND PosthornEventType = 'order.created'", app.ID)
		require.EventuallyWithT(t, func(t *assert.CollectT) { // the list follows the workflows
			page, err := engine.ListWorkflow(context.Background(), &workflowservice.ListWorkflowExecutionsRequest{Query: query})
			require.NoError(t, err)
			found := map[string]bool{}
			for _, run := range page.Executions {
				found[run.Execution.WorkflowId] = true
			}
			assert.Equal(t, failed, found)
		}, recovery, tick)

		broken.answer(http.StatusOK)
		other.Do(http.MethodPost, "/app/acme/endpoint/broken/recover", fmt.Sprintf(`{"since":%q}`, began.UTC().Format(time.RFC3339Nano)), &task)
		require.Eventually(t, func() bool {
			one.Do(http.MethodGet, "/background-task/"+task.ID, "", &task)
			return task.Status != "running"
		}, recovery, tick)
		assert.Equal(t, "finished", task.Status)
		ops.await(t, "background_task.finished", task.ID)
		for id := range failed {
			c.AssertDelivered(id, 1, recovery)
		}
		one.Do(http.MethodDelete, "/app/acme/endpoint/broken", "", nil)
	})

	t.Run("a change that one replica takes holds at the other, too", func(t *testing.T) {
		inbox := newInbox(t, http.StatusOK)
		one.Do(http.MethodPost, "/app/acme/endpoint", fmt.Sprintf(`{"url":%q,"uid":"changing"}`, inbox.URL), nil)
		c.Settle()
		c.AssertDelivered(send(t, other, "before", `{}`), 1, recovery)
		one.Do(http.MethodPost, "/app/acme/endpoint/changing/pause", `{}`, nil)
		c.Settle()
		held := send(t, other, "while-paused", `{}`)
		require.Eventually(t, func() bool {
			var list struct{ Data []struct{ State string } }
			one.Do(http.MethodGet, "/app/acme/msg/"+held+"/endpoint", "", &list)
			return len(list.Data) == 1 && list.Data[0].State == "held"
		}, recovery, tick)
		other.Do(http.MethodPost, "/app/acme/endpoint/changing/resume", `{}`, nil)
		c.AssertDelivered(held, 1, recovery)
		one.Do(http.MethodDelete, "/app/acme/endpoint/changing", "", nil)
	})

	t.Run("setting up again changes nothing", func(t *testing.T) {
		c.Migrate()
		one.Do(http.MethodGet, "/app/acme", "", nil)
	})
}

func event(eventID, payload string) string {
	return fmt.Sprintf(`{"eventId":%q,"eventType":"order.created","payload":%s}`, eventID, payload)
}

// send posts an event and returns the id of the message.
func send(t *testing.T, a *clustertest.API, eventID, payload string) string {
	t.Helper()
	answer, err := a.Call(t.Context(), http.MethodPost, "/app/acme/msg", event(eventID, payload))
	require.NoError(t, err)
	require.Equal(t, http.StatusAccepted, answer.Status, "%s", answer.Body)
	return id(t, answer.Body)
}

func id(t testing.TB, answer []byte) string {
	t.Helper()
	var out struct{ ID string }
	assert.NoError(t, json.Unmarshal(answer, &out))
	return out.ID
}

// inbox is a receiver that keeps what it gets.
type inbox struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	bodies []string
}

func newInbox(t *testing.T, status int) *inbox {
	i := &inbox{status: status}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		i.mu.Lock()
		defer i.mu.Unlock()
		i.bodies = append(i.bodies, string(body))
		w.WriteHeader(i.status)
	}))
	t.Cleanup(func() {
		i.CloseClientConnections()
		i.Close()
	})
	return i
}

// answer changes the status of what comes from now on.
func (i *inbox) answer(status int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.status = status
}

// await returns when there is a notice of a type about a subject.
func (i *inbox) await(t *testing.T, eventType, subject string) {
	t.Helper()
	require.Eventually(t, func() bool {
		i.mu.Lock()
		defer i.mu.Unlock()
		return slices.ContainsFunc(i.bodies, func(body string) bool {
			return strings.Contains(body, eventType) && strings.Contains(body, subject)
		})
	}, recovery, tick, "waiting to be told %s of %s", eventType, subject)
}
