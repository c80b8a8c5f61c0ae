package sqlite

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// BenchmarkLabels takes messages from their creation to the record of one attempt, with and without a channel and a tag.
func BenchmarkLabels(b *testing.B) {
	for name, labels := range map[string][]string{"none": nil, "a channel and a tag": {"eu"}} {
		b.Run(name, func(b *testing.B) {
			s := open(b, Options{Durability: Normal})
			app, ep := posthorn.ApplicationID.New(), posthorn.EndpointID.New()
			b.ReportAllocs()
			for b.Loop() {
				m := newMessage(app)
				m.Channels, m.Tags = labels, labels
				require.NoError(b, s.CreateMessage(b.Context(), m))
				_, err := s.Record(b.Context(), store.Record{MessageID: m.ID, AppID: app, Dispatched: true, Attempts: []posthorn.Attempt{{
					ID: posthorn.AttemptID.New(), MessageID: m.ID, AppID: app, EndpointID: ep, EventType: m.EventType,
					Trigger: posthorn.Automatic, StartedAt: time.Now(), Success: true, Status: 200,
				}}})
				require.NoError(b, err)
			}
		})
	}
}
