package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// versioned is a message whose payload is there in three versions.
func versioned(eventID string) posthorn.Message {
	m := message("app_1", eventID)
	m.PayloadVersion = "3"
	m.Variants = map[string][]byte{"1": []byte(`{"one": 1.0}`), "2": []byte("\x00\xff")}
	m.Warnings = []string{"payload.amount: must be a string", "payload: must have \"id\""}
	m.OnlyEndpoint = "ep_1"
	return m
}

func variantTests() []test {
	return []test{
		{"a message is found with its payload in all versions", func(t *testing.T, s store.Store) {
			createMessage(t, s, message("app_1", "plain"))
			m := createMessage(t, s, versioned("evt"))
			createMessage(t, s, message("app_1", "plain too"))
			for _, ref := range []string{m.ID, "evt"} {
				got, err := s.Message(t.Context(), "app_1", ref)
				require.NoError(t, err)
				require.Equal(t, m, got)
			}
			got, err := s.MessageByID(t.Context(), m.ID)
			require.NoError(t, err)
			require.Equal(t, m, got)
			left, err := s.Undispatched(t.Context(), "", time.Now().Add(time.Hour), 10)
			require.NoError(t, err)
			require.Equal(t, "ep_1", left[1].OnlyEndpoint, "whoever picks the message up knows whom it is for")
		}},
		{"lists say which versions there are and spare their bytes", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, versioned(""))
			m.Variants = map[string][]byte{"1": nil, "2": nil}
			got, err := s.ListMessages(t.Context(), "app_1", store.MessageFilter{WithPayload: true}, everything())
			require.NoError(t, err)
			require.Equal(t, []posthorn.Message{m}, got.Items)
			m.Payload, m.Warnings = nil, nil
			got, err = s.ListMessages(t.Context(), "app_1", store.MessageFilter{}, everything())
			require.NoError(t, err)
			require.Equal(t, []posthorn.Message{m}, got.Items)
		}},
		{"an expunged payload is gone in all versions, and so are the warnings", func(t *testing.T, s store.Store) {
			m, other := createMessage(t, s, versioned("")), createMessage(t, s, versioned(""))
			require.NoError(t, s.ExpungePayload(t.Context(), "app_1", m.ID))
			m.Payload, m.Warnings, m.Variants = nil, nil, map[string][]byte{"1": nil, "2": nil}
			got, err := s.MessageByID(t.Context(), m.ID)
			require.NoError(t, err)
			require.Equal(t, m, got)
			got, err = s.MessageByID(t.Context(), other.ID)
			require.NoError(t, err)
			require.Equal(t, other, got)
		}},
		{"a message that is sent by hand is never undispatched", func(t *testing.T, s store.Store) {
			m := versioned("evt")
			require.NoError(t, s.CreateManualMessage(t.Context(), m))
			got, err := s.Message(t.Context(), "app_1", "evt")
			require.NoError(t, err)
			require.Equal(t, m, got)
			left, err := s.Undispatched(t.Context(), "", time.Now().Add(time.Hour), 10)
			require.NoError(t, err)
			require.Empty(t, left)
			again := versioned("evt")
			requireCode(t, posthorn.Conflict, s.CreateManualMessage(t.Context(), again))
			requireCode(t, posthorn.Conflict, s.CreateMessage(t.Context(), again))
		}},
	}
}
