package storetest

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

func contentTests() []test {
	return []test{
		{"a payload is gone from the moment at which it expires", func(t *testing.T, s store.Store) {
			over, kept, always := expiring("app_1", -time.Second), expiring("app_1", time.Hour), expiring("app_1", 0)
			always.ExpiresAt = time.Time{}
			for _, m := range []posthorn.Message{over, kept, always} {
				createMessage(t, s, m)
				record(t, s, m, store.Record{Pending: []string{"ep_1"}})
			}
			requirePayloads(t, s, map[string]bool{over.ID: false, kept.ID: true, always.ID: true})
		}},
		{"expired payloads are removed for good, and no others", func(t *testing.T, s store.Store) {
			over, kept, always := expiring("app_1", time.Hour), expiring("app_1", 2*time.Hour), expiring("app_1", 0)
			always.ExpiresAt = time.Time{}
			for _, m := range []posthorn.Message{over, kept, always} {
				createMessage(t, s, m)
			}
			n, err := s.ExpirePayloads(t.Context(), over.ExpiresAt.Add(-time.Microsecond))
			require.NoError(t, err)
			require.Zero(t, n)
			requirePayloads(t, s, map[string]bool{over.ID: true, kept.ID: true, always.ID: true})
			for _, want := range []int{1, 0} {
				n, err = s.ExpirePayloads(t.Context(), over.ExpiresAt)
				require.NoError(t, err)
				require.Equal(t, want, n)
			}
			requirePayloads(t, s, map[string]bool{over.ID: false, kept.ID: true, always.ID: true})
		}},
		{"expired payloads are removed a little at a time", func(t *testing.T, s store.Store) {
			for range 3 {
				m := expiring("app_1", time.Hour)
				m.Payload = bytes.Repeat([]byte("x"), 3<<20)
				createMessage(t, s, m)
			}
			for _, want := range []int{1, 1, 1, 0} {
				n, err := s.ExpirePayloads(t.Context(), time.Now().Add(2*time.Hour))
				require.NoError(t, err)
				require.Equal(t, want, n)
			}
		}},
		{"an application's payloads are purged up to a message, other applications' are not", purge},
		{"a purge goes on where it has ended", func(t *testing.T, s store.Store) {
			var ids []string
			for minute := range 3 {
				m := message("app_1", "")
				m.ID, m.Payload = idAt(posthorn.MessageID, minute), bytes.Repeat([]byte("x"), 3<<20)
				ids = append(ids, createMessage(t, s, m).ID)
			}
			after := ""
			for i, id := range ids {
				p, err := s.PurgePayloads(t.Context(), "app_1", after, idAt(posthorn.MessageID, 9))
				require.NoError(t, err)
				require.Equal(t, store.Purged{Payloads: 1, Last: id, Done: i == 2}, p)
				after = p.Last
			}
		}},
		{"an expunged attempt keeps the facts and loses the contents", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", ""))
			made := attempt(m, "ep_1")
			made.Sent = map[string]string{"X-Tenant": "acme"}
			other := attempt(m, "ep_2")
			record(t, s, m, store.Record{Attempts: []posthorn.Attempt{made, other}})
			before, err := s.Attempt(t.Context(), m.ID, made.ID)
			require.NoError(t, err)
			for range 2 {
				require.NoError(t, s.ExpungeAttempt(t.Context(), m.ID, made.ID))
			}
			got, err := s.Attempt(t.Context(), m.ID, made.ID)
			require.NoError(t, err)
			before.Body, before.Header, before.Sent, before.Truncated = []byte("EXPUNGED"), nil, nil, false
			require.Equal(t, before, got)
			got, err = s.Attempt(t.Context(), m.ID, other.ID)
			require.NoError(t, err)
			require.Equal(t, "overloaded", string(got.Body))
			requireCode(t, posthorn.NotFound, s.ExpungeAttempt(t.Context(), "msg_other", made.ID))
			requireCode(t, posthorn.NotFound, s.ExpungeAttempt(t.Context(), m.ID, posthorn.AttemptID.New()))
		}},
		{"the header that was sent comes back with an attempt and not with lists", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", ""))
			sent := map[string]string{
				"webhook-id": m.ID, "webhook-timestamp": "1772366400", "webhook-signature": "v1,abc= v1,def=", "X-Empty": "", "X-Colon": "a: b",
			}
			for _, want := range []map[string]string{
				nil, sent, {"webhook-id": "another", "webhook-timestamp": "1"}, {"webhook-id": m.ID, "webhook-timestamp": "1772366400"},
			} {
				made := attempt(m, "ep_1")
				made.Sent = want
				record(t, s, m, store.Record{Attempts: []posthorn.Attempt{made}})
				got, err := s.Attempt(t.Context(), m.ID, made.ID)
				require.NoError(t, err)
				require.Equal(t, want, got.Sent)
			}
			listed, err := s.ListAttempts(t.Context(), store.AttemptFilter{MessageID: m.ID}, store.Page{Limit: 10})
			require.NoError(t, err)
			require.Len(t, listed.Items, 4)
			for _, a := range listed.Items {
				require.Nil(t, a.Sent)
			}
		}},
		{"deliveries are counted by application and range, a little at a time", countDestinations},
	}
}

// expiring is a message whose payload expires a while from now; stores go by the clock on the wall.
func expiring(appID string, in time.Duration) posthorn.Message {
	m := message(appID, "")
	m.ExpiresAt = time.Now().Add(in).Truncate(time.Microsecond)
	return m
}

// requirePayloads checks everything that shows payloads of app_1's messages to ep_1.
func requirePayloads(t *testing.T, s store.Store, want map[string]bool) {
	t.Helper()
	there := func(m posthorn.Message, err error) bool {
		t.Helper()
		require.NoError(t, err)
		return m.Payload != nil
	}
	for id, has := range want {
		require.Equal(t, has, there(s.MessageByID(t.Context(), id)))
		require.Equal(t, has, there(s.Message(t.Context(), "app_1", id)))
	}
	filter := store.MessageFilter{WithPayload: true}
	listed, err := s.ListMessages(t.Context(), "app_1", filter, store.Page{Limit: 10})
	require.NoError(t, err)
	require.Len(t, listed.Items, len(want))
	for _, m := range listed.Items {
		require.Equal(t, want[m.ID], m.Payload != nil)
	}
	of, err := s.ListEndpointMessages(t.Context(), "ep_1", store.EndpointMessageFilter{MessageFilter: filter}, store.Page{Limit: 10})
	require.NoError(t, err)
	for _, m := range of.Items {
		require.Equal(t, want[m.Message.ID], m.Message.Payload != nil)
	}
}

func purge(t *testing.T, s store.Store) {
	var ids []string
	for minute := range 4 {
		m := message("app_1", "")
		m.ID = idAt(posthorn.MessageID, minute)
		ids = append(ids, createMessage(t, s, m).ID)
	}
	foreign := createMessage(t, s, message("app_2", ""))
	require.NoError(t, s.ExpungePayload(t.Context(), "app_1", ids[1]))

	p, err := s.PurgePayloads(t.Context(), "app_1", "", ids[3])
	require.NoError(t, err)
	require.Equal(t, store.Purged{Payloads: 2, Last: ids[2], Done: true}, p)
	requirePayloads(t, s, map[string]bool{ids[0]: false, ids[1]: false, ids[2]: false, ids[3]: true})
	m, err := s.MessageByID(t.Context(), foreign.ID)
	require.NoError(t, err)
	require.NotNil(t, m.Payload)

	p, err = s.PurgePayloads(t.Context(), "app_1", ids[2], ids[3])
	require.NoError(t, err)
	require.Equal(t, store.Purged{Done: true}, p)
}

func countDestinations(t *testing.T, s store.Store) {
	var ids []string
	for minute := range 4 {
		m := message("app_1", "")
		m.ID = idAt(posthorn.MessageID, minute)
		ids = append(ids, createMessage(t, s, m).ID)
		for i := range minute {
			record(t, s, m, store.Record{Pending: []string{numbered("ep_", i)}})
		}
	}
	record(t, s, createMessage(t, s, message("app_2", "")), store.Record{Pending: []string{"ep_9"}})
	for _, c := range []struct {
		after, before string
		limit         int
		want          store.Destinations
	}{
		{"", "n", 10, store.Destinations{Messages: 4, Deliveries: 6, Last: ids[3]}},
		{"", "n", 3, store.Destinations{Messages: 3, Deliveries: 3, Last: ids[2]}},
		{ids[2], "n", 3, store.Destinations{Messages: 1, Deliveries: 3, Last: ids[3]}},
		{ids[0], ids[3], 10, store.Destinations{Messages: 2, Deliveries: 3, Last: ids[2]}},
		{ids[3], "n", 10, store.Destinations{}},
	} {
		got, err := s.CountDestinations(t.Context(), "app_1", c.after, c.before, c.limit)
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
}
