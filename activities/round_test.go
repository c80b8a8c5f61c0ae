package activities_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/signing"
)

// crowd is a receiver for very many endpoints. It notes how many requests each got and how many were in flight at most.
type crowd struct {
	url     string
	answers chan struct{} // closed: requests are answered
	mu      sync.Mutex
	taken   map[string]int
	flying  int
	most    int
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	c := &crowd{answers: make(chan struct{}), taken: make(map[string]int)}
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		c.flying++
		c.most = max(c.most, c.flying)
		c.taken[r.URL.Path]++
		c.mu.Unlock()
		<-c.answers
		c.mu.Lock()
		defer c.mu.Unlock()
		c.flying--
	}))
	c.url = s.URL
	t.Cleanup(s.Close)
	return c
}

// counts returns how many endpoints got how many requests, and how many were in flight at most.
func (c *crowd) counts() (endpoints, requests, most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.taken {
		requests += n
	}
	return len(c.taken), requests, c.most
}

// endpoints makes very many.
func (b *bundle) endpoints(n int, url string) []posthorn.Endpoint {
	b.t.Helper()
	made := make([]posthorn.Endpoint, n)
	var writing sync.WaitGroup
	for i := range made {
		id := posthorn.EndpointID.New()
		made[i] = posthorn.Endpoint{
			ID: id, AppID: b.appID, URL: url + "/" + id, CreatedAt: time.Now(), UpdatedAt: time.Now(), Secrets: []posthorn.Secret{{Key: signing.NewSymmetricKey()}},
		}
		writing.Go(func() {
			if err := b.store.CreateEndpoint(b.t.Context(), made[i]); err != nil {
				b.t.Error(err)
			}
		})
	}
	writing.Wait()
	return made
}

// part runs SendToAll for a part.
func (b *bundle) part(m posthorn.Message, in activities.SendToAllInput) activities.SendToAllResult {
	b.t.Helper()
	in.MessageID = m.ID
	result, err := b.SendToAll(b.t.Context(), in)
	require.NoError(b.t, err)
	return result
}

func TestLargeRounds(t *testing.T) {
	t.Parallel()

	t.Run("go part by part, and repeat nothing that is on record", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.PartSize = 3
		c := newCrowd(t)
		close(c.answers)
		eps, m := b.endpoints(8, c.url), b.message()
		for range 2 {
			after := ""
			for _, want := range []activities.SendToAllResult{
				{Endpoints: 3, Delivered: 3, Through: eps[2].ID, Total: 8},
				{Endpoints: 3, Delivered: 3, Through: eps[5].ID, Total: 8},
				{Endpoints: 2, Delivered: 2},
			} {
				_, requests, _ := c.counts()
				undispatched, err := b.store.IsUndispatched(t.Context(), m.ID)
				require.NoError(t, err)
				require.Equal(t, requests < 8, undispatched, "it is dispatched when the last part is")
				require.Equal(t, want, b.part(m, activities.SendToAllInput{After: after}))
				after = want.Through
			}
		}
		_, requests, _ := c.counts()
		require.Equal(t, 8, requests)
	})

	t.Run("go on behind an endpoint that is gone", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.PartSize = 2
		c := newCrowd(t)
		close(c.answers)
		eps, m := b.endpoints(5, c.url), b.message()
		require.Equal(t, eps[1].ID, b.part(m, activities.SendToAllInput{}).Through)
		require.NoError(t, b.store.DeleteEndpoint(t.Context(), b.appID, eps[1].ID, time.Now()))
		require.Equal(t, activities.SendToAllResult{Endpoints: 2, Delivered: 2, Through: eps[3].ID, Total: 4},
			b.part(m, activities.SendToAllInput{After: eps[1].ID}))
		require.Equal(t, activities.SendToAllResult{Endpoints: 1, Delivered: 1}, b.part(m, activities.SendToAllInput{After: eps[3].ID}))
		endpoints, requests, _ := c.counts()
		require.Equal(t, 5, endpoints)
		require.Equal(t, 5, requests)
	})

	t.Run("have a bounded number of requests in flight, and hand over what has not begun", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		c := newCrowd(t)
		eps, m := b.endpoints(400, c.url), b.message()
		result := b.fastLane(m)
		require.False(t, result.Apart)
		var begun, most int
		require.Eventually(t, func() bool { // what has been sent arrives
			begun, _, most = c.counts()
			return begun >= result.Held
		}, 30*time.Second, 5*time.Millisecond)
		require.LessOrEqual(t, most, 256)
		require.Less(t, begun, 400)
		require.Equal(t, begun, result.Held, "they are left to end by themselves")
		require.Len(t, result.Open, 400-begun)
		close(c.answers)
		for _, d := range result.Open {
			sent, err := b.durableLane(m, posthorn.Endpoint{ID: d.EndpointID}, 0)
			require.NoError(t, err)
			require.Equal(t, posthorn.Delivered, sent.State)
		}
		b.become(m, eps, func(d posthorn.Delivery) bool { return d.State == posthorn.Delivered })
		endpoints, requests, _ := c.counts()
		require.Equal(t, 400, endpoints)
		require.Equal(t, 400, requests, "each was sent to once")
	})

	t.Run("say when they leave more open than one workflow can carry on", func(t *testing.T) {
		t.Parallel()
		b := setup(t, time.Hour)
		url, _ := receiver(t, status(http.StatusServiceUnavailable))
		b.PartSize = 2
		eps, m := b.endpoints(5, url), b.message()
		require.False(t, b.part(m, activities.SendToAllInput{Open: 498}).Apart)
		result := b.part(m, activities.SendToAllInput{After: eps[1].ID, Open: 499})
		require.True(t, result.Apart)
		require.Len(t, result.Open, 2)
		require.Equal(t, eps[2].ID, result.Open[0].EndpointID)
	})

	t.Run("wait for room in their application instead of lining up", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.PartSize, b.PerApplication = 50, 7
		var most, flying atomic.Int32
		s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			n := flying.Add(1)
			defer flying.Add(-1)
			for was := most.Load(); n > was && !most.CompareAndSwap(was, n); was = most.Load() {
			}
		}))
		t.Cleanup(s.Close)
		b.endpoints(51, s.URL)
		m := b.message()
		b.FastLaneWait, b.SlowAfter = time.Minute, time.Minute
		result := b.part(m, activities.SendToAllInput{})
		require.Equal(t, 50, result.Delivered)
		require.Zero(t, result.Held)
		require.LessOrEqual(t, most.Load(), int32(7))
	})
}
