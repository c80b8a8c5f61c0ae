package activities_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

func TestSentHeader(t *testing.T) {
	t.Parallel()
	sent := func(b *bundle, url string, headers map[string]string) map[string]string {
		ep := b.endpoint(url)
		_, err := b.store.UpdateEndpoint(t.Context(), b.appID, ep.ID, func(e *posthorn.Endpoint) error {
			e.Headers = headers
			return nil
		})
		require.NoError(t, err)
		m := b.message()
		b.fastLane(m)
		list, err := b.store.ListAttempts(t.Context(), store.AttemptFilter{MessageID: m.ID}, store.Page{Limit: 1})
		require.NoError(t, err)
		attempt, err := b.store.Attempt(t.Context(), m.ID, list.Items[0].ID)
		require.NoError(t, err)
		require.Equal(t, m.ID, attempt.Sent["webhook-id"])
		return attempt.Sent
	}

	t.Run("is kept without what opens doors", func(t *testing.T) {
		t.Parallel()
		url, _ := receiver(t, status(200))
		got := sent(setup(t), strings.Replace(url, "http://", "http://joe:s3cret@", 1), map[string]string{"X-API-KEY": "s3cret", "X-Tenant": "acme"})
		require.Equal(t, "acme", got["X-Tenant"])
		for _, name := range []string{"Authorization", "X-API-KEY"} {
			value, named := got[name]
			require.True(t, named, name)
			require.Empty(t, value)
		}
		require.NotContains(t, got, "Idempotency-Key", "it is never sent")
		require.Contains(t, got["webhook-signature"], "v1,")
	})

	t.Run("is cut when it is very large", func(t *testing.T) {
		t.Parallel()
		url, _ := receiver(t, status(200))
		headers := map[string]string{}
		for _, name := range []string{"X-A", "X-B", "X-C"} {
			headers[name] = strings.Repeat("x", 4000)
		}
		got := sent(setup(t), url, headers)
		size := 0
		for name, value := range got {
			size += len(name) + len(value)
		}
		require.LessOrEqual(t, size, posthorn.MaxRecordedSent)
		require.Contains(t, got, "X-A")
		require.Contains(t, got, "webhook-signature")
		require.NotContains(t, got, "X-C")
	})
}
