package activities_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
)

func TestSweepRemovesWhatIsKeptForATime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	kept := b.message()
	const expired = 450 // more than two steps
	ids := make([]string, expired)
	for i := range ids {
		m := b.message()
		_, err := b.store.Record(t.Context(), store.Record{MessageID: m.ID, AppID: m.AppID, Dispatched: true})
		require.NoError(t, err)
		short := m
		short.ID, short.CreatedAt, short.ExpiresAt = "msg_short"+fmt.Sprint(i), time.Now(), time.Now().Add(time.Hour)
		require.NoError(t, b.store.CreateMessage(t.Context(), short))
		ids[i] = short.ID
		require.NoError(t, b.store.CreateClaim(t.Context(), store.Claim{
			ID: []byte(short.ID), Fingerprint: []byte("f"), CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour), Messages: []string{short.ID},
		}))
	}

	result, err := b.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, result.Payloads)

	later := time.Now().Add(2 * time.Hour)
	b.Now = func() time.Time { return later }
	result, err = b.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, expired, result.Payloads)
	for _, id := range ids {
		m, err := b.store.MessageByID(t.Context(), id)
		require.NoError(t, err)
		require.Nil(t, m.Payload)
		_, err = b.store.Claim(t.Context(), []byte(id), time.Now())
		require.Error(t, err)
	}
	m, err := b.store.MessageByID(t.Context(), kept.ID)
	require.NoError(t, err)
	require.NotNil(t, m.Payload)
}
