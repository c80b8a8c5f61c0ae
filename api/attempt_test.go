package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// history is three messages and what happened to them at one endpoint: delivered after a failure, failed for good, and
// retrying; and a second endpoint that got the first message.
type history struct {
	*bundle
	app, ep, deleted                            string
	delivered, failed, retrying                 string
	firstFailure, success, lastFailure, refused string
}

func newHistory(t *testing.T) history {
	t.Helper()
	h := history{bundle: setup(t)}
	h.app = h.application()
	h.ep = h.endpoint(h.app, `{"url":"https://example.com/a","uid":"main"}`)
	h.deleted = h.endpoint(h.app, `{"url":"https://example.com/b","secret":"`+secretOf24+`"}`)
	h.delivered = h.message(h.app, `{"eventType":"good","channels":["x"],"eventId":"evt","payload":{"a":1}}`)
	h.failed = h.message(h.app, `{"eventType":"bad","payload":{"a":2}}`)
	h.retrying = h.message(h.app, `{"eventType":"ugly","payload":{"a":3}}`)
	attempt := func(msg, ep, event string, change func(*posthorn.Attempt)) string {
		a := posthorn.Attempt{ID: posthorn.AttemptID.New(), MessageID: msg, AppID: h.app, EndpointID: ep, EventType: event,
			Trigger: posthorn.Automatic, URL: "https://example.com/a", StartedAt: time.Now(), Duration: 123 * time.Millisecond}
		change(&a)
		_, err := h.store.Record(t.Context(), store.Record{MessageID: msg, AppID: h.app, Dispatched: true, Attempts: []posthorn.Attempt{a}})
		require.NoError(t, err)
		return a.ID
	}
	soon := time.Now().Add(time.Hour)
	h.firstFailure = attempt(h.delivered, h.ep, "good", func(a *posthorn.Attempt) {
		a.Status, a.Body, a.ErrorClass, a.Message, a.NextAt = 503, []byte("busy \xff"), "status", "503 Service Unavailable", soon
	})
	h.success = attempt(h.delivered, h.ep, "good", func(a *posthorn.Attempt) {
		a.Status, a.Body, a.Success, a.Header = 200, []byte("thanks"), true, map[string][]string{"X-Reply": {"yes"}}
	})
	attempt(h.delivered, h.deleted, "good", func(a *posthorn.Attempt) { a.Status, a.Success = 204, true })
	h.lastFailure = attempt(h.failed, h.ep, "bad", func(a *posthorn.Attempt) {
		a.Status, a.Body, a.Truncated, a.ErrorClass = 404, []byte("né\xc3"), true, "status"
	})
	h.refused = attempt(h.retrying, h.ep, "ugly", func(a *posthorn.Attempt) {
		a.ErrorClass, a.Message, a.NextAt = "connect", "connection refused", soon
	})
	h.must(http.StatusNoContent, "DELETE", "/app/"+h.app+"/endpoint/"+h.deleted, "")
	return h
}

func (h history) names() *strings.Replacer {
	return strings.NewReplacer("{app}", h.app, "{ep}", h.ep, "{deleted}", h.deleted, "{delivered}", h.delivered, "{failed}", h.failed,
		"{retrying}", h.retrying, "{firstFailure}", h.firstFailure, "{success}", h.success, "{lastFailure}", h.lastFailure, "{refused}", h.refused)
}

func TestAttempts(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	byEndpoint, byMessage := "/app/{app}/attempt/endpoint/{ep}", "/app/{app}/attempt/msg/{delivered}"
	older := "/app/{app}/msg/{delivered}/attempt"
	olderAt := func(endpoint string) string { return "/app/{app}/msg/{delivered}/endpoint/" + endpoint + "/attempt" }
	all := []string{"{firstFailure}", "{success}", "{lastFailure}", "{refused}"}
	h.run(t, h.names(), []scenario{
		{name: "of an endpoint are listed newest first", method: "GET", path: byEndpoint + "?limit=1", status: 200, contains: []string{"{refused}", `"done":false`}, excludes: all[:3]},
		{name: "of an endpoint are found by its uid", method: "GET", path: "/app/{app}/attempt/endpoint/main", status: 200, contains: all},
		{name: "that succeeded", method: "GET", path: byEndpoint + "?status=0", status: 200, contains: []string{"{success}"}, excludes: []string{"{firstFailure}", "{lastFailure}", "{refused}"}},
		{name: "that failed", method: "GET", path: byEndpoint + "?status=2", status: 200, contains: []string{"{firstFailure}", "{lastFailure}", "{refused}"}, excludes: []string{"{success}"}},
		{name: "that are pending are none", method: "GET", path: byEndpoint + "?status=1", status: 200, contains: []string{`"data":[]`}},
		{name: "that are being sent are none", method: "GET", path: byEndpoint + "?status=3", status: 200, contains: []string{`"data":[]`}},
		{name: "of a status that doesn't exist", method: "GET", path: byEndpoint + "?status=4", status: 422, contains: []string{`"loc":["query","status"]`}},
		{name: "of a status that isn't a number", method: "GET", path: byEndpoint + "?status=ok", status: 400},
		{name: "answered with 4xx", method: "GET", path: byEndpoint + "?status_code_class=400", status: 200, contains: []string{"{lastFailure}"}, excludes: []string{"{success}", "{refused}", "{firstFailure}"}},
		{name: "not answered", method: "GET", path: byEndpoint + "?status_code_class=0", status: 200, contains: []string{"{refused}"}, excludes: all[:3]},
		{name: "of a class that doesn't exist", method: "GET", path: byEndpoint + "?status_code_class=250", status: 422},
		{name: "on a channel", method: "GET", path: byEndpoint + "?channel=x", status: 200, contains: []string{"{success}", "{firstFailure}"}, excludes: []string{"{refused}", "{lastFailure}"}},
		{name: "of an event type", method: "GET", path: byEndpoint + "?event_types=bad,ugly", status: 200, contains: []string{"{lastFailure}", "{refused}"}, excludes: []string{"{success}"}},
		{name: "of event types in brackets", method: "GET", path: byEndpoint + "?event_types[]=bad&event_types[1]=ugly", status: 200, contains: []string{"{lastFailure}", "{refused}"}, excludes: []string{"{success}"}},
		{name: "with filters combined", method: "GET", path: byEndpoint + "?event_types=bad,good&status=2&status_code_class=500", status: 200, contains: []string{"{firstFailure}"}, excludes: all[1:]},
		{name: "behind an iterator", method: "GET", path: byEndpoint + "?iterator={lastFailure}", status: 200, contains: []string{`"id":"{success}"`, `"id":"{firstFailure}"`}, excludes: []string{`"id":"{refused}"`}},
		{name: "before an iterator", method: "GET", path: byEndpoint + "?iterator=-{lastFailure}", status: 200, contains: []string{`"id":"{refused}"`}, excludes: []string{`"id":"{success}"`}},
		{name: "before a moment long ago", method: "GET", path: byEndpoint + "?before=2020-01-01T00:00:00Z", status: 200, contains: []string{`"data":[]`}},
		{name: "after a moment long ago", method: "GET", path: byEndpoint + "?after=2020-01-01T00:00:00Z", status: 200, contains: all},
		{name: "with an iterator that is none", method: "GET", path: byEndpoint + "?iterator=msg_1", status: 422},
		{name: "of an endpoint that doesn't exist", method: "GET", path: "/app/{app}/attempt/endpoint/nope", status: 404},
		{name: "of a message are those at all endpoints", method: "GET", path: byMessage, status: 200, contains: []string{"{success}", "{firstFailure}", "{deleted}"}, excludes: []string{"{refused}"}},
		{name: "of a message are found by its event id", method: "GET", path: "/app/{app}/attempt/msg/evt", status: 200, contains: []string{"{success}"}},
		{name: "of a message at an endpoint", method: "GET", path: byMessage + "?endpoint_id=main", status: 200, contains: []string{"{success}"}, excludes: []string{"{deleted}"}},
		{name: "of a message at a deleted endpoint", method: "GET", path: byMessage + "?endpoint_id={deleted}", status: 200, contains: []string{"{deleted}"}, excludes: []string{"{success}"}},
		{name: "of a message that doesn't exist", method: "GET", path: "/app/{app}/attempt/msg/nope", status: 404},
		{name: "of a message in the older form", method: "GET", path: older, status: 200, contains: []string{`"id":"{success}"`, `"msgId":"{delivered}"`, `"response":"thanks"`, "{firstFailure}", "{deleted}"}, excludes: []string{"{refused}", "{lastFailure}"}},
		{name: "of a message by its event id in the older form", method: "GET", path: "/app/{app}/msg/evt/attempt?status=2&endpoint_id=main", status: 200, contains: []string{"{firstFailure}"}, excludes: []string{"{success}", "{deleted}"}},
		{name: "of a message in the older form, page by page", method: "GET", path: older + "?limit=1&iterator={success}", status: 200, contains: []string{`"id":"{firstFailure}"`, `"done":true`}, excludes: []string{`"id":"{success}"`}},
		{name: "of a message that doesn't exist in the older form", method: "GET", path: "/app/{app}/msg/nope/attempt", status: 404},
		{name: "of a message at an endpoint in the older form", method: "GET", path: olderAt("main"), status: 200, contains: []string{`"id":"{success}"`, `"endpointId":"{ep}"`, "{firstFailure}"}, excludes: []string{"{deleted}", "{refused}"}},
		{name: "of a message at an endpoint in the older form, narrowed", method: "GET", path: olderAt("{ep}") + "?status=0&with_content=false", status: 200, contains: []string{`"id":"{success}"`}, excludes: []string{"{firstFailure}", "thanks"}},
		{name: "of a message at a deleted endpoint in the older form", method: "GET", path: olderAt("{deleted}"), status: 200, contains: []string{`"endpointId":"{deleted}"`}, excludes: []string{"{success}"}},
		{name: "of a message at an endpoint that doesn't exist in the older form", method: "GET", path: olderAt("nope"), status: 404},
		{name: "without responses", method: "GET", path: byEndpoint + "?with_content=false", status: 200, contains: []string{`"response":""`}, excludes: []string{"thanks", "X-Reply"}},
		{name: "show a success", method: "GET", path: "/app/{app}/msg/{delivered}/attempt/{success}", status: 200,
			contains: []string{`"id":"{success}"`, `"msgId":"{delivered}"`, `"endpointId":"{ep}"`, `"status":0`, `"statusText":"success"`, `"triggerType":0`, `"response":"thanks"`,
				`"responseStatusCode":200`, `"responseDurationMs":123`, `"attemptNumber":2`, `"X-Reply":["yes"]`, `"url":"https://example.com/a"`}, excludes: []string{"nextAttempt", "errorClass", "whsec_"}},
		{name: "show a response that isn't text in base64", method: "GET", path: "/app/{app}/msg/evt/attempt/{firstFailure}", status: 200,
			contains: []string{`"status":2`, `"statusText":"fail"`, `"response":"YnVzeSD/"`, `"responseEncoding":"base64"`, `"nextAttempt":"`, `"attemptNumber":1`}},
		{name: "show text that was cut within a character", method: "GET", path: "/app/{app}/msg/{failed}/attempt/{lastFailure}", status: 200,
			contains: []string{`"response":"né"`, `"responseTruncated":true`}, excludes: []string{"responseEncoding"}},
		{name: "show why there was no response", method: "GET", path: "/app/{app}/msg/{retrying}/attempt/{refused}", status: 200,
			contains: []string{`"responseStatusCode":0`, `"response":"connection refused"`, `"errorClass":"connect"`}},
		{name: "are not found with another message", method: "GET", path: "/app/{app}/msg/{failed}/attempt/{success}", status: 404},
	})
}

func TestDeliveries(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	list := "/app/{app}/endpoint/{ep}/msg"
	token, err := h.tokens.Application(posthorn.DefaultOrg, h.app)
	require.NoError(t, err)
	h.run(t, h.names(), []scenario{
		{name: "of an endpoint show where its messages stand", method: "GET", path: list, status: 200,
			contains: []string{"{delivered}", "{failed}", "{retrying}", `"payload":{"a":3}`, `"statusText":"sending"`, `"nextAttempt":"`, `"state":"retrying"`, `"attempts":2`}},
		{name: "of an endpoint come without payloads on demand", method: "GET", path: list + "?with_content=false", status: 200, contains: []string{`"payload":{}`}, excludes: []string{`"a":`}},
		{name: "that succeeded, also after a failure", method: "GET", path: list + "?status=0", status: 200, contains: []string{"{delivered}", `"status":0`}, excludes: []string{"{failed}", "{retrying}"}},
		{name: "that are pending are none", method: "GET", path: list + "?status=1", status: 200, contains: []string{`"data":[]`, `"iterator":null`, `"done":true`}},
		{name: "that failed", method: "GET", path: list + "?status=2", status: 200, contains: []string{"{failed}", `"status":2`}, excludes: []string{"{delivered}", "{retrying}"}},
		{name: "that are being sent", method: "GET", path: list + "?status=3", status: 200, contains: []string{"{retrying}", `"status":3`}, excludes: []string{"{delivered}", "{failed}"}},
		{name: "of an endpoint on a channel", method: "GET", path: list + "?channel=x", status: 200, contains: []string{"{delivered}"}, excludes: []string{"{failed}"}},
		{name: "of an endpoint with an event type", method: "GET", path: list + "?event_types=bad", status: 200, contains: []string{"{failed}"}, excludes: []string{"{delivered}"}},
		{name: "of a message keep deleted endpoints", method: "GET", path: "/app/{app}/msg/{delivered}/endpoint", status: 200,
			contains: []string{"{ep}", "{deleted}", `"statusText":"success"`, `"state":"delivered"`, `"uid":"main"`}, excludes: []string{"whsec_"}},
		{name: "of a message are listed page by page", method: "GET", path: "/app/{app}/msg/{delivered}/endpoint?limit=1", status: 200, contains: []string{"{deleted}", `"done":false`}, excludes: []string{"{ep}"}},
		{name: "of a message lead on", method: "GET", path: "/app/{app}/msg/{delivered}/endpoint?iterator={deleted}", status: 200, contains: []string{`"id":"{ep}"`, `"done":true`}, excludes: []string{`"id":"{deleted}"`}},
		{name: "of a message lead back", method: "GET", path: "/app/{app}/msg/{delivered}/endpoint?iterator=-{ep}", status: 200, contains: []string{`"id":"{deleted}"`}, excludes: []string{`"id":"{ep}"`}},
		{name: "are sent again", method: "POST", path: "/app/{app}/msg/evt/endpoint/main/resend", status: 202, contains: []string{"{}"}},
		{name: "are sent again by the application itself", token: token, method: "POST", path: "/app/{app}/msg/evt/endpoint/main/resend", status: 202},
		{name: "can't be sent to a deleted endpoint", method: "POST", path: "/app/{app}/msg/{delivered}/endpoint/{deleted}/resend", status: 404},
		{name: "can't be sent again without a message", method: "POST", path: "/app/{app}/msg/nope/endpoint/{ep}/resend", status: 404},
	})
	require.Equal(t, []string{h.delivered + " " + h.ep, h.delivered + " " + h.ep}, h.dispatcher.resent)

	t.Run("can't be sent again without the payload", func(t *testing.T) {
		require.NoError(t, h.store.ExpungePayload(t.Context(), h.app, h.failed))
		r := h.do("POST", "/app/"+h.app+"/msg/"+h.failed+"/endpoint/main/resend", "")
		require.Equal(t, http.StatusBadRequest, r.status)
		require.Equal(t, "missing_payload", r.field(t, "code"))
	})
}
