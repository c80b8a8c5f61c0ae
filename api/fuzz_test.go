package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

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
