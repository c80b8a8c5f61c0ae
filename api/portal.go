package api

import (
	"embed"
	"net/http"
	"path"

	"github.com/gin-gonic/gin"
)

// portalPath is the page that links for the owner of an application lead to.
const portalPath = "/portal"

//go:embed portal
var portalFiles embed.FS

// servePortal serves the page of an application: plain files, without anything from elsewhere. The page holds nothing of
// anybody's by itself: its script calls the API with the token in the fragment of the address. It may be shown in a
// frame, because that is how platforms show it to their customers.
func servePortal(engine *gin.Engine) {
	for url, file := range map[string]struct{ name, kind string }{
		portalPath:                 {"index.html", "text/html; charset=utf-8"},
		portalPath + "/portal.js":  {"portal.js", "text/javascript; charset=utf-8"},
		portalPath + "/portal.css": {"portal.css", "text/css; charset=utf-8"},
	} {
		content, err := portalFiles.ReadFile(path.Join("portal", file.name))
		if err != nil {
			panic(err) // it is compiled in
		}
		engine.GET(url, func(c *gin.Context) {
			h := c.Writer.Header()
			h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'")
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("Referrer-Policy", "no-referrer")
			h.Set("Cache-Control", "no-cache")
			c.Data(http.StatusOK, file.kind, content)
		})
	}
}
