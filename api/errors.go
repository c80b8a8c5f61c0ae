package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

const jsonType = "application/json"

// wireCodes is how each of the domain's codes looks on the wire. Invalid is missing: it has a shape of its own.
var wireCodes = map[posthorn.Code]struct {
	status int
	code   string
	detail string // for errors without a message
}{
	posthorn.Unauthorized: {http.StatusUnauthorized, "authentication_failed", "Invalid token"},
	posthorn.Forbidden:    {http.StatusForbidden, "insufficient access", "Insufficient access"},
	posthorn.NotFound:     {http.StatusNotFound, "not_found", "Entity not found"},
	posthorn.Conflict:     {http.StatusConflict, "conflict", "This exists already"},
	posthorn.TooLarge:     {http.StatusRequestEntityTooLarge, "payload_too_large", "Payload too large"},
	posthorn.LimitReached: {http.StatusBadRequest, "limit_reached", "A limit is reached"},
	posthorn.Gone:         {http.StatusBadRequest, "missing_payload", "The content has expired or was expunged"},
	posthorn.Unavailable:  {http.StatusServiceUnavailable, "unavailable", "Temporarily unavailable, try again"},
	posthorn.Internal:     {http.StatusInternalServerError, "server_error", "Internal server error"},
}

// The types of a validation error.
const (
	typeValue       = "value_error"
	typeJSON        = "value_error.jsondecode"
	typeUIDMissing  = "application_uid_missing"
	typeUIDMismatch = "application_uid_mismatch"
)

// httpErrorOut is the body of an error answer other than 422.
type httpErrorOut struct {
	Code      string `json:"code" doc:"What went wrong, for programs."`
	Detail    string `json:"detail" doc:"What went wrong, for people."`
	RequestID string `json:"requestId,omitempty" doc:"The X-Request-Id of the answer, which finds it in the log. Left out for clients of version 1.69 and older."`
}

// httpValidationError is the body of a 422 answer.
type httpValidationError struct {
	Detail    []validationErrorItem `json:"detail" nullable:"false" doc:"All that is wrong with the input."`
	RequestID string                `json:"requestId,omitempty" doc:"The X-Request-Id of the answer, which finds it in the log. Left out for clients of version 1.69 and older."`
}

type validationErrorItem struct {
	Loc  []string `json:"loc" nullable:"false" doc:"Path of the offending input; begins with body, query or path."`
	Msg  string   `json:"msg" doc:"What is wrong with it, for people."`
	Type string   `json:"type" doc:"What is wrong with it, for programs."`
}

// failure is an error in the terms of HTTP. Handlers return it only where the domain's errors can't say what the wire
// contract wants.
type failure struct {
	status int
	header http.Header
	body   any
}

func fail(status int, code, detail string) *failure {
	return &failure{status: status, body: httpErrorOut{Code: code, Detail: detail}}
}

func invalid(items ...validationErrorItem) *failure {
	return &failure{status: http.StatusUnprocessableEntity, body: httpValidationError{Detail: items}}
}

var (
	errNoRoute  = fail(http.StatusNotFound, "not_found", "There is no such path")
	errNoMethod = fail(http.StatusMethodNotAllowed, "method_not_allowed", "The path has no such method")
	errInternal = fail(http.StatusInternalServerError, "server_error", wireCodes[posthorn.Internal].detail)
)

func (f *failure) Error() string                { return http.StatusText(f.status) }
func (f *failure) GetStatus() int               { return f.status }
func (f *failure) GetHeaders() http.Header      { return f.header }
func (f *failure) MarshalJSON() ([]byte, error) { return json.Marshal(f.body) }

// identified returns the failure with the request's id in its body. It is a copy: some failures are shared.
func (f *failure) identified(ctx context.Context) *failure {
	request, _ := ctx.Value(requestKey{}).(requestIdentity)
	if request.old {
		return f
	}
	named := *f
	switch body := f.body.(type) {
	case httpErrorOut:
		body.RequestID = request.id
		named.body = body
	case httpValidationError:
		body.RequestID = request.id
		named.body = body
	}
	return &named
}

// failure translates an error for the wire. Ours to mend is logged here, once, and its message stays here.
func (s *Server) failure(ctx context.Context, err error) *failure {
	return s.translateError(ctx, err).identified(ctx)
}

func (s *Server) translateError(ctx context.Context, err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	code := posthorn.CodeOf(err)
	if code == posthorn.Internal && (ctx.Err() != nil || store.Outage(err)) {
		code = posthorn.Unavailable // the caller has gone away, its time is up, or the database is not there
	}
	if code == posthorn.Internal {
		s.log.LogAttrs(ctx, slog.LevelError, "internal error", requestID(ctx), slog.Any("error", err))
		return errInternal
	}
	var detail, field string
	if e, ok := errors.AsType[*posthorn.Error](err); ok {
		detail, field = e.Message, e.Field
	}
	if code == posthorn.Invalid {
		return invalid(validationErrorItem{Loc: location(field), Msg: detail, Type: typeValue})
	}
	wire, ok := wireCodes[code]
	if !ok {
		wire = wireCodes[posthorn.Internal]
		detail = ""
	}
	if detail == "" || code == posthorn.NotFound { // what there is not, and what there is for others, look alike
		detail = wire.detail
	}
	f := fail(wire.status, wire.code, detail)
	if code == posthorn.Unavailable {
		// What doesn't answer, and where it is, is not for the caller.
		f.body = httpErrorOut{Code: wire.code, Detail: wire.detail}
		s.log.LogAttrs(ctx, slog.LevelWarn, "unavailable", requestID(ctx), slog.Any("error", err), slog.Any("cause", errors.Unwrap(err)))
		f.header = http.Header{retryAfterHeader: {comeBack()}}
	}
	return f
}

// comeBackWithin is the most seconds after which a caller is told to come again.
const comeBackWithin = 5

// comeBack is a value of Retry-After. They differ, so that those who were refused together don't come back together.
func comeBack() string { return strconv.Itoa(1 + rand.IntN(comeBackWithin)) } //nolint:gosec // nothing to guess

// writeError answers a request that has not reached its handler.
func (s *Server) writeError(ctx huma.Context, err error) {
	f := s.failure(ctx.Context(), err)
	for name, values := range f.header {
		ctx.SetHeader(name, values[0])
	}
	if f.status == http.StatusUnauthorized {
		ctx.SetHeader("WWW-Authenticate", "Bearer")
	}
	ctx.SetHeader("Content-Type", jsonType)
	ctx.SetStatus(f.status)
	writeJSON(ctx.BodyWriter(), f)
}

// abort ends a request outside of huma.
func abort(c *gin.Context, f *failure) {
	c.Abort()
	writeFailure(c.Writer, f.identified(c.Request.Context()))
}

// writeFailure answers a request outside of huma.
func writeFailure(w http.ResponseWriter, f *failure) {
	for name, values := range f.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(f.status)
	writeJSON(w, f)
}

// translateFailure is the transformer that gives the errors which huma has found the shape of the contract.
func (s *Server) translateFailure(ctx huma.Context, _ string, body any) (any, error) {
	found, ok := body.(*huma.ErrorModel)
	if !ok {
		return body, nil
	}
	f := translate(found, ctx.Operation()).identified(ctx.Context())
	if f.status >= http.StatusInternalServerError {
		s.log.LogAttrs(ctx.Context(), slog.LevelWarn, "request refused", requestID(ctx.Context()), slog.String("detail", found.Detail))
	}
	if x, ok := ctx.(*exchange); ok {
		x.status = f.status
	}
	ctx.SetHeader("Content-Type", jsonType)
	return f, nil
}

// unreadBody is what huma says of a body that breaks off or isn't framed as HTTP wants it, which is the caller's doing.
const unreadBody = "cannot read request body"

// translate distinguishes three kinds of bad input: a query that can't be read is 400, a body that isn't JSON is 422 of
// a type of its own, and everything else that is well-formed but wrong is a plain 422.
func translate(found *huma.ErrorModel, op *huma.Operation) *failure {
	switch {
	case found.Status == http.StatusRequestEntityTooLarge:
		return tooLarge(bodyLimit(op))
	case found.Status == http.StatusRequestTimeout:
		return fail(found.Status, "generic_error", found.Detail)
	case found.Status == http.StatusInternalServerError && found.Detail == unreadBody:
		return fail(http.StatusBadRequest, "generic_error", "The body did not arrive in whole")
	case found.Status >= http.StatusInternalServerError:
		return errInternal
	case found.Status == http.StatusBadRequest && len(found.Errors) == 0:
		return notJSON(found.Detail)
	}
	items := make([]validationErrorItem, 0, len(found.Errors))
	for _, e := range found.Errors {
		loc := location(e.Location)
		if _, unread := e.Value.(string); unread && loc[0] == "query" {
			return fail(http.StatusBadRequest, "generic_error", "Failed to read the query parameter "+strings.Join(loc[1:], ".")+": "+e.Message)
		}
		if found.Status == http.StatusBadRequest && e.Location == "body" {
			return notJSON(e.Message)
		}
		items = append(items, validationErrorItem{Loc: loc, Msg: e.Message, Type: typeValue})
	}
	return invalid(items...)
}

func notJSON(detail string) *failure {
	return invalid(validationErrorItem{Loc: []string{"body"}, Msg: detail, Type: typeJSON})
}

// location splits a path such as body.channels[3].
func location(path string) []string {
	if path == "" {
		return []string{"body"}
	}
	return strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' })
}

// forgetHumaErrors removes the schemas of huma's own errors, which never reach the wire, from the document.
func forgetHumaErrors(document *huma.OpenAPI) {
	delete(document.Components.Schemas.Map(), "ErrorModel")
	delete(document.Components.Schemas.Map(), "ErrorDetail")
}
