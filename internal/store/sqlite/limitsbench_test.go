package sqlite

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// BenchmarkTakeTurn measures a turn that is granted and one that has its delivery wait, asked for by many at once.
func BenchmarkTakeTurn(b *testing.B) {
	for name, rate := range map[string]int{"granted": 65535, "waiting": 1} {
		b.Run(name, func(b *testing.B) {
			s := open(b, Options{})
			ep := posthorn.Endpoint{ID: posthorn.EndpointID.New(), AppID: "app", ThrottleRate: rate}
			require.NoError(b, s.CreateEndpoint(b.Context(), ep))
			ms := make([]posthorn.Message, b.N)
			for i := range ms {
				ms[i] = posthorn.Message{ID: posthorn.MessageID.New(), AppID: "app", EventType: "a", CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}
				if rate == 1 {
					require.NoError(b, s.CreateMessage(b.Context(), ms[i]))
				}
			}
			var next atomic.Int64
			b.SetParallelism(32)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_, err := s.TakeTurn(b.Context(), store.Turn{
						AppID: "app", EndpointID: ep.ID, Now: time.Now(), Delivery: posthorn.Delivery{MessageID: ms[next.Add(1)-1].ID, Reason: "because"},
					})
					require.NoError(b, err)
				}
			})
		})
	}
}
