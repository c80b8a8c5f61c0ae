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

// requestKey is the key of a request's identity in its context.
type requestKey struct{}

type requestIdentity struct {
	id  string
	old bool // the client can't read errors with fields that it doesn't know
}

// identify gives each request an id that ties the answer to the log: the caller's own, if it is presentable.
func (s *Server) identify(c *gin.Context) {
	id := c.GetHeader(requestIDHeader)
	if !presentable(id) {
		id = uuid.NewString()
	}
	c.Header(requestIDHeader, id)
	identity := requestIdentity{id: id, old: isOldClient(c.GetHeader("User-Agent"))}
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), requestKey{}, identity))
	c.Next()
}

func presentable(id string) bool {
	return id != "" && len(id) <= maxRequestID && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' })
}

// requestID is the log attribute that names the request.
func requestID(ctx context.Context) slog.Attr {
	identity, _ := ctx.Value(requestKey{}).(requestIdentity)
	return slog.String("request_id", identity.id)
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

// demandNames keeps a path with an empty segment, which Gin takes for a name, from being taken for one of the API.
func demandNames(c *gin.Context) {
	for _, p := range c.Params {
		if p.Value == "" {
			c.Abort()
			writeFailure(c.Writer, errNoRoute)
			return
		}
	}
	c.Next()
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
			abort(c, errInternal)
		}
	}()
	c.Next()
}

func goneAway(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}
