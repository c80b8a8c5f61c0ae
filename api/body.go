package api

import (
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/posthorn/posthorn"
)

// maxBody is the largest body of a request, in bytes, where the operation doesn't say otherwise.
const maxBody = 1 << 20

// refuseLongBody answers for a body that says that it is too long, before any of it is read. One that doesn't say how
// long it is will be read up to the limit.
func refuseLongBody(r *http.Request, op *huma.Operation) error {
	limit := bodyLimit(op)
	if r.ContentLength <= limit {
		return nil
	}
	refusal := tooLarge(limit)
	refusal.header = http.Header{"Connection": {"close"}} // the client need not send the rest
	return refusal
}

// bodyLimit is the largest body that an operation takes. huma refuses a body of exactly its maximum.
func bodyLimit(op *huma.Operation) int64 {
	if op.MaxBodyBytes <= 0 {
		return maxBody
	}
	return op.MaxBodyBytes - 1
}

func tooLarge(limit int64) *failure {
	return fail(http.StatusRequestEntityTooLarge, wireCodes[posthorn.TooLarge].code, fmt.Sprintf("The body may have %d bytes at most", limit))
}
