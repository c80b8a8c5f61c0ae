package api

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/tooltest"
)

// The page in a real browser, where there is one.
func TestPortalInABrowser(t *testing.T) {
	t.Parallel()
	browser := tooltest.Find(t, "chromium")
	b := setup(t)
	app := b.must(201, "POST", "/app", `{"name":"Acme <b>bold</b>"}`)
	b.endpoint(app, `{"url":"https://example.com/hook","description":"<script>document.title='broken'</script>"}`)
	b.message(app, `{"eventType":"order.created","payload":{}}`)
	show := func(t *testing.T, fragment string) string {
		t.Helper()
		page, err := exec.CommandContext(t.Context(), browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
			"--user-data-dir="+t.TempDir(), "--virtual-time-budget=20000", "--dump-dom", b.url+portalPath+fragment).Output()
		require.NoError(t, err)
		return string(page)
	}
	t.Run("shows the application of its token", func(t *testing.T) {
		page := show(t, "#key="+b.issue(Grant{App: app, ReadOnly: true}))
		for _, want := range []string{"Acme &lt;b&gt;bold&lt;/b&gt;", "https://example.com/hook", "&lt;script&gt;document.title", "order.created", "Log out"} {
			require.Contains(t, page, want)
		}
		require.NotContains(t, page, "broken</title>")
		require.Contains(t, page, `role="status" hidden=""`, "nothing is left to load")
	})
	t.Run("says that a token is no longer good", func(t *testing.T) {
		token := b.issue(Grant{App: app})
		require.Equal(t, 204, b.as(token, "POST", "/auth/logout", "").status)
		page := show(t, "#key="+token)
		require.Contains(t, page, "This link is no longer good. Ask for a new one.")
		require.NotContains(t, page, "example.com")
	})
	t.Run("without a token asks for the link", func(t *testing.T) {
		require.Contains(t, show(t, ""), "Open this page by the link that you were given.")
	})
}
