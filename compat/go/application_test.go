package compat_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"
	"github.com/svix/svix-webhooks/go/models"
	"github.com/svix/svix-webhooks/go/utils"
)

func TestApplication(t *testing.T) {
	b := setup(t)
	ctx := t.Context()
	uid := unique("app")
	made, err := b.Application.Create(ctx, svix.ApplicationIn{Name: "Acme", Uid: &uid, ThrottleRate: to(uint16(20)), Metadata: &map[string]string{"plan": "gold"}}, nil)
	require.NoError(t, err)
	require.Regexp(t, "^app_", made.Id)
	require.Equal(t, uid, *made.Uid)
	require.EqualValues(t, 20, *made.ThrottleRate)
	require.Equal(t, map[string]string{"plan": "gold"}, made.Metadata)
	require.WithinDuration(t, time.Now(), made.CreatedAt, time.Minute)
	got, err := b.Application.Get(ctx, uid)
	require.NoError(t, err)
	require.Equal(t, made, got)

	_, err = b.Application.Create(ctx, svix.ApplicationIn{Name: "Other", Uid: &uid}, nil)
	refused(t, http.StatusConflict, "conflict", err)
	same, err := b.Application.GetOrCreate(ctx, svix.ApplicationIn{Name: "Other", Uid: &uid}, nil)
	require.NoError(t, err)
	require.Equal(t, made, same)

	replaced, err := b.Application.Update(ctx, uid, svix.ApplicationIn{Name: "Acme Inc", Uid: &uid})
	require.NoError(t, err)
	require.Equal(t, made.Id, replaced.Id)
	require.Empty(t, replaced.Metadata)
	require.Nil(t, replaced.ThrottleRate)
	upserted, err := b.Application.Update(ctx, unique("app"), svix.ApplicationIn{Name: "New"})
	require.NoError(t, err)
	require.NotEqual(t, made.Id, upserted.Id)

	patched, err := b.Application.Patch(ctx, uid, svix.ApplicationPatch{Metadata: &map[string]string{"plan": "silver"}})
	require.NoError(t, err)
	require.Equal(t, "Acme Inc", patched.Name)
	require.Equal(t, uid, *patched.Uid)
	patched, err = b.Application.Patch(ctx, made.Id, svix.ApplicationPatch{Uid: utils.NewNullableFromPtr[string](nil)})
	require.NoError(t, err)
	require.Nil(t, patched.Uid)
	_, err = b.Application.Get(ctx, uid)
	refused(t, http.StatusNotFound, "not_found", err)

	require.NoError(t, b.Application.Delete(ctx, made.Id))
	_, err = b.Application.Get(ctx, made.Id)
	refused(t, http.StatusNotFound, "not_found", err)
}

func TestApplicationsAreListedPageByPage(t *testing.T) {
	b := setup(t)
	var made []string
	for range 3 {
		app, err := b.Application.Create(t.Context(), svix.ApplicationIn{Name: "Listed"}, nil)
		require.NoError(t, err)
		made = append(made, app.Id)
	}
	var found []string
	options := svix.ApplicationListOptions{Limit: to(uint64(2)), Order: to(models.ORDERING_ASCENDING)}
	for {
		page, err := b.Application.List(t.Context(), &options)
		require.NoError(t, err)
		for _, app := range page.Data {
			if app.Name == "Listed" {
				found = append(found, app.Id)
			}
		}
		if page.Done {
			break
		}
		options.Iterator = page.Iterator
	}
	require.Equal(t, made, found)

	_, err := b.Application.List(t.Context(), &svix.ApplicationListOptions{Limit: to(uint64(251))})
	refused(t, http.StatusUnprocessableEntity, "limit", err)
	_, err = b.Application.List(t.Context(), &svix.ApplicationListOptions{Iterator: to("app_garbage")})
	refused(t, http.StatusUnprocessableEntity, "iterator", err)
	_, err = b.Application.Create(t.Context(), svix.ApplicationIn{Name: "Acme", Uid: to("not a uid")}, nil)
	refused(t, http.StatusUnprocessableEntity, `"loc":["body","uid"]`, err)
}

func TestATokenOpensWhatItIsForAndNothingElse(t *testing.T) {
	b := setup(t)
	own := client(t, ownToken)
	app, err := own.Application.Get(t.Context(), ownApp)
	require.NoError(t, err)
	require.Equal(t, ownApp, *app.Uid)
	_, err = own.Application.List(t.Context(), nil)
	refused(t, http.StatusForbidden, "insufficient access", err)
	_, err = own.Application.Get(t.Context(), b.app)
	refused(t, http.StatusNotFound, "not_found", err)
	_, err = client(t, "garbage").Application.Get(t.Context(), ownApp)
	refused(t, http.StatusUnauthorized, "Invalid token", err)
	require.NoError(t, b.Health.Get(t.Context()))
}
