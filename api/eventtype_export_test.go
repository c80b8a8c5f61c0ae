package api

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

func TestExportInTheBackground(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	b.eventType("order.created", "warn", orderSchemas)

	t.Run("begins a task that has nothing yet", func(t *testing.T) {
		r := b.in(t).do("POST", "/event-type/export/openapi", "")
		require.Equal(t, http.StatusAccepted, r.status, r.body)
		id := r.field(t, "id")
		require.Equal(t, "sdk.generate", r.field(t, "task"))
		require.Equal(t, "running", r.field(t, "status"))
		require.NotEmpty(t, r.field(t, "updatedAt"))
		require.NotContains(t, r.body, "data")

		stored, err := b.store.TaskByID(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, posthorn.ExportCatalogue, stored.Kind)
		require.Equal(t, posthorn.DefaultOrg, stored.OrgID)
		require.Empty(t, stored.AppID)
		require.Len(t, b.dispatcher.tasks, 1)
		require.Equal(t, id, b.dispatcher.tasks[0].ID)

		listed := b.in(t).do("GET", "/background-task?task=sdk.generate", "").page(t)
		require.Equal(t, []string{id}, listed.keys("id"))
		require.Equal(t, map[string]any{}, listed.Data[0]["data"])
	})

	t.Run("shows what came of it", func(t *testing.T) {
		told, err := json.Marshal(posthorn.ExportData{Spec: json.RawMessage(`{"openapi":"3.1.0"}`), SchemaZip: "data:application/zip;base64,UEsF"})
		require.NoError(t, err)
		task := posthorn.Task{
			ID: posthorn.TaskID.New(), OrgID: posthorn.DefaultOrg, Kind: posthorn.ExportCatalogue, State: posthorn.TaskFinished, Data: told,
		}
		require.NoError(t, b.store.CreateTask(t.Context(), task))
		r := b.in(t).do("GET", "/background-task/"+task.ID, "")
		require.Equal(t, http.StatusOK, r.status, r.body)
		require.Contains(t, r.body, `"data":{"schemaZip":"data:application/zip;base64,UEsF","spec":{"openapi":"3.1.0"}}`)
		require.Contains(t, r.body, `"status":"finished"`)
	})

	t.Run("is for the organisation", func(t *testing.T) {
		r := b.in(t).as(b.flagged(app), "POST", "/event-type/export/openapi", "")
		require.Equal(t, http.StatusForbidden, r.status, r.body)
		require.Len(t, b.dispatcher.tasks, 1)
	})
}

func TestOlderFormsOfOperationsAreDeprecated(t *testing.T) {
	t.Parallel()
	var document struct {
		Paths map[string]map[string]struct{ Deprecated bool }
	}
	require.NoError(t, json.Unmarshal([]byte(setup(t).as("", "GET", "/openapi.json", "").body), &document))
	for path, deprecated := range map[string]bool{
		"/api/v1/app/{app_id}/msg/{msg_id}/attempt":                        true,
		"/api/v1/app/{app_id}/msg/{msg_id}/endpoint/{endpoint_id}/attempt": true,
		"/api/v1/app/{app_id}/attempt/msg/{msg_id}":                        false,
	} {
		operation, exists := document.Paths[path]["get"]
		require.True(t, exists, path)
		require.Equal(t, deprecated, operation.Deprecated, path)
	}
}
