package posthorn

import "time"

// DeliveryState says where a delivery stands.
type DeliveryState string

// The states. Delivered, Failed and Cancelled are final until somebody sends again by hand.
const (
	Pending   DeliveryState = "pending"   // no attempt has ended yet
	Retrying  DeliveryState = "retrying"  // an attempt failed and another is to come
	Delivered DeliveryState = "delivered" // an attempt was answered with 2xx
	Failed    DeliveryState = "failed"    // the schedule or its time window is used up
	Held      DeliveryState = "held"      // waits until the endpoint takes messages again
	Cancelled DeliveryState = "cancelled" // will not be sent; Reason says why
)

// Delivery is one message on its way to one endpoint.
type Delivery struct {
	MessageID  string
	AppID      string
	EndpointID string
	State      DeliveryState
	Reason     string    // why it was cancelled, held or has failed, if there is more to say than the last attempt does
	Attempts   int       // attempts made, numbered 1…n
	Scheduled  int       // those of them that used up the retry schedule
	NextAt     time.Time // when the next attempt is due; zero if none is
	UpdatedAt  time.Time
}

// Trigger says what caused an attempt.
type Trigger string

// The triggers. Only Automatic attempts use up the retry schedule.
const (
	Automatic Trigger = "auto"
	Manual    Trigger = "manual"
)

// MaxRecordedBody is how much of a response body is kept with an attempt, in bytes.
const MaxRecordedBody = 16 << 10

// ExpungedBody stands for the response of an attempt whose content was expunged.
const ExpungedBody = "EXPUNGED"

// MaxRecordedSent is how much of a request's header is kept with an attempt, in bytes.
const MaxRecordedSent = 8 << 10

// Attempt is one HTTP request of a delivery.
type Attempt struct {
	ID         string
	MessageID  string
	AppID      string
	EndpointID string
	EventType  string // the message's, kept here so that lists can filter by it
	Number     int    // 1…n within the delivery; set by the store
	Trigger    Trigger
	URL        string            // without user name, password, query and fragment
	Sent       map[string]string // header of the request; sensitive ones (IsSensitiveHeader) without value. Left out of lists
	StartedAt  time.Time
	Duration   time.Duration
	Success    bool
	Status     int                 // of the response; 0 if none came
	Header     map[string][]string // of the response, 16 KiB at most
	Body       []byte              // of the response, the first MaxRecordedBody bytes
	Truncated  bool                // the body was longer than what is kept
	ErrorClass string              // why it failed, from a closed set (package egress); empty on success
	Message    string              // one line for people, such as "503 Service Unavailable after 812 ms"
	NextAt     time.Time           // when the next scheduled attempt is due; zero if this was the last
}
