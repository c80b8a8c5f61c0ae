package compat

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// object is JSON.
type object = map[string]any

// testWithoutSDK calls the operations that no SDK has a method for.
func testWithoutSDK(t *testing.T, p plain, customer *receiver) {
	// subscribed makes an application with one endpoint at a receiver.
	subscribed := func(t *testing.T, name string) (app, endpoint string) {
		t.Helper()
		var made struct{ ID string }
		p.must(t, http.MethodPost, "/app", object{"name": "Acme"}, &made)
		app = made.ID
		p.must(t, http.MethodPost, "/app/"+app+"/endpoint", object{"url": customer.url + "/hook/" + name}, &made)
		return app, made.ID
	}
	send := func(t *testing.T, app string, event object) (message string) {
		t.Helper()
		var made struct{ ID string }
		p.must(t, http.MethodPost, "/app/"+app+"/msg", event, &made)
		return made.ID
	}
	// sent waits for the first attempt of a message.
	sent := func(t *testing.T, app, message string) (attempt string) {
		t.Helper()
		require.Eventually(t, func() bool {
			var list struct{ Data []struct{ ID string } }
			p.must(t, http.MethodGet, "/app/"+app+"/attempt/msg/"+message, nil, &list)
			if len(list.Data) > 0 {
				attempt = list.Data[0].ID
			}
			return attempt != ""
		}, time.Minute, 20*time.Millisecond)
		return attempt
	}
	order := object{"eventType": "order.created", "payload": object{"id": "ord_1"}}

	t.Run("health is asked for without a token and without a body", func(t *testing.T) {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			for _, path := range []string{"/health", "/health/ping", "/health/ping/"} {
				status, answer, err := plain{url: p.url}.call(t.Context(), method, path, nil)
				require.NoError(t, err)
				require.Equal(t, http.StatusNoContent, status, "%s %s", method, path)
				require.Empty(t, answer)
			}
		}
	})

	t.Run("a token says what it is for", func(t *testing.T) {
		var who object
		p.must(t, http.MethodGet, "/auth/whoami", nil, &who)
		require.NotEmpty(t, who["permissionSource"])
		require.Nil(t, who["appId"])
	})

	t.Run("an endpoint says that its messages wait because of its rate limit", func(t *testing.T) {
		app, endpoint := subscribed(t, "up-throttled")
		path := "/app/" + app + "/endpoint/" + endpoint
		p.must(t, http.MethodPatch, path, object{"throttleRate": 1}, nil)
		throttled := func() (status string, since *time.Time) {
			var out struct {
				Status         string
				ThrottledSince *time.Time
			}
			p.must(t, http.MethodGet, path+"/rate-limit-status", nil, &out)
			return out.Status, out.ThrottledSince
		}
		status, since := throttled()
		require.Equal(t, "Ok", status)
		require.Nil(t, since)
		began := time.Now()
		for range 20 {
			send(t, app, order)
		}
		require.Eventually(t, func() bool {
			status, since = throttled()
			return status == "RateLimited"
		}, time.Minute, 20*time.Millisecond)
		require.WithinRange(t, *since, began, time.Now())
	})

	t.Run("what was sent and answered is read header by header", func(t *testing.T) {
		app, _ := subscribed(t, "up-headers")
		message := send(t, app, order)
		var headers struct {
			SentHeaders     map[string]string
			ResponseHeaders [][2]string
			Sensitive       []string
		}
		p.must(t, http.MethodGet, "/app/"+app+"/msg/"+message+"/attempt/"+sent(t, app, message)+"/headers", nil, &headers)
		lower := map[string]string{}
		for name, value := range headers.SentHeaders {
			lower[http.CanonicalHeaderKey(name)] = value
		}
		require.Equal(t, message, lower["Webhook-Id"])
		require.Contains(t, headers.ResponseHeaders, [2]string{"X-Receiver", "up-headers"})
		require.NotNil(t, headers.Sensitive)
	})

	t.Run("an endpoint is paused and resumed", func(t *testing.T) {
		app, endpoint := subscribed(t, "up-pause")
		path := "/app/" + app + "/endpoint/" + endpoint
		var shown object
		p.must(t, http.MethodPost, path+"/pause", nil, &shown)
		require.NotNil(t, shown["pausedAt"])
		message := send(t, app, order)
		var waiting struct{ Held int }
		require.Eventually(t, func() bool {
			p.must(t, http.MethodGet, path+"/waiting", nil, &waiting)
			return waiting.Held == 1
		}, time.Minute, 20*time.Millisecond)
		p.must(t, http.MethodPost, path+"/resume", object{"held": "send", "rate": 100}, nil)
		sent(t, app, message)
	})

	t.Run("messages are scheduled, and cancelled", func(t *testing.T) {
		app, endpoint := subscribed(t, "up-cancel")
		path := "/app/" + app
		p.must(t, http.MethodPost, path+"/endpoint/"+endpoint+"/pause", nil, nil)
		tomorrow := time.Now().AddDate(0, 0, 1)
		whole := send(t, app, object{
			"eventType": "order.created", "payload": object{}, "deliverAt": tomorrow, "deliverBefore": tomorrow.Add(time.Hour),
		})
		one, older := send(t, app, order), send(t, app, order)
		states := func(message string) []string {
			var list struct{ Data []struct{ State string } }
			p.must(t, http.MethodGet, path+"/msg/"+message+"/endpoint", nil, &list)
			var all []string
			for _, d := range list.Data {
				all = append(all, d.State)
			}
			return all
		}
		for _, message := range []string{one, older} {
			require.Eventually(t, func() bool { return slices.Equal(states(message), []string{"held"}) }, time.Minute, 20*time.Millisecond)
		}
		var done object
		p.must(t, http.MethodPost, path+"/msg/"+whole+"/cancel", nil, &done)
		require.NotNil(t, done["cancelledAt"])
		p.must(t, http.MethodPost, path+"/msg/"+one+"/endpoint/"+endpoint+"/cancel", nil, &done)
		require.EqualValues(t, 1, done["cancelled"])
		p.must(t, http.MethodPost, path+"/endpoint/"+endpoint+"/cancel-msgs", object{"createdBefore": tomorrow}, nil)
		for _, message := range []string{whole, one, older} {
			require.Eventually(t, func() bool { return slices.Equal(states(message), []string{"cancelled"}) }, time.Minute, 20*time.Millisecond)
		}
	})

	t.Run("the attempts at an endpoint are counted", func(t *testing.T) {
		app, endpoint := subscribed(t, "up-count")
		sent(t, app, send(t, app, order))
		count := func(query string) int {
			var counted struct {
				Count        int
				Approximated *bool
			}
			p.must(t, http.MethodGet, "/app/"+app+"/attempt/endpoint/"+endpoint+"/count"+query, nil, &counted)
			require.NotNil(t, counted.Approximated)
			return counted.Count
		}
		require.Equal(t, 1, count(""))
		require.Equal(t, 1, count("?status=0&event_types=order.created"))
		require.Zero(t, count("?status=2"))
	})

	t.Run("the attempts of a message are listed by their older addresses", func(t *testing.T) {
		app, endpoint := subscribed(t, "up-older")
		message := send(t, app, order)
		attempt := sent(t, app, message)
		for _, path := range []string{"/attempt", "/endpoint/" + endpoint + "/attempt"} {
			var list struct{ Data []struct{ ID string } }
			p.must(t, http.MethodGet, "/app/"+app+"/msg/"+message+path, nil, &list)
			require.Len(t, list.Data, 1)
			require.Equal(t, attempt, list.Data[0].ID)
		}
	})

	t.Run("a payload is read as it was sent", func(t *testing.T) {
		app, _ := subscribed(t, "up-raw")
		var raw struct{ Payload string }
		p.must(t, http.MethodGet, "/app/"+app+"/msg/"+send(t, app, order)+"/raw", nil, &raw)
		require.JSONEq(t, `{"id":"ord_1"}`, raw.Payload)
	})

	t.Run("messages are searched for", func(t *testing.T) {
		app, _ := subscribed(t, "up-search")
		message := send(t, app, order)
		search := func(in object) (ids []string) {
			var list struct{ Data []struct{ ID string } }
			p.must(t, http.MethodPost, "/app/"+app+"/msg/search", in, &list)
			for _, m := range list.Data {
				ids = append(ids, m.ID)
			}
			return ids
		}
		require.Equal(t, []string{message}, search(object{"event_types": []string{"order.created"}}))
		require.Empty(t, search(object{"event_types": []string{"order.paid"}}))
	})

	t.Run("a message is tried out on one endpoint and answered with the attempt", func(t *testing.T) {
		app, endpoint := subscribed(t, "up-test")
		var attempt struct {
			ID                 string
			EndpointID         string
			Status             int
			ResponseStatusCode int
			Response           string
		}
		p.must(t, http.MethodPost, "/app/"+app+"/endpoint/"+endpoint+"/msg/test-attempt", order, &attempt)
		require.Equal(t, endpoint, attempt.EndpointID)
		require.Equal(t, http.StatusOK, attempt.ResponseStatusCode)
		require.Equal(t, "thank you", attempt.Response)
		require.Zero(t, attempt.Status)
	})

	t.Run("a message goes to all applications", func(t *testing.T) {
		subscribed(t, "up-broadcast-1")
		subscribed(t, "up-broadcast-2")
		var task struct{ ID, Task, Status string }
		p.must(t, http.MethodPost, "/msg/broadcast", object{"eventType": "news.published", "payload": object{"n": 1}}, &task)
		require.Equal(t, "message.broadcast", task.Task)
		for _, name := range []string{"up-broadcast-1", "up-broadcast-2"} {
			came, ok := customer.wait(t.Context(), name, 1)
			require.True(t, ok)
			require.JSONEq(t, `{"n":1}`, came[0].Body)
		}
	})

	t.Run("the messages of an application are read as a stream", func(t *testing.T) {
		app, _ := subscribed(t, "up-events")
		message := send(t, app, order)
		var stream struct {
			Data     []struct{ ID string }
			Iterator string
			Done     bool
		}
		p.must(t, http.MethodGet, "/app/"+app+"/events", nil, &stream)
		require.Len(t, stream.Data, 1)
		require.Equal(t, message, stream.Data[0].ID)
		require.True(t, stream.Done)
		p.must(t, http.MethodGet, "/app/"+app+"/events?iterator="+url.QueryEscape(stream.Iterator), nil, &stream)
		require.Empty(t, stream.Data)
	})

	t.Run("an event type gets a retry schedule and loses it again", func(t *testing.T) {
		p.must(t, http.MethodPut, "/event-type/hasty.type", object{"description": "Worthless an hour later"}, nil)
		const path = "/event-type/hasty.type/retry-schedule"
		schedule := func() (out struct {
			RetrySchedule []struct{ Secs, Nanos int }
		}) {
			p.must(t, http.MethodGet, path, nil, &out)
			return out
		}
		require.Nil(t, schedule().RetrySchedule)
		p.must(t, http.MethodPut, path, object{"retrySchedule": []object{{"secs": 60, "nanos": 500000000}}}, nil)
		require.Equal(t, []struct{ Secs, Nanos int }{{60, 500000000}}, schedule().RetrySchedule)
		p.must(t, http.MethodPut, path, object{"retrySchedule": nil}, nil)
		require.Nil(t, schedule().RetrySchedule)
	})

	t.Run("event types are exported as OpenAPI", func(t *testing.T) {
		p.must(t, http.MethodPost, "/event-type", object{"name": "exported.type", "description": "To be exported"}, nil)
		var task struct{ ID, Task, Status string }
		p.must(t, http.MethodPost, "/event-type/export/openapi", nil, &task)
		var end struct {
			Status string
			Data   object
		}
		require.Eventually(t, func() bool {
			p.must(t, http.MethodGet, "/background-task/"+task.ID, nil, &end)
			return end.Status != "running"
		}, time.Minute, 20*time.Millisecond)
		require.Equal(t, "finished", end.Status)
		require.NotEmpty(t, end.Data)
	})

	t.Run("applications, endpoints and attempts are counted", func(t *testing.T) {
		app, _ := subscribed(t, "up-statistics")
		sent(t, app, send(t, app, order))
		t.Run("applications", func(t *testing.T) {
			var active struct{ Count int }
			p.must(t, http.MethodGet, "/app/stats/count-active", nil, &active)
			require.Positive(t, active.Count)
		})
		t.Run("endpoints", func(t *testing.T) {
			var endpoints struct{ Active, Disabled *int }
			p.must(t, http.MethodGet, "/stats/endpoint/count", nil, &endpoints)
			require.Positive(t, *endpoints.Active)
			require.NotNil(t, endpoints.Disabled)
		})
		t.Run("the attempts of an application by event type", func(t *testing.T) {
			var stats object
			window := url.Values{"since": {time.Now().Add(-time.Hour).Format(time.RFC3339)}, "until": {time.Now().Add(time.Second).Format(time.RFC3339)}}
			p.must(t, http.MethodGet, "/app/"+app+"/stats/attempts?"+window.Encode(), nil, &stats)
			require.EqualValues(t, 1, stats["total_success"])
			require.EqualValues(t, 0, stats["total_failure"])
			require.Contains(t, stats["by_event_type"], "order.created")
		})
		t.Run("the attempts of an application over time", func(t *testing.T) {
			var stats object
			p.must(t, http.MethodGet, "/stats/app/"+app+"/attempt", nil, &stats)
			require.NotEmpty(t, stats["period"])
			require.NotEmpty(t, stats["data"])
		})
	})
}
