package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

// No iterator makes a list fail otherwise than with 422.
func FuzzIterator(f *testing.F) {
	b := setup(f)
	app := b.application()
	for _, seed := range []string{"", "-", "--", "msg_", "msg_garbage", "-msg_06c1rg6rs9m5y1w5hy6qkz7jc8", posthorn.MessageID.New(), app, "\x00", "order.created"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, iterator string) {
		query := "?iterator=" + url.QueryEscape(iterator)
		for _, path := range []string{"/app", "/event-type", "/app/" + app + "/endpoint", "/app/" + app + "/msg"} {
			r := b.in(t).do("GET", path+query, "")
			require.Contains(t, []int{http.StatusOK, http.StatusUnprocessableEntity}, r.status, r.body)
		}
	})
}

// No filter makes a list fail otherwise than with 400 or 422, and a search with the same filters finds the same.
func FuzzFilters(f *testing.F) {
	b := setup(f)
	app := b.application()
	ep := b.endpoint(app, `{"url":"https://example.com"}`)
	b.message(app, `{"eventType":"order.created","payload":{},"channels":["eu"],"tags":["a/b"]}`)
	f.Add("order.created,", "eu", "a/b", "2026-01-01T00:00:00Z", "", "0", "200")
	f.Add("a\x00b", "\xff", "' OR 1=1 --", "0000-00-00T00:00:00Z", "9999-12-31T23:59:59Z", "4", "-100")
	f.Add("[],[1]", "%", "_", "-292277022399-01-01T00:00:00Z", "2026-01-01", "1e9", "99999999999999999999")
	f.Fuzz(func(t *testing.T, eventTypes, channel, tag, before, after, status, class string) {
		b := b.in(t)
		query := url.Values{"event_types[]": {eventTypes}, "channel": {channel}, "tag": {tag}, "before": {before}, "after": {after}}
		listed := b.do("GET", "/app/"+app+"/msg?with_content=false&"+query.Encode(), "")
		query["status"], query["status_code_class"] = []string{status}, []string{class}
		for _, path := range []string{"/endpoint/" + ep + "/msg", "/attempt/endpoint/" + ep, "/attempt/endpoint/" + ep + "/count"} {
			r := b.do("GET", "/app/"+app+path+"?"+query.Encode(), "")
			require.Contains(t, []int{http.StatusOK, http.StatusBadRequest, http.StatusUnprocessableEntity}, r.status, r.body)
		}
		require.Contains(t, []int{http.StatusOK, http.StatusBadRequest, http.StatusUnprocessableEntity}, listed.status, listed.body)
		if listed.status == http.StatusOK && utf8.ValidString(eventTypes+channel+tag) {
			search := map[string]any{"channel": channel, "tag": tag, "event_types": strings.FieldsFunc(eventTypes, func(r rune) bool { return r == ',' })}
			for name, value := range map[string]string{"before": before, "after": after} {
				if value != "" {
					search[name] = value
				}
			}
			body, err := json.Marshal(search)
			require.NoError(t, err)
			require.Equal(t, listed, reply{status: http.StatusOK, header: listed.header, body: b.do("POST", "/app/"+app+"/msg/search", string(body)).body})
		}
	})
}

// Whatever the body of a message is, it is accepted or refused for what it is, and what is accepted is stored as it was.
func FuzzMessageBody(f *testing.F) {
	b := setup(f)
	app := b.application()
	for _, seed := range []string{
		`{"eventType":"e","payload":{}}`, `{"eventType":"e","payload":{"a": 1e400}}`, `{"eventType":"e","payload":{},"channels":[""]}`,
		`{"eventType":"e","payload":{},"transformationsParams":{"rawPayload":"\ud800"}}`, `{"eventType":"e","payload":{},"application":{}}`,
		`null`, `[]`, `{"payload":{"a":"` + "\xff" + `"},"eventType":"e"}`, `{"eventType":"e","payload":{},"payloadRetentionPeriod":1e99}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r := b.in(t).do("POST", "/app/"+app+"/msg", body)
		require.Contains(t, []int{http.StatusAccepted, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity}, r.status, r.body)
		if r.status != http.StatusAccepted {
			return
		}
		var sent struct {
			Payload               json.RawMessage
			TransformationsParams *struct{ RawPayload *string }
		}
		require.NoError(t, json.Unmarshal([]byte(body), &sent))
		if sent.TransformationsParams == nil || sent.TransformationsParams.RawPayload == nil {
			m, err := b.store.MessageByID(t.Context(), r.field(t, "id"))
			require.NoError(t, err)
			require.Equal(t, string(sent.Payload), string(m.Payload))
		}
	})
}
