package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

func retentionTests() []test {
	return []test{
		{"payloads are kept until their message says, whatever the order", func(t *testing.T, s store.Store) {
			keep := []time.Duration{posthorn.DefaultRetention, time.Hour, posthorn.MinRetention, 2 * time.Hour, posthorn.DefaultRetention, 0}
			ids := make([]string, len(keep))
			for i, d := range keep {
				m := message("app_1", "")
				m.ExpiresAt = m.CreatedAt.Add(d)
				if d == 0 {
					m.ExpiresAt = time.Time{}
				}
				ids[i] = createMessage(t, s, m).ID
			}
			requirePayloads := func(want ...bool) {
				t.Helper()
				for i, id := range ids {
					m, err := s.MessageByID(t.Context(), id)
					require.NoError(t, err, "the message stays")
					require.Equal(t, want[i], m.Payload != nil, i)
				}
			}
			expire := func(after time.Duration) {
				t.Helper()
				for steps := 0; ; steps++ {
					n, err := s.ExpirePayloads(t.Context(), noon().Add(after), 2)
					require.NoError(t, err)
					require.LessOrEqual(t, n, 2)
					if n == 0 {
						return
					}
					require.Less(t, steps, 10)
				}
			}
			expire(time.Hour - time.Microsecond)
			requirePayloads(true, true, true, true, true, true)
			expire(time.Hour)
			requirePayloads(true, false, true, true, true, true)
			expire(posthorn.MinRetention)
			requirePayloads(true, false, false, false, true, true)
			expire(posthorn.DefaultRetention - time.Microsecond)
			requirePayloads(true, false, false, false, true, true)
			expire(posthorn.DefaultRetention)
			requirePayloads(false, false, false, false, false, true)
		}},
		{"a payload that was expunged before its time is no obstacle", func(t *testing.T, s store.Store) {
			m := message("app_1", "")
			m.ExpiresAt = m.CreatedAt.Add(time.Hour)
			createMessage(t, s, m)
			require.NoError(t, s.ExpungePayload(t.Context(), "app_1", m.ID))
			for _, want := range []int{1, 0} {
				n, err := s.ExpirePayloads(t.Context(), m.ExpiresAt, 10)
				require.NoError(t, err)
				require.Equal(t, want, n)
			}
		}},
	}
}
