package storetest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/signing"
)

func endpointTests() []test {
	return []test{
		{"an endpoint is found by ID and by UID, secrets and headers included", func(t *testing.T, s store.Store) {
			ep := endpoint("app_1", "main")
			require.NoError(t, s.CreateEndpoint(t.Context(), ep))
			for _, ref := range []string{ep.ID, "main"} {
				got, err := s.Endpoint(t.Context(), "app_1", ref)
				require.NoError(t, err)
				require.Equal(t, ep, got)
				require.Equal(t, ep.Secrets[0].Key.Reveal(), got.Secrets[0].Key.Reveal())
				_, err = s.Endpoint(t.Context(), "app_2", ref)
				requireCode(t, posthorn.NotFound, err)
			}
		}},
		{"empty lists and maps come back empty", func(t *testing.T, s store.Store) {
			ep := posthorn.Endpoint{
				ID: posthorn.EndpointID.New(), AppID: "app_1", URL: "https://example.com", EventTypes: []string{}, Channels: nil,
				Metadata: map[string]string{}, Headers: nil, CreatedAt: noon(), UpdatedAt: noon(),
			}
			require.NoError(t, s.CreateEndpoint(t.Context(), ep))
			got, err := s.Endpoint(t.Context(), "app_1", ep.ID)
			require.NoError(t, err)
			require.Empty(t, got.EventTypes)
			require.Empty(t, got.Channels)
			require.Empty(t, got.Metadata)
			require.Empty(t, got.Headers)
			require.Empty(t, got.Secrets)
		}},
		{"a retry schedule that is empty is not one that is absent", func(t *testing.T, s store.Store) {
			ep := endpoint("app_1", "")
			ep.RetrySchedule = &posthorn.Schedule{}
			require.NoError(t, s.CreateEndpoint(t.Context(), ep))
			got, err := s.Endpoint(t.Context(), "app_1", ep.ID)
			require.NoError(t, err)
			require.Equal(t, ep, got)
			got, err = s.UpdateEndpoint(t.Context(), "app_1", ep.ID, func(e *posthorn.Endpoint) error {
				e.RetrySchedule = nil
				return nil
			})
			require.NoError(t, err)
			require.Nil(t, got.RetrySchedule)
			routes, err := s.Routes(t.Context(), "app_1")
			require.NoError(t, err)
			require.Equal(t, []posthorn.Endpoint{got}, routes)
		}},
		{"a UID is unique in its application and free in others", func(t *testing.T, s store.Store) {
			require.NoError(t, s.CreateEndpoint(t.Context(), endpoint("app_1", "main")))
			requireCode(t, posthorn.Conflict, s.CreateEndpoint(t.Context(), endpoint("app_1", "main")))
			require.NoError(t, s.CreateEndpoint(t.Context(), endpoint("app_2", "main")))
			require.NoError(t, s.CreateEndpoint(t.Context(), endpoint("app_1", "")))
			require.NoError(t, s.CreateEndpoint(t.Context(), endpoint("app_1", "")))
		}},
		{"an update changes everything but the identity, and returns it", func(t *testing.T, s store.Store) {
			ep := endpoint("app_1", "main")
			require.NoError(t, s.CreateEndpoint(t.Context(), ep))
			want := ep
			want.UID, want.URL, want.Description, want.Disabled, want.ThrottleRate = "", "https://new.example.com", "", true, 0
			want.DisabledReason = "it answered 410 Gone"
			want.EventTypes, want.Channels, want.Metadata, want.RetrySchedule = nil, nil, nil, nil
			want.Headers = map[string]string{"X-New": "1"}
			want.Secrets = append([]posthorn.Secret{{Key: signing.NewSymmetricKey()}}, ep.Secrets...)
			got, err := s.UpdateEndpoint(t.Context(), "app_1", "main", func(e *posthorn.Endpoint) error {
				require.Equal(t, ep, *e)
				*e = want
				e.ID, e.AppID, e.CreatedAt, e.DeletedAt = "ep_x", "app_x", noon().AddDate(1, 0, 0), noon()
				return nil
			})
			require.NoError(t, err)
			require.Equal(t, want, got)
			got, err = s.Endpoint(t.Context(), "app_1", ep.ID)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}},
		{"an update that refuses or conflicts changes nothing", func(t *testing.T, s store.Store) {
			ep := endpoint("app_1", "main")
			require.NoError(t, s.CreateEndpoint(t.Context(), ep))
			require.NoError(t, s.CreateEndpoint(t.Context(), endpoint("app_1", "taken")))
			refusal := posthorn.InvalidField("url", "no")
			_, err := s.UpdateEndpoint(t.Context(), "app_1", ep.ID, func(e *posthorn.Endpoint) error {
				e.URL = "changed"
				return refusal
			})
			require.Same(t, refusal, err)
			_, err = s.UpdateEndpoint(t.Context(), "app_1", ep.ID, func(e *posthorn.Endpoint) error {
				e.URL, e.UID = "changed", "taken"
				return nil
			})
			requireCode(t, posthorn.Conflict, err)
			got, err := s.Endpoint(t.Context(), "app_1", ep.ID)
			require.NoError(t, err)
			require.Equal(t, ep, got)
			_, err = s.UpdateEndpoint(t.Context(), "app_1", "nobody", func(*posthorn.Endpoint) error { return nil })
			requireCode(t, posthorn.NotFound, err)
		}},
		{"concurrent updates don't lose one another", func(t *testing.T, s store.Store) {
			ep := endpoint("app_1", "main")
			ep.ThrottleRate = 0
			require.NoError(t, s.CreateEndpoint(t.Context(), ep))
			const updates = 50
			for _, err := range together(updates, func(int) error {
				_, err := s.UpdateEndpoint(t.Context(), "app_1", "main", func(e *posthorn.Endpoint) error {
					e.ThrottleRate++
					return nil
				})
				return err
			}) {
				require.NoError(t, err)
			}
			got, err := s.Endpoint(t.Context(), "app_1", "main")
			require.NoError(t, err)
			require.Equal(t, updates, got.ThrottleRate)
		}},
		{"a deleted endpoint is gone, and its UID is free", func(t *testing.T, s store.Store) {
			ep := endpoint("app_1", "main")
			require.NoError(t, s.CreateEndpoint(t.Context(), ep))
			requireCode(t, posthorn.NotFound, s.DeleteEndpoint(t.Context(), "app_2", "main", noon()))
			require.NoError(t, s.DeleteEndpoint(t.Context(), "app_1", "main", noon()))
			for _, ref := range []string{ep.ID, "main"} {
				_, err := s.Endpoint(t.Context(), "app_1", ref)
				requireCode(t, posthorn.NotFound, err)
				_, err = s.UpdateEndpoint(t.Context(), "app_1", ref, func(*posthorn.Endpoint) error { return nil })
				requireCode(t, posthorn.NotFound, err)
				requireCode(t, posthorn.NotFound, s.DeleteEndpoint(t.Context(), "app_1", ref, noon()))
			}
			eps, err := s.ListEndpoints(t.Context(), "app_1", everything())
			require.NoError(t, err)
			require.Empty(t, eps.Items)
			require.NoError(t, s.CreateEndpoint(t.Context(), endpoint("app_1", "main")))
		}},
		{"routes are the endpoints that there are, by ID", func(t *testing.T, s store.Store) {
			var want []posthorn.Endpoint
			for i := range 6 {
				ep := endpoint("app_1", numbered("ep", i))
				ep.Disabled = i == 2
				require.NoError(t, s.CreateEndpoint(t.Context(), ep))
				if i != 4 {
					want = append(want, ep)
				}
			}
			require.NoError(t, s.CreateEndpoint(t.Context(), endpoint("app_2", "")))
			require.NoError(t, s.DeleteEndpoint(t.Context(), "app_1", "ep4", noon()))
			got, err := s.Routes(t.Context(), "app_1")
			require.NoError(t, err)
			require.Equal(t, want, got)
		}},
		{"the list has every page there can be, disabled ones included", func(t *testing.T, s store.Store) {
			var ids []string
			for i := range 5 {
				ep := endpoint("app_1", "")
				ep.Disabled = i == 1
				require.NoError(t, s.CreateEndpoint(t.Context(), ep))
				ids = append(ids, ep.ID)
			}
			require.NoError(t, s.CreateEndpoint(t.Context(), endpoint("app_2", "")))
			requirePages(t, ids, func(e posthorn.Endpoint) string { return e.ID },
				func(p store.Page) (store.List[posthorn.Endpoint], error) {
					return s.ListEndpoints(t.Context(), "app_1", p)
				})
		}},
		{"whoever follows the routes hears of each change once it can be read, and of no failure", routeChanges},
	}
}

func routeChanges(t *testing.T, s store.Store) {
	var mu sync.Mutex
	var heard []int      // how many routes there were when the change was announced
	var changed []string // endpoints
	s.OnRouteChange(func(appID, endpointID string) {
		routes, err := s.Routes(t.Context(), appID)
		mu.Lock()
		defer mu.Unlock()
		changed = append(changed, endpointID)
		if err != nil {
			heard = append(heard, -1)
			return
		}
		heard = append(heard, len(routes))
	})
	requireHeard := func(want ...int) {
		t.Helper()
		require.Eventually(t, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(heard) >= len(want)
		}, 10*time.Second, time.Millisecond)
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, want, heard)
		heard = nil
	}

	app := application("acme")
	require.NoError(t, s.CreateApplication(t.Context(), app))
	a, b := endpoint(app.ID, "a"), endpoint(app.ID, "b")
	require.NoError(t, s.CreateEndpoint(t.Context(), a))
	requireHeard(1)
	require.NoError(t, s.CreateEndpoint(t.Context(), b))
	requireHeard(2)
	_, err := s.UpdateEndpoint(t.Context(), app.ID, "a", func(e *posthorn.Endpoint) error {
		e.Disabled = true
		return nil
	})
	require.NoError(t, err)
	requireHeard(2)

	requireCode(t, posthorn.Conflict, s.CreateEndpoint(t.Context(), endpoint(app.ID, "a")))
	_, err = s.UpdateEndpoint(t.Context(), app.ID, "a", func(*posthorn.Endpoint) error { return errors.New("no") })
	require.Error(t, err)
	requireCode(t, posthorn.NotFound, s.DeleteEndpoint(t.Context(), app.ID, "c", noon()))
	requireCode(t, posthorn.NotFound, s.DeleteApplication(t.Context(), "org_other", app.ID, noon()))

	require.NoError(t, s.DeleteEndpoint(t.Context(), app.ID, "a", noon()))
	requireHeard(1)
	require.NoError(t, s.DeleteApplication(t.Context(), app.OrgID, app.ID, noon()))
	requireHeard(0)
	require.Equal(t, []string{a.ID, b.ID, a.ID, a.ID, ""}, changed)
}
