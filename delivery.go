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
	Reason     string    // why it was cancelled, waits or has failed, if there is more to say than the last attempt does
	Waits      Wait      // what it waits for; empty if it has ended, too
	Attempts   int       // attempts made, numbered 1…n
	Scheduled  int       // those of them that used up the retry schedule
	Parked     bool      // it waits in the database only: no workflow has it, so whoever lets it go begins one
	NextAt     time.Time // when the next attempt is due; zero if none is. Of one that has ended: since when its workflow is to hear of that
	ReleasedAt time.Time // when its endpoint last took messages again for which it was held; its time begins anew then
	UpdatedAt  time.Time
	Alarmed    bool // operational webhooks were told that it fails: that it has recovered is told, too
}

// Ended reports whether the state is final until somebody sends again by hand.
func (s DeliveryState) Ended() bool { return s == Delivered || s == Failed || s == Cancelled }

// OpenStates are the states that are not final.
func OpenStates() []DeliveryState { return []DeliveryState{Pending, Retrying, Held} }

// Trigger says what caused an attempt.
type Trigger string

// The triggers. Only Automatic attempts use up the retry schedule.
const (
	Automatic Trigger = "auto"
	Manual    Trigger = "manual"
	Probe     Trigger = "probe" // finds out whether an endpoint whose circuit is open answers again
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
	Failing    bool                // from this failure on the delivery counts as failing (Schedule.FailingAfter). Read by Record, not kept
}
