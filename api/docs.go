package api

import (
	"bytes"
	"embed"
	"net/http"
	"path"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/swaggest/swgui/v5/static"
	"github.com/vearutop/statigz"
)

// docsPath is where the documentation page is.
const docsPath = "/docs"

// docsPolicy confines the page to this server: it loads, sends and embeds nothing from elsewhere, and runs no script but
// those that are served.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

//go:embed docs
var docs embed.FS

// docsFiles are what the page consists of, by whether they are ours or Swagger UI's.
var docsFiles = map[string]bool{
	"page.css": true, "page.js": true,
	"swagger-ui.css": false, "swagger-ui-bundle.js": false, "favicon-32x32.png": false,
}

// serveDocs adds the documentation page, which shows the OpenAPI document and needs nothing from the internet.
func serveDocs(engine *gin.Engine) {
	methods := []string{http.MethodGet, http.MethodHead}
	engine.Match(methods, "/", func(c *gin.Context) { c.Redirect(http.StatusTemporaryRedirect, docsPath) })
	engine.Match(methods, docsPath, func(c *gin.Context) { serveDocsFile(c, "index.html") })
	library := statigz.FileServer(static.FS)
	for name, own := range docsFiles {
		engine.Match(methods, docsPath+"/"+name, func(c *gin.Context) {
			if own {
				serveDocsFile(c, name)
				return
			}
			confine(c.Writer.Header())
			r := c.Request.Clone(c.Request.Context())
			r.URL.Path = "/" + name
			library.ServeHTTP(c.Writer, r)
		})
	}
}

func serveDocsFile(c *gin.Context, name string) {
	content, err := docs.ReadFile(path.Join("docs", name))
	if err != nil {
		panic(err) // it is part of the program
	}
	confine(c.Writer.Header())
	http.ServeContent(c.Writer, c.Request, name, time.Time{}, bytes.NewReader(content))
}

// confine sets the headers that keep the page to itself. A browser asks each time whether a file has changed.
func confine(h http.Header) {
	h.Set("Content-Security-Policy", docsPolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-cache")
}
