package api

import (
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/posthorn/posthorn"
)

// What holds for operations that say nothing else; huma's own defaults.
const (
	defaultMaxBody         = 1 << 20
	defaultBodyReadTimeout = 5 * time.Second
)

// bodyLimit is the largest body of an operation, in bytes.
func bodyLimit(op *huma.Operation) int64 {
	if op.MaxBodyBytes > 0 {
		return op.MaxBodyBytes - 1 // huma refuses a body of exactly the maximum
	}
	return defaultMaxBody
}

func errTooLarge(limit int64) error {
	return posthorn.Errorf(posthorn.TooLarge, "The body has more than %d bytes", limit)
}

// limitBody refuses a body that says that it is too large before any of it is read. One that doesn't say is cut off while
// it is read.
func (s *Server) limitBody(ctx huma.Context, next func(huma.Context)) {
	if limit := bodyLimit(ctx.Operation()); humagin.Unwrap(ctx).Request.ContentLength > limit {
		s.writeError(ctx, errTooLarge(limit))
		return
	}
	next(ctx)
}
