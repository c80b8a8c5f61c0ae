package activities_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
)

func TestSweepDeletesExpiredClaims(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const expired = 450 // more than two steps
	create := func(id string, life time.Duration) {
		require.NoError(t, b.store.CreateClaim(t.Context(), store.Claim{
			ID: []byte(id), Fingerprint: []byte("f"), CreatedAt: time.Now(), ExpiresAt: time.Now().Add(life), Messages: []string{"msg_1"},
		}))
	}
	for i := range expired {
		create(fmt.Sprint(i), time.Hour)
	}
	create("kept", 3*time.Hour)

	result, err := b.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, result.Claims)

	later := time.Now().Add(2 * time.Hour)
	b.Now = func() time.Time { return later }
	result, err = b.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, expired, result.Claims)
	for id, want := range map[string]bool{"0": false, "449": false, "kept": true} {
		_, err = b.store.Claim(t.Context(), []byte(id), time.Now())
		require.Equal(t, want, err == nil, id)
	}
}
