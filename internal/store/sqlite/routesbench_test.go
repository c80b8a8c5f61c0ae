package sqlite

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/seal"
	"github.com/posthorn/posthorn/signing"
)

// BenchmarkRoutes reads an application with very many endpoints, whose secrets are sealed.
func BenchmarkRoutes(b *testing.B) {
	box, err := seal.New([]byte("a main secret that is long enough"), "bench")
	require.NoError(b, err)
	s := open(b, Options{Durability: Normal, Box: box})
	var writing sync.WaitGroup
	for range 10_000 {
		writing.Go(func() {
			id := posthorn.EndpointID.New()
			if err := s.CreateEndpoint(b.Context(), posthorn.Endpoint{
				ID: id, AppID: "app_1", URL: "https://hooks.example.com/" + id, EventTypes: []string{"invoice.paid"},
				CreatedAt: time.Now(), UpdatedAt: time.Now(), Secrets: []posthorn.Secret{{Key: signing.NewSymmetricKey()}},
			}); err != nil {
				b.Error(err)
			}
		})
	}
	writing.Wait()
	b.ReportAllocs()
	for b.Loop() {
		found, err := s.Routes(b.Context(), "app_1")
		if err != nil || len(found) != 10_000 {
			b.Fatal(len(found), err)
		}
	}
}
