package compat

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// testUnsupported holds the list of docs/sdks.md against the server.
func testUnsupported(t *testing.T, p plain, served map[string]bool) {
	page, err := os.ReadFile("../docs/sdks.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(page), "## What isn't there")
	require.True(t, found)
	rows := regexp.MustCompile("(?m)^\\| `([A-Z]+) (/\\S+)` \\|").FindAllStringSubmatch(table, -1)
	require.Greater(t, len(rows), 10)

	var app, endpoint struct{ ID string }
	p.must(t, http.MethodPost, "/app", object{"name": "Acme"}, &app)
	p.must(t, http.MethodPost, "/app/"+app.ID+"/endpoint", object{"url": "https://example.com"}, &endpoint)
	names := strings.NewReplacer("{app_id}", app.ID, "{endpoint_id}", endpoint.ID)
	for _, row := range rows {
		require.False(t, served[operation{method: row[1], path: row[2]}.key()], "%s %s is served", row[1], row[2])
		p.refused(t, http.StatusNotFound, "not_found", row[1], names.Replace(row[2]), object{})
	}
}
