package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

func attemptTests() []test {
	return []test{
		{"an attempt is found as it was recorded", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", ""))
			want := record(t, s, m, store.Record{Attempts: []posthorn.Attempt{retried(attempt(m, "ep_1")), manual(succeeded(attempt(m, "ep_1")))}})
			for _, a := range want {
				got, err := s.Attempt(t.Context(), m.ID, a.ID)
				require.NoError(t, err)
				require.Equal(t, a, got)
			}
		}},
		{"an attempt of another message is not found", func(t *testing.T, s store.Store) {
			m, other := createMessage(t, s, message("app_1", "")), createMessage(t, s, message("app_1", ""))
			a := attempt(m, "ep_1")
			record(t, s, m, store.Record{Attempts: []posthorn.Attempt{a}})
			_, err := s.Attempt(t.Context(), other.ID, a.ID)
			requireCode(t, posthorn.NotFound, err)
			_, err = s.Attempt(t.Context(), m.ID, "atmpt_none")
			requireCode(t, posthorn.NotFound, err)
		}},
		{"the bytes of a response are kept as they are", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", ""))
			for _, body := range [][]byte{{0, 'a', 0}, {0xff, 0xfe, 0xc3}, make([]byte, posthorn.MaxRecordedBody), {}, nil} {
				a := attempt(m, "ep_1")
				a.Body, a.Header = body, nil
				record(t, s, m, store.Record{Attempts: []posthorn.Attempt{a}})
				got, err := s.Attempt(t.Context(), m.ID, a.ID)
				require.NoError(t, err)
				require.Len(t, got.Body, len(body))
				require.Equal(t, string(body), string(got.Body))
				require.Empty(t, got.Header)
			}
		}},
		{"the last attempt is the newest scheduled one", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", ""))
			_, err := s.LastAttempt(t.Context(), m.ID, "ep_1")
			requireCode(t, posthorn.NotFound, err)
			record(t, s, m, store.Record{Attempts: []posthorn.Attempt{manual(attempt(m, "ep_1"))}})
			_, err = s.LastAttempt(t.Context(), m.ID, "ep_1")
			requireCode(t, posthorn.NotFound, err)

			first, second, later := retried(attempt(m, "ep_1")), retried(attempt(m, "ep_1")), manual(attempt(m, "ep_1"))
			got := record(t, s, m, store.Record{Attempts: []posthorn.Attempt{first, second, later, attempt(m, "ep_2")}})
			last, err := s.LastAttempt(t.Context(), m.ID, "ep_1")
			require.NoError(t, err)
			require.Equal(t, got[1], last)

			record(t, s, m, store.Record{Closed: []posthorn.Delivery{{MessageID: m.ID, EndpointID: "ep_1", State: posthorn.Failed}}})
			last, err = s.LastAttempt(t.Context(), m.ID, "ep_1")
			require.NoError(t, err)
			require.Equal(t, got[1], last)
		}},
		{"the lists have every page there can be", func(t *testing.T, s store.Store) {
			m, other := createMessage(t, s, message("app_1", "")), createMessage(t, s, message("app_1", ""))
			byFilter := map[string][]string{}
			for i := range 12 {
				of, ep := m, "ep_1"
				if i%3 == 1 {
					of = other
				}
				if i%4 == 2 {
					ep = "ep_2"
				}
				a := retried(attempt(of, ep))
				record(t, s, of, store.Record{Attempts: []posthorn.Attempt{a}})
				for _, key := range []string{of.ID, ep, of.ID + ep} {
					byFilter[key] = append(byFilter[key], a.ID)
				}
			}
			for _, f := range []store.AttemptFilter{{MessageID: m.ID}, {EndpointID: "ep_1"}, {MessageID: m.ID, EndpointID: "ep_1"}} {
				requirePages(t, byFilter[f.MessageID+f.EndpointID], attemptID, func(p store.Page) (store.List[posthorn.Attempt], error) {
					return s.ListAttempts(t.Context(), f, p)
				})
			}
		}},
		{"a list of neither a message nor an endpoint is refused", func(t *testing.T, s store.Store) {
			_, err := s.ListAttempts(t.Context(), store.AttemptFilter{}, everything())
			require.Error(t, err)
		}},
		{"the lists can be narrowed", attemptFilters},
	}
}

func attemptID(a posthorn.Attempt) string { return a.ID }

func attemptFilters(t *testing.T, s store.Store) {
	channels := [][]string{{"eu"}, {"vip", "eu"}, nil}
	messages := make([]posthorn.Message, len(channels))
	for i := range messages {
		messages[i] = message("app_1", "")
		messages[i].Channels, messages[i].EventType = channels[i], []string{"a", "b", "a"}[i]
		createMessage(t, s, messages[i])
	}
	// Attempt i is made in minute i, at one endpoint; its message is i modulo 3.
	for i, status := range []int{0, 200, 301, 404, 429, 500, 503, 100} {
		m := messages[i%len(messages)]
		a := attempt(m, "ep_1")
		a.ID, a.Status, a.Success = idAt(posthorn.AttemptID, i), status, status == 200
		record(t, s, m, store.Record{Attempts: []posthorn.Attempt{a}})
	}
	yes, no := true, false
	class := func(c int) *int { return &c }
	for _, c := range []struct {
		filter store.AttemptFilter
		want   []int
	}{
		{store.AttemptFilter{}, []int{0, 1, 2, 3, 4, 5, 6, 7}},
		{store.AttemptFilter{Success: &yes}, []int{1}},
		{store.AttemptFilter{Success: &no}, []int{0, 2, 3, 4, 5, 6, 7}},
		{store.AttemptFilter{StatusClass: class(0)}, []int{0}},
		{store.AttemptFilter{StatusClass: class(100)}, []int{7}},
		{store.AttemptFilter{StatusClass: class(200)}, []int{1}},
		{store.AttemptFilter{StatusClass: class(400)}, []int{3, 4}},
		{store.AttemptFilter{StatusClass: class(500)}, []int{5, 6}},
		{store.AttemptFilter{EventTypes: []string{"b", "x"}}, []int{1, 4, 7}},
		{store.AttemptFilter{Channel: "eu"}, []int{0, 1, 3, 4, 6, 7}},
		{store.AttemptFilter{Channel: "vip"}, []int{1, 4, 7}},
		{store.AttemptFilter{Channel: "x"}, nil},
		{store.AttemptFilter{Window: store.Window{After: at(1), Before: at(4)}}, []int{2, 3}},
		{store.AttemptFilter{Window: store.Window{After: at(3)}, Success: &no, Channel: "eu", EventTypes: []string{"a"}}, []int{6}},
		{store.AttemptFilter{MessageID: messages[0].ID}, []int{0, 3, 6}},
		{store.AttemptFilter{MessageID: messages[0].ID, StatusClass: class(500), Channel: "eu"}, []int{6}},
	} {
		want := []string{}
		for _, i := range c.want {
			want = append(want, idAt(posthorn.AttemptID, i))
		}
		c.filter.EndpointID = "ep_1"
		got, err := s.ListAttempts(t.Context(), c.filter, everything())
		require.NoError(t, err)
		require.Equal(t, want, keysOf(got.Items, attemptID), "%+v", c.filter)
	}
	got, err := s.ListAttempts(t.Context(), store.AttemptFilter{MessageID: messages[0].ID, EndpointID: "ep_2"}, everything())
	require.NoError(t, err)
	require.Empty(t, got.Items)
}
