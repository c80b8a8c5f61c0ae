package storetest

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

func applicationTests() []test {
	return []test{
		{"an application is found by ID and by UID, as it was stored", func(t *testing.T, s store.Store) {
			app := application("acme")
			require.NoError(t, s.CreateApplication(t.Context(), app))
			for _, ref := range []string{app.ID, "acme"} {
				got, err := s.Application(t.Context(), app.OrgID, ref)
				require.NoError(t, err)
				require.Equal(t, app, got)
			}
		}},
		{"empty fields come back empty, and many applications have no UID", func(t *testing.T, s store.Store) {
			for range 2 {
				app := posthorn.Application{ID: posthorn.ApplicationID.New(), OrgID: "org", Metadata: map[string]string{}, CreatedAt: noon()}
				require.NoError(t, s.CreateApplication(t.Context(), app))
				got, err := s.Application(t.Context(), "org", app.ID)
				require.NoError(t, err)
				require.Empty(t, got.Metadata)
				require.Empty(t, got.UID)
				require.True(t, got.UpdatedAt.IsZero())
			}
			_, err := s.Application(t.Context(), "org", "")
			requireCode(t, posthorn.NotFound, err)
		}},
		{"an application has its owner, also when it is deleted", func(t *testing.T, s store.Store) {
			app := application("acme")
			app.OrgID = "org_other"
			require.NoError(t, s.CreateApplication(t.Context(), app))
			for range 2 {
				org, err := s.Owner(t.Context(), app.ID)
				require.NoError(t, err)
				require.Equal(t, "org_other", org)
				_ = s.DeleteApplication(t.Context(), "org_other", app.ID, noon())
			}
			for _, ref := range []string{"acme", "", posthorn.ApplicationID.New()} {
				_, err := s.Owner(t.Context(), ref)
				requireCode(t, posthorn.NotFound, err)
			}
		}},
		{"what another organisation has is not found", func(t *testing.T, s store.Store) {
			app := application("acme")
			require.NoError(t, s.CreateApplication(t.Context(), app))
			for _, ref := range []string{app.ID, "acme"} {
				_, err := s.Application(t.Context(), "org_other", ref)
				requireCode(t, posthorn.NotFound, err)
				_, err = s.UpdateApplication(t.Context(), "org_other", ref, func(*posthorn.Application) error { return nil })
				requireCode(t, posthorn.NotFound, err)
				requireCode(t, posthorn.NotFound, s.DeleteApplication(t.Context(), "org_other", ref, noon()))
			}
		}},
		{"a UID is unique in its organisation and free in others", func(t *testing.T, s store.Store) {
			require.NoError(t, s.CreateApplication(t.Context(), application("acme")))
			requireCode(t, posthorn.Conflict, s.CreateApplication(t.Context(), application("acme")))
			other := application("acme")
			other.OrgID = "org_other"
			require.NoError(t, s.CreateApplication(t.Context(), other))
		}},
		{"of many that want one UID at once, one gets it", func(t *testing.T, s store.Store) {
			created := 0
			for _, err := range together(20, func(int) error { return s.CreateApplication(t.Context(), application("acme")) }) {
				if err == nil {
					created++
				} else {
					requireCode(t, posthorn.Conflict, err)
				}
			}
			require.Equal(t, 1, created)
		}},
		{"an update changes everything but the identity, and returns it", func(t *testing.T, s store.Store) {
			app := application("acme")
			require.NoError(t, s.CreateApplication(t.Context(), app))
			want := application("new uid")
			want.ID, want.Name, want.ThrottleRate, want.Metadata = app.ID, "New", 0, nil
			got, err := s.UpdateApplication(t.Context(), app.OrgID, "acme", func(a *posthorn.Application) error {
				require.Equal(t, app, *a)
				*a = want
				a.ID, a.OrgID, a.CreatedAt = "app_x", "org_x", noon().AddDate(1, 0, 0)
				return nil
			})
			require.NoError(t, err)
			require.Equal(t, want, got)
			got, err = s.Application(t.Context(), app.OrgID, "new uid")
			require.NoError(t, err)
			require.Equal(t, want, got)
			_, err = s.Application(t.Context(), app.OrgID, "acme")
			requireCode(t, posthorn.NotFound, err)
		}},
		{"an update that refuses or conflicts changes nothing", func(t *testing.T, s store.Store) {
			app := application("acme")
			require.NoError(t, s.CreateApplication(t.Context(), app))
			require.NoError(t, s.CreateApplication(t.Context(), application("taken")))
			refusal := errors.New("no")
			_, err := s.UpdateApplication(t.Context(), app.OrgID, app.ID, func(a *posthorn.Application) error {
				a.Name = "changed"
				return refusal
			})
			require.Same(t, refusal, err)
			_, err = s.UpdateApplication(t.Context(), app.OrgID, app.ID, func(a *posthorn.Application) error {
				a.Name, a.UID = "changed", "taken"
				return nil
			})
			requireCode(t, posthorn.Conflict, err)
			got, err := s.Application(t.Context(), app.OrgID, app.ID)
			require.NoError(t, err)
			require.Equal(t, app, got)
			_, err = s.UpdateApplication(t.Context(), app.OrgID, "nobody", func(*posthorn.Application) error { return nil })
			requireCode(t, posthorn.NotFound, err)
		}},
		{"a deleted application is gone with its endpoints, and its UID is free", func(t *testing.T, s store.Store) {
			app := application("acme")
			require.NoError(t, s.CreateApplication(t.Context(), app))
			ep := endpoint(app.ID, "main")
			require.NoError(t, s.CreateEndpoint(t.Context(), ep))
			m := createMessage(t, s, message(app.ID, "evt"))

			require.NoError(t, s.DeleteApplication(t.Context(), app.OrgID, "acme", noon()))

			for _, ref := range []string{app.ID, "acme"} {
				_, err := s.Application(t.Context(), app.OrgID, ref)
				requireCode(t, posthorn.NotFound, err)
				requireCode(t, posthorn.NotFound, s.DeleteApplication(t.Context(), app.OrgID, ref, noon()))
			}
			apps, err := s.ListApplications(t.Context(), app.OrgID, everything())
			require.NoError(t, err)
			require.Empty(t, apps.Items)
			_, err = s.Endpoint(t.Context(), app.ID, "main")
			requireCode(t, posthorn.NotFound, err)
			routes, err := s.Routes(t.Context(), app.ID)
			require.NoError(t, err)
			require.Empty(t, routes)
			_, err = s.Message(t.Context(), app.ID, m.ID)
			require.NoError(t, err, "its messages stay")
			require.NoError(t, s.CreateApplication(t.Context(), application("acme")))
		}},
		{"the list has every page there can be", func(t *testing.T, s store.Store) {
			var ids []string
			for range 5 {
				app := application("")
				require.NoError(t, s.CreateApplication(t.Context(), app))
				ids = append(ids, app.ID)
			}
			other := application("")
			other.OrgID = "org_other"
			require.NoError(t, s.CreateApplication(t.Context(), other))
			requirePages(t, ids, func(a posthorn.Application) string { return a.ID },
				func(p store.Page) (store.List[posthorn.Application], error) {
					return s.ListApplications(t.Context(), posthorn.DefaultOrg, p)
				})
		}},
	}
}
