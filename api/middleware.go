package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
)

const (
	requestIDHeader = "X-Request-Id"
	maxRequestID    = 128
)

type requestIDKey struct{}

// identify gives each request an id that ties the answer to the log: the caller's own, if it is presentable.
func (s *Server) identify(c *gin.Context) {
	id := c.GetHeader(requestIDHeader)
	if !presentable(id) {
		id = uuid.NewString()
	}
	c.Header(requestIDHeader, id)
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), requestIDKey{}, id))
	c.Next()
}

func presentable(id string) bool {
	return id != "" && len(id) <= maxRequestID && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' })
}

// requestID is the log attribute that names the request.
func requestID(ctx context.Context) slog.Attr {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return slog.String("request_id", id)
}

// logAccess notes each request. Neither the query nor the headers are logged: they may hold customers' data.
func (s *Server) logAccess(c *gin.Context) {
	start := s.now()
	c.Next()
	ctx := c.Request.Context()
	s.log.LogAttrs(ctx, slog.LevelDebug, "request", requestID(ctx),
		slog.String("method", c.Request.Method),
		slog.String("path", c.Request.URL.Path),
		slog.Int("status", c.Writer.Status()),
		slog.Int("bytes", max(c.Writer.Size(), 0)),
		slog.Duration("took", s.now().Sub(start)))
}

// recoverPanic answers 500 for a handler that panicked. huma panics also when it can't write the answer, which is the
// caller's doing if it has gone away.
func (s *Server) recoverPanic(c *gin.Context) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		err, isError := p.(error)
		if isError && errors.Is(err, http.ErrAbortHandler) {
			panic(p)
		}
		c.Abort()
		ctx := c.Request.Context()
		if isError && goneAway(ctx, err) {
			s.log.LogAttrs(ctx, slog.LevelDebug, "the caller went away", requestID(ctx), slog.Any("error", err))
			return
		}
		s.log.LogAttrs(ctx, slog.LevelError, "panic", requestID(ctx), slog.String("panic", fmt.Sprint(p)),
			slog.String("path", c.FullPath()), slog.String("stack", string(debug.Stack())))
		if !c.Writer.Written() {
			writeFailure(c.Writer, errInternal)
		}
	}()
	c.Next()
}

func goneAway(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}

// allowAnyOrigin lets pages of any origin call the API. That is safe because nothing is granted by cookies: a page
// needs a token.
func allowAnyOrigin(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", requestIDHeader)
	h.Add("Access-Control-Expose-Headers", replayedHeader)
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
