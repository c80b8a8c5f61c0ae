package api

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var addresses = regexp.MustCompile(`(?:href|src)="([^"]*)"`)

// That the page works in a browser is shown in compat/openapi.
func TestTheDocumentationPageIsSelfContained(t *testing.T) {
	t.Parallel()
	b := setup(t)
	get := func(path string) reply {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+path, nil)
		require.NoError(t, err)
		return b.send(request)
	}

	r := get("/")
	require.Equal(t, "Posthorn API", regexp.MustCompile(`<title>(.*)</title>`).FindStringSubmatch(r.body)[1], "/ leads to the page")
	require.Equal(t, r.body, get("/docs").body)
	require.Equal(t, r.body, get("/docs/").body)
	require.NotContains(t, r.body, "<script>", "the policy forbids scripts in the page")

	linked := addresses.FindAllStringSubmatch(r.body, -1)
	require.Len(t, linked, 6)
	for _, link := range linked {
		address := link[1]
		require.True(t, strings.HasPrefix(address, "/") && !strings.HasPrefix(address, "//"), "%s is elsewhere", address)
		file := get(address)
		require.Equal(t, http.StatusOK, file.status, address)
		require.NotEmpty(t, file.body, address)
		if strings.HasPrefix(address, docsPath) {
			policy := file.header.Get("Content-Security-Policy")
			require.Contains(t, policy, "default-src 'none'", address)
			require.NotContains(t, policy, "unsafe", address)
			require.NotContains(t, policy, "http", address)
			require.Equal(t, "nosniff", file.header.Get("X-Content-Type-Options"), address)
		}
	}
	require.Contains(t, get("/docs/page.js").body, "'"+documentPath+"'")
	require.Equal(t, http.StatusNotFound, get("/docs/other.js").status)
}
