package api

import (
	"slices"
	"strings"
)

// Capability is a part of what a token may do. A token that lists none may do everything that its kind may.
type Capability string

// The capabilities. All but CreateMessages are Svix's.
const (
	ViewBase              Capability = "ViewBase"              // read everything but signing secrets
	ViewEndpointSecret    Capability = "ViewEndpointSecret"    // read signing secrets
	ManageEndpointSecret  Capability = "ManageEndpointSecret"  // replace signing secrets
	ManageTransformations Capability = "ManageTransformations" // change transformations
	CreateAttempts        Capability = "CreateAttempts"        // have messages sent again, and examples sent
	ManageEndpoint        Capability = "ManageEndpoint"        // make, change and delete endpoints and their headers
	CreateMessages        Capability = "CreateMessages"        // send messages; of use to tokens of an organisation only
)

// Capabilities are all there are.
func Capabilities() []Capability {
	return []Capability{ViewBase, ViewEndpointSecret, ManageEndpointSecret, ManageTransformations, CreateAttempts, ManageEndpoint, CreateMessages}
}

// What operations may need besides.
const (
	nothingSpecial Capability = ""  // any token will do
	fullAccess     Capability = "*" // only a token that is not narrowed
)

// sendingAgain are the ends of paths of operations that cause attempts.
var sendingAgain = []string{"/resend", "/recover", "/replay-missing", "/replay", "/send-example", "/test-attempt", "/bulk-replay"}

// needs returns what a narrowed token has to have for an operation. It follows from the method and the path, so that a
// new operation is refused to read-only tokens without a word: reading is GET, HEAD and the search.
func (r route) needs() Capability {
	segments := strings.Split(r.path, "/")
	reads := r.method == get || r.method == head || strings.HasSuffix(r.path, "/msg/search") // a list, with its filters in a body
	switch {
	case r.path == "/auth/logout" || r.path == "/auth/whoami":
		return nothingSpecial
	case slices.Contains(segments, "secret") && reads:
		return ViewEndpointSecret
	case slices.Contains(segments, "secret"):
		return ManageEndpointSecret
	case slices.Contains(segments, "consumer"):
		return ManageEndpoint // reading there moves on where the consumer stands
	case reads:
		return ViewBase
	case slices.ContainsFunc(sendingAgain, func(end string) bool { return strings.HasSuffix(r.path, end) }):
		return CreateAttempts
	case r.scope == organisation && r.method == post && slices.Contains(segments, "msg") && !slices.Contains(segments, "{msg_id}"):
		return CreateMessages
	case r.scope == organisation:
		return fullAccess
	case slices.Contains(segments, "transformation"):
		return ManageTransformations
	default:
		return ManageEndpoint
	}
}

// may reports whether a token has what an operation needs. A read-only token reads, and never a secret.
func (c caller) may(need Capability) bool {
	switch {
	case need == nothingSpecial:
		return true
	case c.readOnly && need != ViewBase:
		return false
	case c.capabilities == nil:
		return true
	default:
		return need != fullAccess && slices.Contains(c.capabilities, need)
	}
}
