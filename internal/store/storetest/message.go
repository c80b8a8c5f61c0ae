package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

func messageTests() []test {
	return []test{
		{"a message is found by ID and by event ID, payload included", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", "evt-1"))
			for _, ref := range []string{m.ID, "evt-1"} {
				got, err := s.Message(t.Context(), "app_1", ref)
				require.NoError(t, err)
				require.Equal(t, m, got)
				_, err = s.Message(t.Context(), "app_2", ref)
				requireCode(t, posthorn.NotFound, err)
			}
			got, err := s.MessageByID(t.Context(), m.ID)
			require.NoError(t, err)
			require.Equal(t, m, got)
			_, err = s.MessageByID(t.Context(), "evt-1")
			requireCode(t, posthorn.NotFound, err)
		}},
		{"an event ID may look like a message ID", func(t *testing.T, s store.Store) {
			foreign := posthorn.MessageID.New()
			m := createMessage(t, s, message("app_1", foreign))
			got, err := s.Message(t.Context(), "app_1", foreign)
			require.NoError(t, err)
			require.Equal(t, m.ID, got.ID)
		}},
		{"the bytes of a payload are kept as they are", func(t *testing.T, s store.Store) {
			every := make([]byte, 256)
			for i := range every {
				every[i] = byte(i)
			}
			for _, payload := range [][]byte{every, {0}, {0xff, 0xfe}, []byte("{\"a\": 1.0, \"a\" :\t2}\n"), {}, make([]byte, 1<<20)} {
				m := message("app_1", "")
				m.Payload = payload
				createMessage(t, s, m)
				got, err := s.MessageByID(t.Context(), m.ID)
				require.NoError(t, err)
				require.NotNil(t, got.Payload)
				require.Equal(t, payload, got.Payload)
			}
		}},
		{"messages have no event ID, channels or payload if they had none", func(t *testing.T, s store.Store) {
			for range 2 {
				m := createMessage(t, s, posthorn.Message{
					ID: posthorn.MessageID.New(), AppID: "app_1", EventType: "a", Channels: []string{}, CreatedAt: noon(),
				})
				got, err := s.Message(t.Context(), "app_1", m.ID)
				require.NoError(t, err)
				require.Empty(t, got.EventID)
				require.Empty(t, got.Channels)
				require.Nil(t, got.Payload)
				require.True(t, got.ExpiresAt.IsZero())
			}
		}},
		{"an event ID is unique in its application, whatever happens at once", func(t *testing.T, s store.Store) {
			const senders = 50
			ids := make([]string, senders)
			errs := together(senders, func(i int) error {
				m := message("app_1", "evt")
				ids[i] = m.ID
				return s.CreateMessage(t.Context(), m)
			})
			winner := ""
			for i, err := range errs {
				if err == nil {
					require.Empty(t, winner, "only one wins")
					winner = ids[i]
				} else {
					requireCode(t, posthorn.Conflict, err)
				}
			}
			got, err := s.Message(t.Context(), "app_1", "evt")
			require.NoError(t, err)
			require.Equal(t, winner, got.ID)
			left, err := s.Undispatched(t.Context(), "", time.Now().Add(time.Hour), 1000)
			require.NoError(t, err)
			require.Len(t, left, 1, "the losers leave nothing behind")
			createMessage(t, s, message("app_2", "evt"))
		}},
		{"many messages at once are all stored", func(t *testing.T, s store.Store) {
			const senders = 200
			for _, err := range together(senders, func(i int) error {
				return s.CreateMessage(t.Context(), message("app_1", numbered("evt", i)))
			}) {
				require.NoError(t, err)
			}
			got, err := s.ListMessages(t.Context(), "app_1", store.MessageFilter{}, everything())
			require.NoError(t, err)
			require.Len(t, got.Items, senders)
		}},
		{"a message is undispatched until its first round is recorded", undispatchedLife},
		{"undispatched messages are the oldest made before a moment", undispatchedOrder},
		{"an expunged payload is gone, the message is not", func(t *testing.T, s store.Store) {
			first, second := createMessage(t, s, message("app_1", "1")), createMessage(t, s, message("app_1", "2"))
			requireCode(t, posthorn.NotFound, s.ExpungePayload(t.Context(), "app_2", first.ID))
			requireCode(t, posthorn.NotFound, s.ExpungePayload(t.Context(), "app_1", "nothing"))
			require.NoError(t, s.ExpungePayload(t.Context(), "app_1", first.ID))
			require.NoError(t, s.ExpungePayload(t.Context(), "app_1", first.ID), "to repeat it is no error")
			got, err := s.Message(t.Context(), "app_1", first.ID)
			require.NoError(t, err)
			require.Nil(t, got.Payload)
			got.Payload = first.Payload
			require.Equal(t, first, got)
			require.NoError(t, s.ExpungePayload(t.Context(), "app_1", "2"))
			got, err = s.MessageByID(t.Context(), second.ID)
			require.NoError(t, err)
			require.Nil(t, got.Payload)
		}},
		{"the list has every page there can be", func(t *testing.T, s store.Store) {
			var ids []string
			for range 5 {
				ids = append(ids, createMessage(t, s, message("app_1", "")).ID)
				createMessage(t, s, message("app_2", ""))
			}
			requirePages(t, ids, messageID, func(p store.Page) (store.List[posthorn.Message], error) {
				return s.ListMessages(t.Context(), "app_1", store.MessageFilter{}, p)
			})
			requirePages(t, ids, messageID, func(p store.Page) (store.List[posthorn.Message], error) {
				return s.ListMessages(t.Context(), "app_1", store.MessageFilter{WithPayload: true, EventTypes: []string{"invoice.paid"}}, p)
			})
		}},
		{"the list has payloads only if asked", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", "evt"))
			got, err := s.ListMessages(t.Context(), "app_1", store.MessageFilter{WithPayload: true}, everything())
			require.NoError(t, err)
			require.Equal(t, []posthorn.Message{m}, got.Items)
			m.Payload = nil
			got, err = s.ListMessages(t.Context(), "app_1", store.MessageFilter{}, everything())
			require.NoError(t, err)
			require.Equal(t, []posthorn.Message{m}, got.Items)
		}},
		{"the list can be narrowed", func(t *testing.T, s store.Store) {
			for i, m := range filterMessages() {
				createMessage(t, s, m)
				require.Equal(t, at(i).UnixMilli(), posthorn.MessageID.Time(m.ID).UnixMilli())
			}
			for _, c := range messageFilterCases() {
				got, err := s.ListMessages(t.Context(), "app_1", c.filter, everything())
				require.NoError(t, err)
				require.Equal(t, c.ids(), keysOf(got.Items, messageID), "%+v", c.filter)
			}
		}},
	}
}

func messageID(m posthorn.Message) string { return m.ID }

// filterMessages are five messages, one a minute, whose event types and channels differ.
func filterMessages() []posthorn.Message {
	kinds := []struct {
		eventType string
		channels  []string
	}{
		{"a", nil}, {"b", []string{"eu"}}, {"a", []string{"eu", "vip"}}, {"c", []string{"vip"}}, {"b", []string{"eu, vip", `"eu"`}},
	}
	messages := make([]posthorn.Message, len(kinds))
	for i, kind := range kinds {
		messages[i] = message("app_1", "")
		messages[i].ID = idAt(posthorn.MessageID, i)
		messages[i].EventType, messages[i].Channels = kind.eventType, kind.channels
	}
	return messages
}

type messageFilterCase struct {
	filter store.MessageFilter
	want   []int // which of filterMessages
}

func (c messageFilterCase) ids() []string {
	ids := make([]string, 0, len(c.want))
	for _, i := range c.want {
		ids = append(ids, idAt(posthorn.MessageID, i))
	}
	return ids
}

func messageFilterCases() []messageFilterCase {
	return []messageFilterCase{
		{store.MessageFilter{}, []int{0, 1, 2, 3, 4}},
		{store.MessageFilter{EventTypes: []string{"a"}}, []int{0, 2}},
		{store.MessageFilter{EventTypes: []string{"a", "c", "x"}}, []int{0, 2, 3}},
		{store.MessageFilter{EventTypes: []string{"x"}}, nil},
		{store.MessageFilter{EventTypes: []string{}}, []int{0, 1, 2, 3, 4}},
		{store.MessageFilter{Channel: "eu"}, []int{1, 2}},
		{store.MessageFilter{Channel: "vip", EventTypes: []string{"a", "b"}}, []int{2}},
		{store.MessageFilter{Channel: "e"}, nil},
		{store.MessageFilter{Window: store.Window{After: at(1)}}, []int{2, 3, 4}},
		{store.MessageFilter{Window: store.Window{After: at(1).Add(-time.Microsecond)}}, []int{1, 2, 3, 4}},
		{store.MessageFilter{Window: store.Window{After: at(1).Add(time.Microsecond)}}, []int{2, 3, 4}},
		{store.MessageFilter{Window: store.Window{Before: at(3)}}, []int{0, 1, 2}},
		{store.MessageFilter{Window: store.Window{Before: at(3).Add(time.Microsecond)}}, []int{0, 1, 2, 3}},
		{store.MessageFilter{Window: store.Window{Before: at(3).Add(-time.Microsecond)}}, []int{0, 1, 2}},
		{store.MessageFilter{Window: store.Window{After: at(0), Before: at(4)}}, []int{1, 2, 3}},
		{store.MessageFilter{Window: store.Window{After: at(1), Before: at(4)}, EventTypes: []string{"a"}, Channel: "vip"}, []int{2}},
		{store.MessageFilter{Window: store.Window{After: at(4), Before: at(1)}}, nil},
	}
}

func undispatchedLife(t *testing.T, s store.Store) {
	first, second := createMessage(t, s, message("app_1", "")), createMessage(t, s, message("app_1", ""))
	requireUndispatched := func(want ...string) {
		t.Helper()
		left, err := s.Undispatched(t.Context(), "", time.Now().Add(time.Hour), 10)
		require.NoError(t, err)
		require.Equal(t, want, append([]string(nil), keysOf(left, messageID)...))
		for _, m := range []posthorn.Message{first, second} {
			is, err := s.IsUndispatched(t.Context(), m.ID)
			require.NoError(t, err)
			require.Equal(t, slices.Contains(want, m.ID), is)
		}
	}
	requireUndispatched(first.ID, second.ID)
	record(t, s, first, store.Record{Pending: []string{"ep_1"}})
	requireUndispatched(first.ID, second.ID)
	record(t, s, first, store.Record{Dispatched: true})
	requireUndispatched(second.ID)
	record(t, s, first, store.Record{Dispatched: true})
	record(t, s, second, store.Record{Dispatched: true, Attempts: []posthorn.Attempt{succeeded(attempt(second, "ep_1"))}})
	requireUndispatched()
	is, err := s.IsUndispatched(t.Context(), posthorn.MessageID.New())
	require.NoError(t, err)
	require.False(t, is)
}

func undispatchedOrder(t *testing.T, s store.Store) {
	for _, minute := range []int{3, 0, 4, 1, 2} {
		m := message(numbered("app_", minute%2), "")
		m.ID, m.CreatedAt = idAt(posthorn.MessageID, minute), at(minute)
		createMessage(t, s, m)
	}
	for _, c := range []struct {
		after  string
		before time.Time
		limit  int
		want   []int
	}{
		{"", at(100), 10, []int{0, 1, 2, 3, 4}},
		{"", at(100), 3, []int{0, 1, 2}},
		{idAt(posthorn.MessageID, 2), at(100), 3, []int{3, 4}},
		{"", at(2), 10, []int{0, 1}},
		{idAt(posthorn.MessageID, 0), at(2), 10, []int{1}},
		{"", at(2).Add(time.Microsecond), 10, []int{0, 1, 2}},
		{"", at(0), 10, nil},
	} {
		got, err := s.Undispatched(t.Context(), c.after, c.before, c.limit)
		require.NoError(t, err)
		require.Equal(t, messageFilterCase{want: c.want}.ids(), keysOf(got, messageID))
		for _, m := range got {
			require.Nil(t, m.Payload)
			require.Equal(t, "invoice.paid", m.EventType)
		}
	}
}
