package api

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

// exposedHeaders are those of an answer that pages may read.
var exposedHeaders = strings.Join([]string{
	requestIDHeader, limitHeader, remainingHeader, resetHeader, retryAfterHeader, replayedHeader, "WWW-Authenticate",
}, ", ")

// allowAnyOrigin lets pages of any origin call the API. That is safe because nothing is granted by cookies: a page
// needs a token.
func allowAnyOrigin(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", exposedHeaders)
	if c.Request.Method != http.MethodOptions || c.GetHeader("Access-Control-Request-Method") == "" {
		c.Next()
		return
	}
	h.Add("Vary", "Access-Control-Request-Headers")
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE")
	if asked := c.GetHeader("Access-Control-Request-Headers"); asked != "" {
		h.Set("Access-Control-Allow-Headers", asked)
	}
	h.Set("Access-Control-Max-Age", "600")
	c.AbortWithStatus(http.StatusNoContent)
}
