package app_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestExportOfTheCatalogue(t *testing.T) {
	t.Parallel()
	b := setup(t)
	name := "export." + strings.ToLower(b.appID[4:])
	for _, body := range []string{
		`{"name":"` + name + `","description":"An order.","featureFlags":["beta"],"payloadValidation":"warn","schemas":{"2":{"type":"object","required":["sku"]},"1":{"type":"object"}}}`,
		`{"name":"` + name + `.old","description":"","archived":true}`,
	} {
		status, answer := b.above(http.MethodPost, "/event-type", body)
		require.Equal(t, http.StatusCreated, status, "%s", answer)
	}
	status, answer := b.above(http.MethodPost, "/event-type/export/openapi", "")
	require.Equal(t, http.StatusAccepted, status, "%s", answer)
	var task struct {
		ID, Status, Task string
		Data             struct {
			Spec      json.RawMessage
			SchemaZip string
			Error     string
		}
	}
	require.NoError(t, json.Unmarshal(answer, &task))
	require.Eventually(t, func() bool {
		status, answer = b.above(http.MethodGet, "/background-task/"+task.ID, "")
		require.Equal(t, http.StatusOK, status, "%s", answer)
		require.NoError(t, json.Unmarshal(answer, &task))
		return task.Status != "running"
	}, patience, 20*time.Millisecond)
	require.Equal(t, "finished", task.Status, task.Data.Error)
	require.Equal(t, "sdk.generate", task.Task)

	var document struct {
		OpenAPI    string
		Webhooks   map[string]struct{ Post map[string]json.RawMessage }
		Components struct{ Schemas map[string]json.RawMessage }
	}
	require.NoError(t, json.Unmarshal(task.Data.Spec, &document))
	require.Equal(t, "3.1.0", document.OpenAPI)
	require.JSONEq(t, `"An order."`, string(document.Webhooks[name].Post["description"]))
	require.Contains(t, string(document.Webhooks[name].Post["x-posthorn"]), `"featureFlags":["beta"]`, "an organisation sees what is hidden from others")
	require.Contains(t, string(document.Webhooks[name].Post["x-posthorn"]), `"payloadValidation":"warn"`)
	require.NotContains(t, document.Webhooks, name+".old")
	require.JSONEq(t, `{"type":"object","required":["sku"]}`, string(document.Components.Schemas[name+".2"]))
	require.Contains(t, document.Components.Schemas, name+".1")

	encoded, isURL := strings.CutPrefix(task.Data.SchemaZip, "data:application/zip;base64,")
	require.True(t, isURL)
	archive, err := base64.StdEncoding.DecodeString(encoded)
	require.NoError(t, err)
	files, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	require.NoError(t, err)
	file, err := files.Open("openapi.json")
	require.NoError(t, err)
	content, err := io.ReadAll(file)
	require.NoError(t, err)
	require.JSONEq(t, string(task.Data.Spec), string(content))

	status, answer = b.above(http.MethodPost, "/event-type/import/openapi", `{"dryRun":true,"spec":`+string(task.Data.Spec)+`}`)
	require.Equal(t, http.StatusOK, status, "%s", answer)
	require.NotContains(t, string(answer), `"deprecated":true`)
}
