package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

type batchItem struct {
	Status  int
	Delayed bool
	Message *struct {
		ID, EventID string
		Payload     json.RawMessage
	}
	Error *struct {
		Code   string
		Detail json.RawMessage
	}
}

type batchReply struct {
	Data              []batchItem
	Accepted, Refused int
}

func (r reply) batch(t testing.TB) batchReply {
	t.Helper()
	require.Equal(t, http.StatusAccepted, r.status, r.body)
	var out batchReply
	require.NoError(t, json.Unmarshal([]byte(r.body), &out), r.body)
	return out
}

func batchOf(messages ...string) string {
	return `{"messages":[` + strings.Join(messages, ",") + `]}`
}

func numbered(n int) []string {
	messages := make([]string, n)
	for i := range messages {
		messages[i] = fmt.Sprintf(`{"eventType":"e","payload":{"n":%d}}`, i)
	}
	return messages
}

func TestBatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	path := "/app/" + app + "/msg/batch"
	b.message(app, `{"eventType":"e","eventId":"taken","payload":{}}`)

	t.Run("accepts or refuses each message by itself, in order", func(t *testing.T) {
		b := b.in(t)
		before := b.count("/app/" + app + "/msg")
		out := b.do("POST", path, batchOf(
			`{"eventType":"e","eventId":"free","payload":{"a": 1.0}}`,
			`{"eventType":"e","eventId":"taken","payload":{}}`,
			`{"eventType":"a b","payload":[],"channels":[]}`,
			`{"eventType":"e","eventId":"free","payload":{}}`,
			`7`,
			`{"eventType":"e","payload":{"deep":`+strings.Repeat("[", 600)+strings.Repeat("]", 600)+`}}`,
			`{"eventType":"e","payload":{"big":"`+strings.Repeat("x", maxMessageBody)+`"}}`,
			`{"eventType":"e","payload":{"last":true}}`,
		)).batch(t)
		require.Equal(t, 2, out.Accepted)
		require.Equal(t, 6, out.Refused)
		for i, want := range []struct {
			status int
			says   []string
		}{
			{202, nil},
			{409, []string{"eventId exists"}},
			{422, []string{`["body","messages","2","eventType"]`, `["body","messages","2","payload"]`, `["body","messages","2","channels"]`}},
			{409, []string{"eventId exists"}},
			{422, []string{`["body","messages","4"]`}},
			{422, []string{`["body","messages","5","payload"]`, "512"}},
			{413, []string{"1048576"}},
			{202, nil},
		} {
			item := out.Data[i]
			require.Equal(t, want.status, item.Status, i)
			require.Equal(t, want.status == 202, item.Message != nil, i)
			require.Equal(t, want.status != 202, item.Error != nil, i)
			for _, says := range want.says {
				require.Contains(t, string(item.Error.Detail), says, i)
			}
		}
		require.Equal(t, "conflict", out.Data[1].Error.Code)
		require.Equal(t, "payload_too_large", out.Data[6].Error.Code)
		require.Empty(t, out.Data[2].Error.Code, "a validation error has no code")
		require.Equal(t, before+2, b.count("/app/"+app+"/msg"))
		require.Equal(t, out.Data[0].Message.ID, b.do("GET", "/app/"+app+"/msg/free", "").field(t, "id"))
		require.Less(t, out.Data[0].Message.ID, out.Data[7].Message.ID)
		stored, err := b.store.MessageByID(t.Context(), out.Data[0].Message.ID)
		require.NoError(t, err)
		require.Equal(t, `{"a": 1.0}`, string(stored.Payload))
		require.JSONEq(t, `{}`, string(out.Data[0].Message.Payload), "payloads are not repeated unless asked for")
		started := b.dispatcher.startedMessages()
		require.ElementsMatch(t, []string{out.Data[0].Message.ID, out.Data[7].Message.ID}, []string{started[len(started)-1].ID, started[len(started)-2].ID})
	})
	t.Run("shows payloads on demand", func(t *testing.T) {
		out := b.in(t).do("POST", path+"?with_content=true", batchOf(numbered(1)...)).batch(t)
		require.JSONEq(t, `{"n":0}`, string(out.Data[0].Message.Payload))
	})
	t.Run("has 1000 messages at most", func(t *testing.T) {
		b := b.in(t)
		out := b.do("POST", path, batchOf(numbered(1000)...)).batch(t)
		require.Equal(t, 1000, out.Accepted)
		require.NotContains(t, fmt.Sprint(out.Data), "true", "nothing is delayed")
		require.Len(t, b.dispatcher.startedMessages(), 1000+1+2+1)
		require.Equal(t, 422, b.do("POST", path, batchOf(numbered(1001)...)).status)
	})
	t.Run("has 8 MiB at most, and is refused before it is read", func(t *testing.T) {
		b := b.in(t)
		r := b.do("POST", path, batchOf(numbered(1)...)+strings.Repeat(" ", maxBatchBody))
		require.Equal(t, 413, r.status)
		require.Contains(t, r.body, "8388608")
		message := `{"eventType":"e","payload":{"a":"` + strings.Repeat("x", 900_000) + `"}}`
		require.Equal(t, 8, b.do("POST", path, batchOf(message, message, message, message, message, message, message, message)).batch(t).Accepted)
	})
	names := strings.NewReplacer("{app}", app)
	app404 := "/app/nope/msg/batch"
	one := `{"eventType":"e","payload":{}}`
	limited, err := b.tokens.Application(posthorn.DefaultOrg, app)
	require.NoError(t, err)
	b.run(t, names, []scenario{
		{name: "needs messages", method: "POST", path: "/app/{app}/msg/batch", body: `{}`, status: 422, contains: []string{`["body","messages"]`}},
		{name: "needs one message", method: "POST", path: "/app/{app}/msg/batch", body: `{"messages":[]}`, status: 422, contains: []string{`["body","messages"]`}},
		{name: "needs a list", method: "POST", path: "/app/{app}/msg/batch", body: `{"messages":{}}`, status: 422, contains: []string{`["body","messages"]`}},
		{name: "needs JSON", method: "POST", path: "/app/{app}/msg/batch", body: `{"messages":[{]}`, status: 422, contains: []string{"value_error.jsondecode"}},
		{name: "is not for an application's token", token: limited, method: "POST", path: "/app/{app}/msg/batch", body: batchOf(one), status: 403},
		{name: "needs an application", method: "POST", path: app404, body: batchOf(one), status: 404},
		{name: "brings its application along", method: "POST", path: app404, body: batchOf(one, `{"eventType":"e","payload":{},"application":{"name":"N","uid":"nope"}}`), status: 202, contains: []string{`"accepted":2`}},
		{name: "has made the application", method: "GET", path: "/app/nope", status: 200, contains: []string{`"name":"N"`}},
	})
}

// BenchmarkBatch is BenchmarkCreateMessage for messages that come 1,000 at a time; an operation is one message.
func BenchmarkBatch(b *testing.B) {
	api := setup(b).replica(b, func(o *Options) { o.Dispatcher = broken{func() error { return nil }} })
	path := "/app/" + api.application() + "/msg/batch"
	messages := make([]string, maxBatch)
	for i := range messages {
		messages[i] = `{"eventType":"order.created","payload":{"text":"` + strings.Repeat("x", 400) + `"}}`
	}
	used := cpuTime(b)
	b.ResetTimer()
	for left := b.N; left > 0; left -= maxBatch {
		out := api.keyed(fmt.Sprintf("auto_%d", left), "POST", path, batchOf(messages[:min(left, maxBatch)]...)).batch(b)
		require.Zero(b, out.Refused)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	b.ReportMetric(float64(cpuTime(b)-used)/float64(time.Microsecond)/float64(b.N), "cpu-µs/op")
}

func TestBatchWithoutTemporalIsLeftToTheSweep(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	b.dispatcher.fail(posthorn.Errorf(posthorn.Unavailable, "away: %w", fmt.Errorf("dial tcp 10.1.2.3")))
	r := b.do("POST", "/app/"+app+"/msg/batch", batchOf(numbered(100)...))
	out := r.batch(t)
	require.Equal(t, 100, out.Accepted)
	require.NotContains(t, r.body, "10.1.2.3")
	for _, item := range out.Data {
		require.True(t, item.Delayed)
		left, err := b.store.IsUndispatched(t.Context(), item.Message.ID)
		require.NoError(t, err)
		require.True(t, left)
	}
}

func TestBatchWithAKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	path := "/app/" + app + "/msg/batch"
	body := batchOf(
		`{"eventType":"e","eventId":"1","payload":{"n":1}}`, `{"eventType":"","payload":{}}`, `{"eventType":"e","eventId":"1","payload":{}}`, `{"eventType":"e","payload":{"n":2}}`,
	)

	t.Run("is answered as before", func(t *testing.T) {
		b := b.in(t)
		first, again := b.keyed("k1", "POST", path, body), b.keyed("k1", "POST", path, body)
		require.Equal(t, 2, first.batch(t).Accepted)
		require.Equal(t, first.body, again.body)
		require.False(t, first.replayed())
		require.True(t, again.replayed())
		require.Len(t, b.dispatcher.startedMessages(), 2)
		require.Equal(t, 2, b.count("/app/"+app+"/msg"))
		require.Equal(t, 422, b.keyed("k1", "POST", path, body+" ").status)
	})
	t.Run("of which nothing was accepted is judged again", func(t *testing.T) {
		b := b.in(t)
		for range 2 {
			require.Equal(t, 2, b.keyed("k2", "POST", path, batchOf(`{}`, `{"eventType":"e","eventId":"1","payload":{}}`)).batch(t).Refused)
		}
	})
	t.Run("whose process died after it was stored makes nothing twice", func(t *testing.T) {
		b := b.in(t)
		before := b.count("/app/" + app + "/msg?limit=250")
		dying := b.replica(t, func(o *Options) {
			o.Dispatcher = broken{func() error { return posthorn.Errorf(posthorn.Unavailable, "away") }}
		})
		first := dying.keyed("k3", "POST", path, batchOf(numbered(50)...)).batch(t)
		again := b.keyed("k3", "POST", path, batchOf(numbered(50)...)).batch(t)
		started := map[string]bool{}
		for _, m := range b.dispatcher.startedMessages() {
			started[m.ID] = true
		}
		for i := range first.Data {
			require.Equal(t, first.Data[i].Message.ID, again.Data[i].Message.ID)
			require.True(t, first.Data[i].Delayed)
			require.False(t, again.Data[i].Delayed)
			require.True(t, started[first.Data[i].Message.ID])
		}
		require.Equal(t, before+50, b.count("/app/"+app+"/msg?limit=250"))
	})
}
