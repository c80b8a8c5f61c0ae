package egress

import (
	"net/http"
	"time"
)

// Result is what came of a Post.
type Result struct {
	StartedAt time.Time
	Duration  time.Duration // of the whole exchange

	Sent http.Header // of the request, the client's own headers included; nil if there was none to make. Not to be modified

	Status        int         // of the response; 0 if none came
	Header        http.Header // of the response, the first 16 KiB in the order of names; nil if none came
	Body          []byte      // of the response as sent, at most Options.MaxBody bytes
	BodyTruncated bool        // Body is not the whole of it: it was longer, or reading it failed

	RemoteAddr string        // address and port of the connection used, perhaps a proxy's; empty if there was none
	RetryAfter time.Duration // what a non-2xx response asked for in Retry-After; 0 if nothing, or nothing sensible
	Timings    Timings

	Class   ErrorClass // why it was no success
	Message string     // one line for people, without URL and credentials, such as "503 Service Unavailable after 812 ms"
}

// Success reports whether the receiver has taken the webhook: it answered with 2xx, and the whole response, the body
// included as far as it is read, came in time.
func (r *Result) Success() bool { return r.Class == None }

// ErrorClass says in one word why a Post was no success.
type ErrorClass string

// The classes.
const (
	None       ErrorClass = ""            // success
	HTTPStatus ErrorClass = "http_status" // a status other than 2xx and 3xx
	Redirect   ErrorClass = "redirect"    // a 3xx status
	Timeout    ErrorClass = "timeout"     // the deadline passed; the status is set if headers had come
	DNS        ErrorClass = "dns"         // the host name could not be resolved
	Refused    ErrorClass = "refused"     // nothing listens on the port
	Reset      ErrorClass = "reset"       // the connection broke before the response was complete
	TLS        ErrorClass = "tls"         // handshake or certificate
	Blocked    ErrorClass = "blocked"     // the network policy forbids the address
	Proxy      ErrorClass = "proxy"       // the operator's proxy can't be used, or does not connect to the receiver
	InvalidURL ErrorClass = "invalid_url" // not an absolute http or https URL
	Protocol   ErrorClass = "protocol"    // the response is no HTTP, breaks off within a header, or has headers beyond 64 KiB
	Cancelled  ErrorClass = "cancelled"   // the caller's context was cancelled
	Other      ErrorClass = "other"       // anything else, such as an unreachable network
)

// Timings are the parts of an exchange. A part that did not take place is 0; on a reused connection these are DNS,
// Connect and TLS.
type Timings struct {
	DNS       time.Duration
	Connect   time.Duration // from the first address tried to the last that ended
	TLS       time.Duration
	FirstByte time.Duration // from the start of the exchange to the first byte of the response
}

func isSuccess(status int) bool { return status >= 200 && status < 300 }
