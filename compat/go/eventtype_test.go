package compat_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"
	"github.com/svix/svix-webhooks/go/utils"
)

var schema = map[string]any{"type": "object", "properties": map[string]any{"id": map[string]any{"type": "string"}}, "required": []any{"id"}}

func named() string { return strings.ReplaceAll(unique("type"), "-", ".") }

func TestEventType(t *testing.T) {
	b := setup(t)
	ctx := t.Context()
	name := named()
	made, err := b.EventType.Create(ctx, svix.EventTypeIn{Name: name, Description: "An order", Schemas: &map[string]any{"1": schema}}, nil)
	require.NoError(t, err)
	require.Equal(t, map[string]any{"1": schema}, *made.Schemas)
	require.False(t, *made.Archived)
	got, err := b.EventType.Get(ctx, name)
	require.NoError(t, err)
	require.Equal(t, made, got)
	_, err = b.EventType.Create(ctx, svix.EventTypeIn{Name: name, Description: "Again"}, nil)
	refused(t, http.StatusConflict, "event_type_exists", err)
	_, err = b.EventType.Create(ctx, svix.EventTypeIn{Name: named(), Description: "Bad", Schemas: &map[string]any{"1": map[string]any{"type": 42}}}, nil)
	refused(t, http.StatusUnprocessableEntity, "schemas", err)

	patched, err := b.EventType.Patch(ctx, name, svix.EventTypePatch{Deprecated: to(true)})
	require.NoError(t, err)
	require.True(t, patched.Deprecated)
	require.Equal(t, "An order", patched.Description)
	replaced, err := b.EventType.Update(ctx, name, svix.EventTypeUpdate{Description: "Replaced", Schemas: &map[string]any{"1": schema}})
	require.NoError(t, err)
	require.False(t, replaced.Deprecated)

	listed := func(options svix.EventTypeListOptions) *svix.EventTypeOut {
		for options.Limit = to(uint64(250)); ; {
			page, err := b.EventType.List(ctx, &options)
			require.NoError(t, err)
			if at := slices.IndexFunc(page.Data, func(e svix.EventTypeOut) bool { return e.Name == name }); at >= 0 {
				return &page.Data[at]
			}
			if page.Done {
				return nil
			}
			options.Iterator = page.Iterator
		}
	}
	require.Nil(t, listed(svix.EventTypeListOptions{}).Schemas)
	require.Equal(t, map[string]any{"1": schema}, *listed(svix.EventTypeListOptions{WithContent: to(true)}).Schemas)

	require.NoError(t, b.EventType.Delete(ctx, name, nil))
	require.Nil(t, listed(svix.EventTypeListOptions{}))
	require.True(t, *listed(svix.EventTypeListOptions{IncludeArchived: to(true)}).Archived)
	back, err := b.EventType.Create(ctx, svix.EventTypeIn{Name: name, Description: "Back"}, nil)
	require.NoError(t, err)
	require.False(t, *back.Archived)
	require.NoError(t, b.EventType.Delete(ctx, name, &svix.EventTypeDeleteOptions{Expunge: to(true)}))
	_, err = b.EventType.Get(ctx, name)
	refused(t, http.StatusNotFound, "not_found", err)
}

func TestEventTypeGroups(t *testing.T) {
	b := setup(t)
	name := named()
	made, err := b.EventType.Create(t.Context(), svix.EventTypeIn{Name: name, Description: "Hidden", GroupName: to("orders"), FeatureFlags: []string{"beta"}}, nil)
	require.NoError(t, err)
	require.Equal(t, "orders", *made.GroupName)
	require.Equal(t, []string{"beta"}, made.FeatureFlags)
	patched, err := b.EventType.Patch(t.Context(), name, svix.EventTypePatch{GroupName: utils.NewNullableFromPtr[string](nil)})
	require.NoError(t, err)
	require.Nil(t, patched.GroupName)
}

func TestEventTypesAreImported(t *testing.T) {
	b := setup(t)
	ctx := t.Context()
	name := named()
	post := map[string]any{
		"description": "An order",
		"requestBody": map[string]any{"content": map[string]any{"application/json": map[string]any{"schema": schema}}},
		"responses":   map[string]any{"200": map[string]any{"description": "Taken"}},
	}
	spec := map[string]any{
		"openapi": "3.1.0", "info": map[string]any{"title": "Shop", "version": "1"},
		"webhooks": map[string]any{name: map[string]any{"post": post}},
	}
	tried, err := b.EventType.ImportOpenapi(ctx, svix.EventTypeImportOpenApiIn{Spec: &spec, DryRun: to(true)}, nil)
	require.NoError(t, err)
	require.Len(t, tried.Data.ToModify, 1)
	require.Equal(t, name, tried.Data.ToModify[0].Name)
	_, err = b.EventType.Get(ctx, name)
	refused(t, http.StatusNotFound, "not_found", err)
	done, err := b.EventType.ImportOpenapi(ctx, svix.EventTypeImportOpenApiIn{Spec: &spec}, nil)
	require.NoError(t, err)
	require.Equal(t, []string{name}, done.Data.Modified)
	made, err := b.EventType.Get(ctx, name)
	require.NoError(t, err)
	require.Equal(t, "An order", made.Description)
	require.Len(t, *made.Schemas, 1)
}
