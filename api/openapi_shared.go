package api

import (
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

const retryAfterHeader = "Retry-After"

const introduction = `Posthorn delivers webhooks durably: post an event, and it is signed and sent to every subscribed endpoint of that
customer, for days if it must.

**Compatibility.** This is version 1 of the Svix API. Clients for Svix work with it when they are given this server's URL.
Operations and fields that are Posthorn's own say so, and carry ` + "`x-posthorn-own`" + `.

**Names.** An application, an endpoint and a message may be named by its id or by the uid (of a message: eventId) that you
chose for it.

**Lists** come in pages. Ask for the page behind by passing ` + "`iterator`" + ` back, for the page before with ` + "`prevIterator`" + `.
When ` + "`done`" + ` is true there is nothing more in that direction.

**Errors** have a code for programs and a detail for people. Invalid input is answered with status 422 and a list of what is
wrong, each with its place. A path that does not exist is answered with 404, a method that a path doesn't have with 405.

**Webhooks** are signed after the Standard Webhooks specification; any of its libraries verifies them.`

const securityDescription = "A JSON Web Token. That of an organisation may do everything; that of an application may see and " +
	"change what belongs to the application. `posthorn token` makes them."

// successes describe the statuses of success.
var successes = map[int]string{
	http.StatusOK:        "Done, and this is the answer.",
	http.StatusCreated:   "It is new.",
	http.StatusAccepted:  "Accepted: it is stored and will be carried out, whatever happens to this server.",
	http.StatusNoContent: "Done. There is nothing to show.",
}

// failed is an answer that operations share.
type failed struct {
	name string // in the document's components
	text string
	own  []string // headers of its own
}

func (f failed) response(schema *huma.Schema) *huma.Response {
	response := &huma.Response{Description: f.text, Headers: map[string]*huma.Header{}}
	for _, name := range append([]string{requestIDHeader}, f.own...) {
		response.Headers[name] = headerRef(name)
	}
	if schema != nil {
		response.Content = map[string]*huma.MediaType{jsonType: {Schema: schema}}
	}
	return response
}

// failures describe the statuses of errors.
var failures = map[int]failed{
	http.StatusBadRequest:            {"BadRequest", "The query or the body can't be read, or the state of things forbids this: `limit_reached`, `missing_payload` and the like.", nil},
	http.StatusUnauthorized:          {"Unauthorized", "The token is missing, invalid, expired or revoked.", []string{"WWW-Authenticate"}},
	http.StatusForbidden:             {"Forbidden", "The token is good, but not for this.", nil},
	http.StatusNotFound:              {"NotFound", "Something that the path names doesn't exist, or isn't yours.", nil},
	http.StatusRequestTimeout:        {"RequestTimeout", "The body came too slowly.", nil},
	http.StatusConflict:              {"Conflict", "It exists already, or the same request is still being carried out.", nil},
	http.StatusRequestEntityTooLarge: {"TooLarge", "The body is too large.", nil},
	http.StatusUnprocessableEntity:   {"Invalid", "The input is invalid. The answer lists what is wrong, and where.", nil},
	http.StatusTooManyRequests:       {"TooManyRequests", "Too many requests; Retry-After says when to try again.", append([]string{retryAfterHeader}, rateHeaders...)},
	http.StatusInternalServerError:   {"InternalError", "Something went wrong in here. The log knows the request by its id.", nil},
	http.StatusServiceUnavailable:    {"Unavailable", "Not possible at the moment; Retry-After says when to try again.", []string{retryAfterHeader}},
}

// headers of answers.
var headers = map[string]*huma.Header{
	requestIDHeader: {
		Description: "Names the request in the log: the caller's own, if the request had this header, otherwise a new one.",
		Required:    true,
		Schema:      &huma.Schema{Type: huma.TypeString, MinLength: new(1), MaxLength: new(maxRequestID)},
	},
	retryAfterHeader: {
		Description: "How many seconds to wait before the next try.",
		Schema:      &huma.Schema{Type: huma.TypeInteger, Minimum: new(0.0)},
	},
	limitHeader: {
		Description: "How many requests the limit allows at once. Absent if there is no limit.",
		Schema:      &huma.Schema{Type: huma.TypeInteger, Minimum: new(1.0)},
	},
	remainingHeader: {
		Description: "How many of them are left.",
		Schema:      &huma.Schema{Type: huma.TypeInteger, Minimum: new(0.0)},
	},
	resetHeader: {
		Description: "How many seconds it takes until all are left again.",
		Schema:      &huma.Schema{Type: huma.TypeInteger, Minimum: new(0.0)},
	},
	replayedHeader: {
		Description: "The answer is that of an earlier request with the same key.",
		Schema:      &huma.Schema{Type: huma.TypeString, Enum: []any{"true"}},
	},
	"WWW-Authenticate": {
		Description: "The kind of token that is wanted.",
		Schema:      &huma.Schema{Type: huma.TypeString},
	},
}

func headerRef(name string) *huma.Header { return &huma.Header{Ref: "#/components/headers/" + name} }

// rateHeaders tell where a limit on requests stands.
var rateHeaders = []string{limitHeader, remainingHeader, resetHeader}

// successHeaders are those of an answer of success, of an operation that may be repeated with a key or of another.
func successHeaders(repeatable bool) map[string]*huma.Header {
	refs := map[string]*huma.Header{requestIDHeader: headerRef(requestIDHeader)}
	for _, name := range rateHeaders {
		refs[name] = headerRef(name)
	}
	if repeatable {
		refs[replayedHeader] = headerRef(replayedHeader)
	}
	return refs
}

func idempotencyParameter() *huma.Param {
	return &huma.Param{
		Name: strings.ToLower(keyHeader),
		In:   "header",
		Description: "Makes the request safe to repeat. For 24 hours the same request with the same key is not carried out again: it gets the " +
			"first one's answer, if that was one of success, with the header `" + replayedHeader + "`. Another request with the key is refused " +
			"with status 422. Any text of visible ASCII characters that is new for each request, such as a UUID.",
		Schema: &huma.Schema{Type: huma.TypeString, MinLength: new(1), MaxLength: new(256), Pattern: "^[!-~]+$"},
	}
}
